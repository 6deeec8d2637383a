"""Skills on language: classify, rewrite, phrases in five languages."""

from words import ANIMALS, FOODS, HOBBIES, JOBS, THINGS, a, cap


def _lines(text):
    return [x.strip().replace("\\n", "\n") for x in text.replace("\n", "|").split("|") if x.strip()]


# --- classification ---------------------------------------------------------------------------------------------------
GOOD = _lines("""I love this {x}|The {x} works very well|What a wonderful {x}|I am so happy with the {x}|The {x} is excellent|This is the best {x} I ever had|The {x} made my day
Great {x}, I will come back|I can warmly recommend the {x}|The {x} was a delight|Everything about the {x} is lovely|The {x} is a real joy|I enjoyed the {x} very much|A fantastic {x}|The {x} arrived early and is perfect|We are pleased with the {x}""")
BAD = _lines("""I hate this {x}|The {x} broke after a day|What a terrible {x}|I am angry about the {x}|The {x} is awful|This is the worst {x} I ever had|The {x} ruined my day
Never again this {x}|I want my money back for the {x}|The {x} was a big disappointment|Everything about the {x} is bad|The {x} is useless|I am very unhappy with the {x}|A horrible {x}|The {x} came late and is broken|We are annoyed by the {x}""")
PLAIN = _lines("""The {x} arrived on Tuesday|The {x} is on the table|I bought a {x} in town|The {x} has two parts|My neighbour has a {x} too|The {x} is {c}|The {x} weighs about a kilo
This {x} was made last year|The {x} comes in a box|They sell a {x} next door|The {x} stands near the door|There is a label on the {x}|We will get the {x} tomorrow|The {x} has a {c} cover""")

TOPICS = {
    "sports": _lines("""{n} scored two goals in the final|The team from {t} won the cup|{n} ran the race in record time|The match in {t} ended in a draw|The coach trained the players hard|{n} hopes to win a medal in swimming|The tennis player lost the last set|Fans cheered in the stadium of {t}|The goalkeeper saved a penalty|{n} joined a new football club"""),
    "weather": _lines("""It will rain in {t} tomorrow|A storm is coming from the north|The sun shines over {t} all day|Snow fell on the hills near {t}|It is cloudy and cold|Strong wind is expected tonight|Fog covers the coast near {t}|The temperature drops to two degrees|A warm and dry week lies ahead|Thunder was heard in {t}"""),
    "food": _lines("""{n} baked a {f} cake|Boil the {f} for ten minutes|The soup needs salt and {f}|The cook in {t} serves fresh {f}|Add {f} to the dough and stir|Dinner was rice with {f}|{n} fries {f} in butter|The recipe needs two eggs and {f}|We ate {f} for lunch|A salad of {f} tastes fresh"""),
    "money": _lines("""The bank raised its interest rate|Prices rose by two percent|{n} bought shares of the company|The firm from {t} made a large profit|Taxes will be lower next year|{n} paid back the loan|The market fell after the report|Investors sold their bonds|The budget of {t} has a gap|Salaries grew more slowly than rent"""),
    "health": _lines("""The doctor gave {n} a new medicine|{n} has a fever and a cough|Sleep is good for the heart|The hospital in {t} has a new ward|Wash your hands against the flu|The nurse measured the blood pressure|{n} broke a leg and needs rest|A vaccine protects children|The patient felt pain in the back|The clinic treats allergies"""),
    "travel": _lines("""{n} took the night train to {t}|The flight to {t} was late|We booked a hotel near the beach|The ferry leaves at noon|{n} packed a suitcase for the holiday|The tour through {t} takes three hours|A passport is needed at the border|The bus to {t} is full|Tourists visit the old castle|{n} rented a car at the airport"""),
    "technology": _lines("""The new phone has a better screen|{n} wrote a program for the robot|The software update fixed a bug|Engineers in {t} built a faster chip|The server stores data safely|{n} trained a small language model|The laptop battery lasts longer|A sensor measures the pressure|The website was down for an hour|The app counts your steps"""),
    "music": _lines("""{n} plays the violin in an orchestra|The band gave a concert in {t}|The song has a slow melody|{n} sings in a choir|The drummer lost the rhythm|A new album was recorded in {t}|The piano needs tuning|The audience clapped after the opera|{n} wrote a tune for the flute|The guitar solo was long"""),
}
LANGS = {
    "French": _lines("""Le chat dort sur la chaise|Je voudrais un verre d'eau|Il fait beau aujourd'hui|Nous allons au marche demain|Elle lit un livre dans le jardin|Ou est la gare?|Mon frere habite a {t}|Le pain est sur la table"""),
    "German": _lines("""Die Katze liegt auf dem Stuhl|Ich trinke gern Kaffee|Das Wetter ist heute schön|Wir gehen morgen ins Kino|Er liest ein Buch im Garten|Wo ist der Bahnhof?|Meine Schwester wohnt in {t}|Das Brot liegt auf dem Tisch"""),
    "Spanish": _lines("""El gato duerme en la silla|Quiero un vaso de agua|Hoy hace buen tiempo|Vamos al mercado mañana|Ella lee un libro en el parque|Dónde está la estación?|Mi hermano vive en {t}|El pan está en la mesa"""),
    "Italian": _lines("""Il gatto dorme sulla sedia|Vorrei un bicchiere di acqua|Oggi fa bel tempo|Domani andiamo al mercato|Lei legge un libro nel giardino|Dove si trova la stazione?|Mio fratello abita a {t}|Il pane sta sul tavolo"""),
    "English": _lines("""The cat sleeps on the chair|I would like a glass of water|The weather is fine today|We go to the market tomorrow|She reads a book in the garden|Where is the station?|My brother lives in {t}|The bread is on the table"""),
}
INTENTS = {
    "refund": _lines("""I want my money back for the {x}|Please return the price of my {x}|I paid twice for the {x}, give one payment back|I would like a refund|Can I get my money back?|Send back what I paid for the {x}"""),
    "delivery": _lines("""Where is my {x}?|When will the {x} arrive?|My parcel with the {x} has not come|The package is late|Has my {x} been shipped?|How long does shipping of the {x} take?"""),
    "password": _lines("""I forgot my password|I cannot log in|Please reset my login|My account does not accept my password|How do I change my password?|The login page refuses me"""),
    "complaint": _lines("""The {x} is broken and I am angry|Your service is very bad|I complain about the {x}|Nobody answers my calls, this is a shame|The {x} fell apart, what poor quality|I am not happy with how I was treated"""),
    "order": _lines("""I would like to buy a {x}|Please send me two of the {x}|I want to order a {x}|Can I order the {x} in {c}?|Put a {x} in my cart|I take three of the {x}"""),
}
SPAM = {
    "spam": _lines("""You won a free {x}, click here now|Earn {k} dollars a day from home|Cheap {x} only today, buy now|Your prize is waiting, send your bank number|Lose weight fast with this {x}|Claim your {k} dollars at once|Last chance: free {x} for the first hundred|Act now and get rich with {k} dollars"""),
    "not spam": _lines("""Shall we meet at noon, {n}?|Here are the notes of our meeting|The {x} you lent me is on your desk|Can you send me the report, {n}?|Dinner is at seven, see you there|Thank you for your help with the {x}|{n} is ill today and stays at home|The train to {t} leaves at nine, do not be late"""),
}
LIVING = {"animal": ANIMALS, "food": FOODS, "job": JOBS, "object": THINGS}

CLS_FRAMES = _lines("""Classify the text as {l}.\\n\\n{p}|Text: {p}\\n\\nLabels: {l}|Which label fits: {l}?\\n\\n{p}|Choose one of {l} for this text: {p}|{p}\\n\\nIs this {l}?|Label this text. Possible labels: {l}.\\nText: {p}
What is the {k} of this text ({l})?\\n{p}|Pick the right {k} out of {l}: {p}|Answer with one label ({l}).\\n\\n{p}|{k}: {l}\\nText: {p}\\nLabel:|Decide on the {k}. Options: {l}.\\n\\n\"{p}\"|To which class does it belong, {l}?\\n\\n{p}
Please sort this into {l}: {p}|Classify: {p}\\nLabels: {l}|Categories: {l}\\n\\nInput: {p}|I need the {k} of \"{p}\". Use one of: {l}.""")


def _join(s, labels):
    return ", ".join(labels) if s.chance(0.6) else ", ".join(labels[:-1]) + " or " + labels[-1]


def classify(s):
    task = s.int(0, 6)
    fill = dict(x=s.w_thing(), c=s.colour(), n=s.first(), t=s.town(), f=s.w(FOODS), k=s.int(2, 90) * 100)
    if task <= 1:
        name, table = "sentiment", {"positive": GOOD, "negative": BAD, "neutral": PLAIN}
        if s.chance(0.4):
            table = {"positive": GOOD, "negative": BAD}
    elif task == 2:
        keys = s.rng.sample(sorted(TOPICS), s.int(3, 5))
        name, table = "topic", {k: TOPICS[k] for k in keys}
    elif task == 3:
        keys = s.rng.sample(sorted(LANGS), s.int(3, 5))
        name, table = "language", {k: LANGS[k] for k in keys}
    elif task == 4:
        keys = s.rng.sample(sorted(INTENTS), s.int(3, 5))
        name, table = "intent", {k: INTENTS[k] for k in keys}
    elif task == 5:
        name, table = "class", SPAM
    else:
        keys = s.rng.sample(sorted(LIVING), s.int(2, 4))
        label = s.any(keys)
        text = s.w(LIVING[label])
        return _labelled(s, "class", keys, text, label)
    label = s.any(list(table))
    text = s.t(table[label]).format(**fill)
    text = text if text.endswith("?") else text + s.any((".", ".", "!"))
    if name == "topic" and s.chance(0.4):
        text += " " + s.t(table[label]).format(**{**fill, "n": s.first()}) + "."
    keys = list(table)
    s.rng.shuffle(keys)
    return _labelled(s, name, keys, text, label)


def _labelled(s, name, keys, text, label):
    return {"user": s.t(CLS_FRAMES).format(l=_join(s, keys), p=text, k=name), "answer": label, "rule": {"exact": [["equals", label]]}}


# --- rewriting --------------------------------------------------------------------------------------------------------
VERBS = [("walk", "walked"), ("open", "opened"), ("paint", "painted"), ("clean", "cleaned"), ("watch", "watched"), ("carry", "carried"), ("repair", "repaired"), ("find", "found"), ("buy", "bought"), ("sell", "sold"),
         ("bring", "brought"), ("see", "saw"), ("take", "took"), ("draw", "drew"), ("hold", "held"), ("lose", "lost"), ("build", "built"), ("wash", "washed"), ("move", "moved"), ("lift", "lifted"), ("choose", "chose"), ("keep", "kept"), ("send", "sent"), ("throw", "threw")]
THIRD = lambda v: v[:-1] + "ies" if v.endswith("y") and v[-2] not in "aeiou" else v + "es" if v.endswith(("sh", "ch", "s")) else v + "s"
PAST = _lines("""Put this into the past tense: {p}|Rewrite in the past tense.\\n\\n{p}|Change to past tense: {p}|{p}\\n\\nNow in the past.|Write this sentence as if it happened yesterday: {p}|Past tense, please: {p}""")
NEG = _lines("""Make this sentence negative: {p}|Negate: {p}|Say the opposite with not: {p}|Turn this into a negative sentence.\\n{p}|Write the negative of this: {p}|{p}\\n\\nNegate this sentence.""")
QUE = _lines("""Turn this into a question: {p}|Make a question out of this: {p}|Rewrite as a question.\\n\\n{p}|{p}\\n\\nAsk this as a question.|Form a yes-or-no question: {p}|Change this statement into a question: {p}""")
POL = _lines("""Make this more polite: {p}|Say this politely: {p}|Rewrite politely.\\n\\n{p}|{p}\\n\\nPlease make it friendlier.|Turn this order into a polite request: {p}|How would I say this politely? {p}""")
UP = _lines("""Write this in capital letters: {p}|Put this into upper case: {p}|Capitalise everything: {p}|{p}\\n\\nIn capitals, please.|Make all letters large: {p}|Upper case: {p}""")
LIST = _lines("""Write this as a list: {p}|Make a bullet list of this: {p}|Turn this into a list with dashes.\\n\\n{p}|{p}\\n\\nAs a list, please.|List the items: {p}|Put each thing on its own line: {p}""")
PASSIVE = _lines("""Put this into the passive: {p}|Rewrite in the passive voice.\\n\\n{p}|Passive, please: {p}|{p}\\n\\nNow in the passive voice.|Change active to passive: {p}|Turn this sentence into the passive: {p}""")
NAME = _lines("""Replace {o} by {r}: {p}|In this sentence write {r} in place of {o}: {p}|{p}\\n\\nChange {o} to {r}.|Swap {o} for {r} in this text.\\n{p}|Put {r} where {o} stands: {p}|Use {r} and not {o}: {p}""")
REPEAT = _lines("""Repeat this exactly: {p}|Say this word for word: {p}|Copy this sentence.\\n\\n{p}|Write the same again: {p}|{p}\\n\\nRepeat that.|Echo: {p}""")
PARTICIPLE = {"saw": "seen", "took": "taken", "drew": "drawn", "chose": "chosen", "threw": "thrown"}


def rewrite(s):
    (base, past), name, x = s.any(VERBS), s.first(), s.w_thing()
    det = s.any(("the", "a", "an old", "the new", "the " + s.colour()))
    det = "an" if det == "a" and x[0] in "aeiou" else det
    obj = f"{det} {x}"
    tail = s.any(("", f" in {s.town()}", " every day", " at home", f" for {s.first()}"))
    now = f"{name} {THIRD(base)} {obj}{tail}."
    kind = s.int(0, 8)
    if kind == 0:
        p, answer, f = now, f"{name} {past} {obj}{tail}.", PAST
    elif kind == 1:
        p, answer, f = now, f"{name} does not {base} {obj}{tail}.", NEG
    elif kind == 2:
        p, answer, f = now, f"Does {name} {base} {obj}{tail}?", QUE
    elif kind == 3:
        tail = s.any(("", f" to {s.town()}", " now", " today"))
        p, answer, f = f"{cap(base)} {obj}{tail}.", f"Could you please {base} {obj}{tail}?", POL
    elif kind == 4:
        p = s.any((f"{name} and {s.first()}", f"the {x} of {name}", f"{s.colour()} {x}", now, f"welcome to {s.town()}"))
        answer, f = p.upper(), UP
    elif kind == 5:
        items = list(dict.fromkeys(s.any((s.w_thing, lambda: s.w(FOODS), s.first))() for _ in range(s.int(3, 5))))
        p = ", ".join(items[:-1]) + " and " + items[-1]
        answer, f = "\n".join("- " + i for i in items), LIST
    elif kind == 6:
        p, answer, f = f"{name} {past} {obj}.", f"{cap(obj)} was {PARTICIPLE.get(past, past)} by {name}.", PASSIVE
    elif kind == 7:
        new = s.first()
        p, answer = now, now.replace(name, new, 1)
        return {"user": s.t(NAME).format(p=p, o=name, r=new), "answer": answer, "rule": {"exact": [["same", answer]]}}
    else:
        p = s.any((now, f"{name} {past} {obj} in {s.town()} on {s.date()}.", f"{s.invented()} {s.invented()} {s.invented()}", f"My number is {s.int(1000, 99999)}."))
        answer, f = p, REPEAT
    return {"user": s.t(f).format(p=p), "answer": answer, "rule": {"exact": [["same", answer]]}}


# --- phrases ----------------------------------------------------------------------------------------------------------
PHRASES = {
    "hello": ("bonjour", "hallo", "hola", "ciao", "olá"), "thank you": ("merci", "danke", "gracias", "grazie", "obrigado"),
    "please": ("s'il vous plaît", "bitte", "por favor", "per favore", "por favor"), "goodbye": ("au revoir", "auf Wiedersehen", "adiós", "arrivederci", "adeus"),
    "yes": ("oui", "ja", "sí", "sì", "sim"), "no": ("non", "nein", "no", "no", "não"),
    "good morning": ("bonjour", "guten Morgen", "buenos días", "buongiorno", "bom dia"), "good night": ("bonne nuit", "gute Nacht", "buenas noches", "buona notte", "boa noite"),
    "water": ("eau", "Wasser", "agua", "acqua", "água"), "bread": ("pain", "Brot", "pan", "pane", "pão"), "house": ("maison", "Haus", "casa", "casa", "casa"),
    "cat": ("chat", "Katze", "gato", "gatto", "gato"), "dog": ("chien", "Hund", "perro", "cane", "cão"), "book": ("livre", "Buch", "libro", "libro", "livro"),
    "friend": ("ami", "Freund", "amigo", "amico", "amigo"), "sun": ("soleil", "Sonne", "sol", "sole", "sol"), "milk": ("lait", "Milch", "leche", "latte", "leite"),
    "apple": ("pomme", "Apfel", "manzana", "mela", "maçã"), "red": ("rouge", "rot", "rojo", "rosso", "vermelho"), "green": ("vert", "grün", "verde", "verde", "verde"),
    "one": ("un", "eins", "uno", "uno", "um"), "two": ("deux", "zwei", "dos", "due", "dois"), "three": ("trois", "drei", "tres", "tre", "três"),
    "day": ("jour", "Tag", "día", "giorno", "dia"), "night": ("nuit", "Nacht", "noche", "notte", "noite"), "school": ("école", "Schule", "escuela", "scuola", "escola"),
    "how are you?": ("comment allez-vous ?", "wie geht es Ihnen?", "¿cómo está?", "come sta?", "como está?"), "my name is": ("je m'appelle", "ich heiße", "me llamo", "mi chiamo", "meu nome é"),
    "I love you": ("je t'aime", "ich liebe dich", "te quiero", "ti amo", "eu te amo"), "excuse me": ("excusez-moi", "Entschuldigung", "perdón", "mi scusi", "com licença"),
    "see you tomorrow": ("à demain", "bis morgen", "hasta mañana", "a domani", "até amanhã"), "where is the station?": ("où est la gare ?", "wo ist der Bahnhof?", "¿dónde está la estación?", "dov'è la stazione?", "onde fica a estação?"),
    "the bill, please": ("l'addition, s'il vous plaît", "die Rechnung, bitte", "la cuenta, por favor", "il conto, per favore", "a conta, por favor"), "I do not understand": ("je ne comprends pas", "ich verstehe nicht", "no entiendo", "non capisco", "não entendo"),
    "good luck": ("bonne chance", "viel Glück", "buena suerte", "buona fortuna", "boa sorte"), "happy birthday": ("bon anniversaire", "alles Gute zum Geburtstag", "feliz cumpleaños", "buon compleanno", "feliz aniversário"),
}
TONGUES = ["French", "German", "Spanish", "Italian", "Portuguese"]
TO = _lines("""How do you say "{p}" in {l}?|Translate "{p}" into {l}.|What is "{p}" in {l}?|Say "{p}" in {l}.|{l} for "{p}"?|Give me the {l} for "{p}".|Translate to {l}: {p}|I want to say "{p}" in {l}.|What is the {l} word or phrase for "{p}"?|In {l}, please: {p}|Write "{p}" in {l}.|How would a speaker of {l} say "{p}"?""")
FROM = _lines("""What does "{p}" mean in {l}?|Translate the {l} "{p}" into English.|What is the English for the {l} "{p}"?|Put this {l} phrase into English: {p}|What does the {l} "{p}" mean?|I heard "{p}" in {l}. What is it in English?|English for the {l} "{p}"?|{l} to English: {p}""")


def phrase(s):
    english = s.any(list(PHRASES))
    i = s.int(0, 4)
    other = PHRASES[english][i]
    if s.chance(0.7):
        return {"user": s.t(TO).format(p=english, l=TONGUES[i]), "answer": cap(other), "rule": {"exact": [["equals", other]]}}
    same = [k for k, v in PHRASES.items() if v[i] == other]
    return {"user": s.t(FROM).format(p=other, l=TONGUES[i]), "answer": cap(same[0]), "rule": {"exact": [["equals_any", same]]}}

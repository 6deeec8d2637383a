"""Skills on language: rewriting, phrases in five languages."""

from frames import lead
from words import FOODS, a, cap


def _lines(text):
    return [x.strip().replace("\\n", "\n") for x in text.replace("\n", "|").split("|") if x.strip()]


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
        return {"user": lead(s, s.any(NAME).format(p=p, o=name, r=new)), "answer": answer, "rule": {"exact": [["same", answer]]}}
    else:
        p = s.any((now, f"{name} {past} {obj} in {s.town()} on {s.date()}.", f"{s.invented()} {s.invented()} {s.invented()}", f"My number is {s.int(1000, 99999)}."))
        answer, f = p, REPEAT
    return {"user": lead(s, s.any(f).format(p=p)), "answer": answer, "rule": {"exact": [["same", answer]]}}


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

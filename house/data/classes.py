"""The skill of classification: sentiment, topic, language, intent, spam, kind of thing.

What carries the class (adjectives, nouns, phrases) is closed; how it is said is divided, and so is how it is asked.
"""

from frames import babble, is_loose, loose, said
from words import ANIMALS, COLOURS, FOODS, JOBS, MATERIALS, THINGS


def _lines(text):
    return [x.strip().replace("\\n", "\n") for x in text.replace("\n", "|").split("|") if x.strip()]


# --- sentiment: how a thing is (adjective), what one does with it (verb), what it did (phrase) --------------------------
ADJECTIVES = {
    "positive": """excellent wonderful great perfect fantastic lovely delightful superb brilliant beautiful marvellous amazing splendid pleasant charming outstanding
        good fabulous reliable impressive magnificent enjoyable terrific flawless adorable""".split(),
    "negative": """terrible awful horrible bad useless broken disappointing poor dreadful ugly faulty annoying miserable shoddy worthless unpleasant disgusting nasty
        defective pathetic unreliable rotten lousy dirty appalling""".split(),
    "neutral": COLOURS + """round square wooden small tall heavy light long short narrow wide flat thin thick new empty full grey-blue common""".split(),
}
IS = _lines("""the {x} is {w}|this {x} is {w}|what we got is a {w} {x}|my {x} is {w}|I find the {x} {w}|we have a {w} {x}|the {x} from {t} is {w}|it is a {w} {x}|they sold me a {w} {x}|I call the {x} {w}|the {c} {x} is {w}
the {x} that I bought is {w}|our new {x} is {w}|the {x} looks {w}|the {x} seems {w} to me|everybody says that the {x} is {w}|I think that the {x} is {w}|{n} has a {w} {x}|the {x} of {n} is {w}|this is a {w} {x}|a {w} {x} came in the post
the {x} on the table is {w}|after a week the {x} is still {w}|the shop in {t} has a {w} {x}|the {x} was {w} from the first day|you sent me a {w} {x}""")
VERBS = {
    "positive": "love|enjoy|adore|like|recommend|praise|admire|am happy with|am pleased with|am delighted by|am thankful for|am proud of|am glad about|would buy again|smile about".split("|"),
    "negative": "hate|dislike|regret|complain about|am angry about|am unhappy with|am annoyed by|am disappointed by|am sorry about|cannot stand|would never buy again|want my money back for|am ashamed of|am sick of|cry over".split("|"),
    "neutral": "own|use|have|saw|sold|carried|keep|bought|painted|measured|received|looked at|ordered|moved|counted".split("|"),
}
DOES = _lines("""I {w} the {x}|I {w} this {x}|I {w} my {x}|{n} knows that I {w} the {x}|since Monday I {w} the {x}|I {w} the {c} {x}|I {w} the {x} from {t}|here in {t} I {w} a {x}|as a customer I {w} this {x}|I {w} the new {x}
I {w} the {x} of {n}|today I {w} the {x}|you ask me, and I {w} the {x}|at home I {w} the {x}|I {w} the {x}, and so does {n}|I {w} your {x}|these days I {w} my {x}|I {w} both the {x} and the box""")
PHRASES = {
    "positive": _lines("""the {x} made my day|the {x} works very well|the {x} is a real joy|the {x} was a delight|the {x} is the best I ever had|everything about the {x} is right|the {x} exceeded all hopes|the {x} is worth every coin|I will come back for another {x}|the {x} makes us happy"""),
    "negative": _lines("""the {x} ruined my day|the {x} broke after a day|the {x} was a big disappointment|the {x} is the worst I ever had|everything about the {x} is wrong|the {x} is a waste of money|the {x} never worked|I will never come back for another {x}|the {x} fell apart|the {x} makes us sad"""),
    "neutral": _lines("""the {x} arrived on Tuesday|the {x} has two parts|the {x} weighs about a kilo|the {x} comes in a box|the {x} stands near the door|there is a label on the {x}|the {x} was made last year|they sell a {x} next door|we get the {x} tomorrow|the {x} is made of {m}"""),
}

# --- topics: what {n}ames do (acts) and what is talked about (nouns) ----------------------------------------------------
TOPICS = {
    "sports": ("goal match team cup coach stadium player race medal tournament goalkeeper penalty league football tennis athlete referee marathon champion final swimmer runner trophy kick".split(),
               "scored a goal|won the race|trained with the team|lost the match|ran a marathon|swam in the final|joined a football club|saved a penalty|won a medal|played tennis|cheered for the team|coached the players".split("|")),
    "weather": ("rain storm snow sunshine wind fog cloud thunder temperature frost hail lightning forecast drizzle heat breeze ice flood drought sky humidity mist blizzard rainbow".split(),
                "got wet in the rain|waited for the storm to pass|walked through the fog|saw the lightning|measured the temperature|shivered in the frost|looked at the cloudy sky|felt the cold wind|woke up to snow|enjoyed the sunshine|heard thunder|read the forecast".split("|")),
    "food": ("soup cake recipe bread dough salad dinner lunch kitchen cook butter sauce breakfast meal oven dessert pasta rice spice cheese pie sugar pancake vegetable".split(),
             "baked a cake|cooked a soup|ate a salad|fried eggs in butter|stirred the sauce|had rice for dinner|kneaded the dough|tasted the cheese|peeled potatoes|made breakfast|wrote a recipe|roasted vegetables".split("|")),
    "money": ("bank loan tax price share budget salary profit market interest investor debt bond rent coin invoice fund insurance payment economy wage currency savings stock".split(),
              "paid back the loan|bought shares|saved money in the bank|paid the tax|raised the price|asked for a higher salary|made a large profit|sold the bonds|planned the budget|lost money on the market|owed a debt|invested in a fund".split("|")),
    "health": ("doctor medicine fever hospital nurse patient cough vaccine clinic heart flu pain allergy headache surgery therapy blood bone virus infection diet pulse symptom bandage".split(),
               "saw the doctor|took medicine|had a fever|went to the hospital|broke a leg|got a vaccine|coughed all night|felt pain in the back|recovered from the flu|called the nurse|measured the pulse|had a headache".split("|")),
    "travel": ("flight hotel train airport passport suitcase tourist beach holiday ticket ferry tour border journey luggage guidebook station cruise island souvenir visa hostel backpack trip".split(),
               "took the night train|booked a hotel|packed a suitcase|missed the flight|went on a holiday|rented a car at the airport|showed a passport|visited the old castle as a tourist|boarded the ferry|planned a trip|lay on the beach|crossed the border".split("|")),
    "technology": ("computer software robot phone program screen chip server website app sensor battery laptop internet update code keyboard network algorithm data device database browser camera".split(),
                   "wrote a program|repaired the computer|installed the software|built a robot|updated the app|charged the battery|designed a chip|fixed a bug in the code|opened the website|connected the server|typed on the keyboard|trained a language model".split("|")),
    "music": ("violin concert song orchestra piano band guitar choir melody album opera drum singer flute rhythm tune composer trumpet audience stage cello concerto harmony chorus".split(),
              "played the violin|sang in a choir|wrote a song|gave a concert|tuned the piano|recorded an album|listened to the opera|joined an orchestra|beat the drum|composed a melody|practised the flute|played a guitar solo".split("|")),
}
ABOUT_ACT = _lines("""{n} {w}|yesterday {n} {w}|{n} {w} in {t}|{n} from {t} {w}|last week {n} {w}|in {t}, {n} {w}|{n} and {o} {w}|this morning {n} {w}|{n} {w} again|the neighbour of {n} {w}|at last {n} {w}|{o} says that {n} {w}
{n} {w} on Sunday|a man from {t} {w}|near {t} somebody {w}|{n} {w} with {o}|my aunt {n} {w}|every spring {n} {w}|{n} {w} for the first time|twice this year {n} {w}""")
ABOUT_NOUN = _lines("""the {w} was the talk of {t}|{n} wrote about the {w} and the {v}|there is news about the {w} near {t}|{n} asked about the {w}|everybody in {t} speaks of the {w}|the {w} and the {v} were in the paper|{n} thinks of the {w}|the {w} in {t} is new
this report is about the {w}|{n} knows all about the {w}|the {w} matters more than the {v}|we talked about the {w} and the {v}|the page shows a {w} and a {v}|{n} has a question on the {w}|a word on the {w}|the {w} was different this year
{n} explained the {w} to {o}|people in {t} wait for the {w}|first came the {w}, then the {v}|{n} forgot the {w}""")

# --- languages: small grammars; German puts the verb second -------------------------------------------------------------
LANGS = {
    "French": ("le chat|mon frère|la femme|un homme|notre voisin|l'enfant|ma sœur|le professeur", "voit|cherche|achète|porte|mange|aime|prend|trouve", "le pain|une pomme|un livre|la clé|le journal|une chaise|du fromage|la lettre", "dans le jardin|à la gare|dans la maison|au marché|sur la table|dans la rue", "aujourd'hui|demain|le matin|toujours|ce soir|souvent"),
    "German": ("die Katze|mein Bruder|die Frau|ein Mann|unser Nachbar|das Kind|meine Schwester|der Lehrer", "sieht|sucht|kauft|trägt|isst|liebt|nimmt|findet", "das Brot|einen Apfel|ein Buch|den Schlüssel|die Zeitung|einen Stuhl|etwas Käse|den Brief", "im Garten|am Bahnhof|im Haus|auf dem Markt|auf dem Tisch|auf der Straße", "heute|morgen|am Morgen|immer|heute Abend|oft"),
    "Spanish": ("el gato|mi hermano|la mujer|un hombre|nuestro vecino|el niño|mi hermana|el profesor", "ve|busca|compra|lleva|come|quiere|toma|encuentra", "el pan|una manzana|un libro|la llave|el periódico|una silla|queso|la carta", "en el jardín|en la estación|en la casa|en el mercado|en la mesa|en la calle", "hoy|mañana|por la mañana|siempre|esta noche|a menudo"),
    "Italian": ("il gatto|mio fratello|la donna|un uomo|il nostro vicino|il bambino|mia sorella|il professore", "vede|cerca|compra|porta|mangia|ama|prende|trova", "il pane|una mela|un libro|la chiave|il giornale|una sedia|del formaggio|la lettera", "nel giardino|alla stazione|nella casa|al mercato|sul tavolo|nella strada", "oggi|domani|la mattina|sempre|stasera|spesso"),
    "English": ("the cat|my brother|the woman|a man|our neighbour|the child|my sister|the teacher", "sees|looks for|buys|carries|eats|loves|takes|finds", "the bread|an apple|a book|the key|the newspaper|a chair|some cheese|the letter", "in the garden|at the station|in the house|at the market|on the table|in the street", "today|tomorrow|in the morning|always|tonight|often"),
}
ORDERS = ["s v o", "s v o p", "s v o t", "t s v o", "t s v o p", "p s v o", "s v o t p", "p s v o t", "s v o p & s v o", "s v o & s v o", "t s v o & s v o", "s v p o"]
AND = {"French": "et", "German": "und", "Spanish": "y", "Italian": "e", "English": "and"}

# --- intents and spam: key phrases ---------------------------------------------------------------------------------------
INTENTS = {
    "refund": _lines("""I want my money back for the {x}|please return the price of my {x}|I paid twice for the {x} and want one payment back|I would like a refund for the {x}|can I get my money back?|send back what I paid for the {x}|give me a refund|when do I get my refund for the {x}?|please refund the {x}|I ask you to pay me back"""),
    "delivery": _lines("""where is my {x}?|when will the {x} arrive?|my parcel with the {x} has not come|the package is late|has my {x} been shipped?|how long does shipping of the {x} take?|the delivery of the {x} is late|when is the {x} delivered?|can you track my parcel?|the postman did not bring the {x}"""),
    "password": _lines("""I forgot my password|I cannot log in|please reset my login|my account does not accept my password|how do I change my password?|the login page refuses me|I need a new password|my login does not work|can you reset my password?|somebody changed the password of my account"""),
    "complaint": _lines("""the {x} is broken and I am angry|your service is very bad|I complain about the {x}|nobody answers my calls, this is a shame|the {x} fell apart, what poor quality|I am not happy with how I was treated|I want to make a complaint|the quality of the {x} is a shame|your staff was rude to me|I am very unhappy with the {x}"""),
    "order": _lines("""I would like to buy a {x}|please send me two of the {x}|I want to order a {x}|can I order the {x} in {c}?|put a {x} in my cart|I take three of the {x}|I place an order for a {x}|I buy the {c} {x}|please sell me a {x}|may I order five of the {x}?"""),
}
SPAM = {
    "spam": _lines("""you won a free {x}, click here now|earn {k} dollars a day from home|cheap {x} only today, buy now|your prize is waiting, send your bank number|lose weight fast with this {x}|claim your {k} dollars at once|last chance: free {x} for the first hundred|act now and get rich with {k} dollars|click the link and win {k} dollars|you are our lucky winner, claim the {x}"""),
    "not spam": _lines("""shall we meet at noon, {n}?|here are the notes of our meeting|the {x} you lent me is on your desk|can you send me the report, {n}?|dinner is at seven, see you there|thank you for your help with the {x}|{n} is ill today and stays at home|the train to {t} leaves at nine|{n} will bring the {x} to the meeting|how was your trip to {t}, {n}?"""),
}
LIVING = {"animal": ANIMALS, "food": FOODS, "job": JOBS, "object": THINGS}

ASK_CLASS = _lines("""Classify the text as {l}.\\n\\n{p}|Text: {p}\\n\\nLabels: {l}|Which label fits: {l}?\\n\\n{p}|Choose one of {l} for this text: {p}|{p}\\n\\nIs this {l}?|Label this text. Possible labels: {l}.\\nText: {p}
What is the {k} of this text ({l})?\\n{p}|Pick the right {k} out of {l}: {p}|Answer with one label ({l}).\\n\\n{p}|{k}: {l}\\nText: {p}\\nLabel:|Decide on the {k}. Options: {l}.\\n\\n\"{p}\"|To which class does it belong, {l}?\\n\\n{p}
Please sort this into {l}: {p}|Classify: {p}\\nLabels: {l}|Categories: {l}\\n\\nInput: {p}|I need the {k} of \"{p}\". Use one of: {l}.|Text: {p}\\nIs it {l}?|Say which it is, {l}: {p}|{p}\\n\\nWhich of these labels is right: {l}?|{p}\\nChoose the {k}: {l}
Here is a text: {p}\\nClassify it as {l}.|The labels are {l}. Which one belongs to this text?\\n{p}|Name the {k}, one of {l}.\\n\\n{p}|Give this text a label ({l}): {p}|What is the right label for \"{p}\": {l}?|Find the {k}. Text: {p} Labels: {l}|Labels: {l}\\n\\nText: {p}
Is the following text {l}?\\n{p}|{p}\\n\\n{k} ({l})?|Options: {l}\\nInput: {p}\\nAnswer:|Put one of the labels {l} on this: {p}|Read the text and classify it: {p}\\nUse {l}.|Tell me the {k} of this ({l}): {p}|\"{p}\"\\n\\nClass, one of {l}:|From {l}, which label does this text get?\\n\\n{p}""")


def _join(s, labels):
    return ", ".join(labels) if s.chance(0.6) else ", ".join(labels[:-1]) + " or " + labels[-1]


def _sentiment(s, label, fill):
    form = s.any((ADJECTIVES, VERBS, PHRASES))
    word = s.any(form[label])
    core = word if form is PHRASES else s.t(IS if form is ADJECTIVES else DOES).replace("{w}", word)
    return said(s, core.format(**fill))


def _topic(s, label, fill):
    nouns, acts = TOPICS[label]
    out = []
    for _ in range(s.any((1, 1, 2))):
        w, v = s.rng.sample(nouns, 2)
        core = s.t(ABOUT_ACT).replace("{w}", s.any(acts)) if s.chance(0.5) else s.t(ABOUT_NOUN).replace("{w}", w).replace("{v}", v)
        out.append(said(s, core.format(**fill)))
        fill = {**fill, "n": s.first(), "t": s.town()}
    return " ".join(out)


def _language(s, label, _fill):
    parts = [p.split("|") for p in LANGS[label]]
    words = []
    clauses = s.t(ORDERS).split(" & ")
    for clause in clauses:
        order = clause.split()
        if label == "German" and order[0] in "tp":
            order = [order[0], "v", "s"] + [o for o in order[1:] if o not in "sv"]
        words.append(" ".join(s.any(parts["svopt".index(o)]) for o in order))
    return (f" {AND[label]} ".join(words))[:1].upper() + (f" {AND[label]} ".join(words))[1:] + "."


def _phrase(table):
    return lambda s, label, fill: said(s, s.any(table[label]).format(**fill))


def classify(s):
    task = s.int(0, 6)
    fill = dict(x=s.w_thing(), c=s.colour(), n=s.first(), o=s.first(), t=s.town(), k=s.int(2, 90) * 100, m=s.any(MATERIALS))
    if task <= 1:
        name, keys, make = "sentiment", ["positive", "negative"] if s.chance(0.4) else ["positive", "negative", "neutral"], _sentiment
    elif task == 2:
        name, keys, make = "topic", s.rng.sample(sorted(TOPICS), s.int(3, 5)), _topic
    elif task == 3:
        name, keys, make = "language", s.rng.sample(sorted(LANGS), s.int(3, 5)), _language
    elif task == 4:
        name, keys, make = "intent", s.rng.sample(sorted(INTENTS), s.int(3, 5)), _phrase(INTENTS)
    elif task == 5:
        name, keys, make = "class", list(SPAM), _phrase(SPAM)
    else:
        name, keys, make = "class", s.rng.sample(sorted(LIVING), s.int(2, 4)), lambda s, label, fill: s.any(LIVING[label])
    label = s.any(keys)
    text = make(s, label, fill)
    s.rng.shuffle(keys)
    if is_loose(s):
        labels = _join(s, keys)
        asked = s.any((f"{labels}?", f"({labels})", labels, f"{labels}.", f"{name}: {labels}", f"{babble(s, 1, 4)} {labels}", f"{babble(s, 1, 3)} {name} {labels}"))
        return {"user": loose(s, asked, s.any((text, text, f'"{text}"'))), "answer": label, "rule": {"exact": [["equals", label]]}}
    user = s.t(ASK_CLASS).format(l=_join(s, keys), p=text, k=name)
    return {"user": user, "answer": label, "rule": {"exact": [["equals", label]]}}

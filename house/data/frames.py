"""Frames that wrap a core: how a statement, a question or a request is brought up.

A template of the corpus is a frame around a core. The cores (which sentence states an owner, which words ask for a
refund) are closed: all splits share them, because a model that starts from nothing cannot know a word it never read.
The frames are divided: a core stands bare in training alone, and no frame of a test question occurs in training, so
no test template does. The slots inside are divided as ever.

The second part of the training text adds *loose* frames: made of random common words, without end and without sense
("Page my still letter: …"), so that the model learns to find the core in a frame it has never seen. Given frames are few
and can be memorised; loose ones can't.
"""

from words import cap

COMMON = """the a of to and in that for on with as this my our your we they I you it is was will can now then here there again still very well also just
only some all many more one two first last next new old good small long note letter list page line word thing text week time friend teacher
neighbour house table morning evening please thanks hello listen look read write tell say see know think hear hope want need ask answer question
passage label class kind help sort short clear right part whole sentence paper book report request task work quick slow soon today about from
which what how who by at or if so but because before after under over me us him her them these those be have do give take find put make use""".split()


def babble(s, low, high):
    """So many random common words."""
    return " ".join(s.any(COMMON) for _ in range(s.int(low, high)))


def is_loose(s, share=1.0):
    """Whether this time a loose frame is to be used: in the second part of the training text alone."""
    return s.loose > 0 and s.chance(s.loose * share)


def loose(s, *parts):
    """The parts in random order, some with loose words before or after, one below or after the other."""
    out = []
    for part in s.rng.sample(parts, len(parts)):
        if s.chance(0.6):
            part = cap(babble(s, 1, 6)) + s.any((": ", ":\n", ".\n", ". ", "\n\n", "! ", " - ")) + part
        elif s.chance(0.3):
            part = part + s.any((" ", "\n")) + cap(babble(s, 1, 6)) + s.any((".", "!", "?", ""))
        out.append(part)
    return s.any(("\n", "\n\n", "\n\n", " ")).join(out)

# Ends with the core, so that a question can stand in it too.
LEAD = """well, {c}|as far as we know, {c}|it is true that {c}|by the way, {c}|people say that {c}|as it happens, {c}|let me add that {c}|we heard that {c}
it is no secret that {c}|note that {c}|for the record: {c}|to be exact, {c}|I am told that {c}|everyone knows that {c}|here is a fact: {c}|as you may have read, {c}
one thing first: {c}|they wrote that {c}|so far, {c}|in short, {c}|of course, {c}|it turns out that {c}|do not forget: {c}|another thing: {c}|I read that {c}|this much is sure: {c}
my notes say that {c}|first of all, {c}|a friend told me that {c}|once more: {c}|it was reported that {c}|also, {c}|and then, {c}|as before, {c}|just to say it, {c}|the letter says that {c}""".replace("\n", "|").split("|")
TAIL = """{c}, as we all know|{c}, by the way|{c}, they say|{c}, it seems|{c}, we were told|{c}, I believe|{c}, as the letter says|{c}, if I remember well|{c}, at least this year|{c}, so I read
{c}, that is sure|{c}, as before|{c}, of course|{c}, as far as I know|{c}, says my friend|{c}, and that is that|{c}, to be exact|{c}, as many have noticed""".replace("\n", "|").split("|")
# Before a question or a request, whole sentences; after it, likewise.
ASKING = """Please help me: {q}|One question. {q}|Hello! {q}|I have a request. {q}|Now this: {q}|Good day. {q}|Next: {q}|Can you do this for me? {q}|A short one: {q}|It is urgent. {q}|My wish: {q}|Sorry to bother you. {q}
{q} Thank you!|{q} Thanks a lot.|{q} That is all I need.|{q} Please be quick.|{q} I have little time.|{q} I am curious.|{q} It is for a friend.|{q} Keep it short.|{q} I would be glad.|{q} My boss wants to know.|{q} It is for my list.|{q} No more for today.
Here is my question: {q}|First of all: {q}|I was asked this: {q}|Listen: {q}|One more thing. {q}|Be so kind. {q}|This is for you: {q}|I need your help. {q}|What I want: {q}|Good evening! {q}|Let us go on. {q}|Dear helper, listen. {q}""".replace("\n", "|").split("|")


def said(s, core, bare=0.6):
    """A statement as a sentence. In training it stands bare with the chance `bare`; elsewhere it never does."""
    mark = core[-1] if core[-1] in ".?!" else "."
    core = core[:-1] if core[-1] in ".?!" else core
    if is_loose(s, 0.6):
        return cap(babble(s, 1, 5) + s.any((", ", ": ", " ", " that ")) + core if s.chance(0.6) or mark != "." else core + s.any((", ", ", ", " ")) + babble(s, 1, 5)) + mark
    if s.split == "train" and s.chance(bare):
        return cap(core) + mark
    frame = s.t(LEAD + TAIL) if mark == "." else s.t(LEAD).replace(" that {c}", ": {c}")
    return cap(frame.format(c=core)) + mark


def low(core):
    """The core with a small first letter, unless it is a name's or a slot's."""
    return core if core[0] == "{" or core.startswith(("I ", "I'")) else core[:1].lower() + core[1:]


def ask(s, core, bare=0.5):
    """A question or request, bare (training alone) or in a frame."""
    if is_loose(s, 0.6):
        return loose(s, core).replace("\n", " ")
    if s.split == "train" and s.chance(bare):
        return core
    return s.t(ASKING).replace("{q}", core)


def lead(s, core, bare=0.5):
    """As `ask`, with a frame before the core only: where the core ends with a text to work on, nothing may follow it."""
    if is_loose(s, 0.6):
        return cap(babble(s, 1, 6)) + s.any((": ", ". ", "! ", "\n")) + core
    if s.split == "train" and s.chance(bare):
        return core
    return s.t([f for f in ASKING if f.endswith("{q}")]).replace("{q}", core)

"""Skills on a given passage: extract an answer, refuse when the passage is silent, summarise."""

from frames import ask, babble, is_loose, loose, low, said
from passages import FRAMES, KINDS
from words import bucket, cap

SILENT = "The passage does not say."

LAYOUTS = """Passage: {p}\\n\\nQuestion: {q}|{p}\\n\\n{q}|Read this passage and answer the question.\\n\\n{p}\\n\\n{q}|Text: {p}\\nQuestion: {q}
Here is a text:\\n{p}\\n\\nNow answer: {q}|Answer from the passage only.\\n\\nPassage: {p}\\n\\nQuestion: {q}|{q}\\n\\nPassage: {p}|Use the text below to answer.\\n{p}\\n\\n{q}
Question: {q}\\n\\nText: {p}|Look at the text: {p}\\n\\n{q}|I read this: {p} {q}|Please answer this question: {q}\\nThe answer is in this text or it is not: {p}
Passage:\\n{p}\\n\\n{q}|Q: {q}\\nText: {p}\\nA:|Here is my question: {q} And here is the text: {p}|\\"{p}\\"\\n\\n{q}|Context: {p}\\n\\nQuestion: {q}\\nAnswer:|Question about a text. {q}\\n\\n{p}|{p}\\n---\\n{q}|Someone wrote: {p}\\nMy question: {q}
From the notes: {p}\\n\\n{q}|Use only this passage.\\n{p}\\nQuestion: {q}|The text says: {p}\\nThe question is: {q}|{q} Look it up here: {p}|Notes: {p}\\nAsked: {q}|Read: {p}\\nThen answer: {q}|Consider this text.\\n\\n{p}\\n\\n{q}
Given the passage, answer shortly.\\n\\n{p}\\n\\nQ: {q}|Document:\\n{p}\\n\\nBased on the document: {q}|According to the following text, {ql}\\n\\n{p}""".replace("\n", "|").split("|")
LAYOUTS = [x.replace("\\n", "\n") for x in LAYOUTS]

FILLERS = """Nobody was surprised.|That is well known by now.|The weather was mild.|More will be said another time.|The neighbours are glad.
A local paper wrote about it.|Many were pleased.|That has been so for a while.|Not everybody agrees.|It was a long day.|Some find this odd.
Others do not mind.|It rained in the evening.|Let us see what comes.""".replace("\n", "|").split("|")


def facts(s, kind, n):
    """A thing of `kind` with `n` of its attributes: (entity, [(attribute, value)])."""
    entity = kind.entity(s)
    chosen = s.rng.sample(kind.attributes, n)
    return entity, [(at, at.value(s)) for at in chosen]


def passage(s, kind, entity, pairs, opening=True, told=None):
    """Sentences that state the pairs in order; the subject is named, or now and then referred to.

    `told` collects which sentence core states which attribute: {noun: core}.
    """
    out = [cap(s.t(kind.openings).format(e=entity))] if opening and s.chance(0.6) else []
    for i, (at, v) in enumerate(pairs):
        name = entity if (not out or i == 0 or s.chance(0.5)) or kind.id == "person" and not s.chance(0.3) else s.any(kind.subjects)
        core = s.any(at.sentences)
        if told is not None:
            told[at.noun] = core
        if name == "They" and "{s} " in core:
            name = entity
        out.append(state(s, core, name if name == entity else low(name), v, entity))
        if s.chance(0.12):
            out.append(s.t(FILLERS))
    return " ".join(out)


def state(s, core, subject, value, entity):
    """A sentence core in a frame."""
    return said(s, low(core).format(s=subject, v=value, e=entity))


def pair_split(told, asked):
    """The split that may ask this question about what this sentence states."""
    b = bucket(f"pair:{told}|{asked}", 6)
    return "test" if b == 0 else "val" if b == 1 else "train"


def question(s, at, entity, told=None):
    """A question about one attribute, of its own kind or from a general frame.

    With `told`, the core of the sentence that states it, only pairs of sentence and question of this split are used.
    """
    own = [q for q in at.questions if told is None or pair_split(told, q) == s.split]
    if own and s.chance(0.7):
        return ask(s, cap(s.any(own).format(e=entity)))
    if is_loose(s):
        return cap(f"{babble(s, 0, 5)} the {at.noun} of {entity}{s.any(('', ' ' + babble(s, 1, 4)))}{s.any('?.')}".strip())
    return ask(s, cap(s.t(FRAMES).format(n=at.noun, e=entity)), 0.7)


def layout(s, p, q):
    if is_loose(s):
        return loose(s, p, q)
    return s.t(LAYOUTS).format(p=p, q=q, ql=q[:1].lower() + q[1:])


def _scene(s):
    """A passage about one or two things, with what it states and leaves out of the first."""
    kind = s.any(KINDS)
    n = s.int(2, min(5, len(kind.attributes) - 1))
    entity, pairs = facts(s, kind, n)
    told = {}
    text = passage(s, kind, entity, pairs, told=told)
    left = [at for at in kind.attributes if at not in [p[0] for p in pairs]]
    if s.chance(0.25):
        other, more = facts(s, kind, s.int(1, 3))
        if other != entity:
            # The second thing is always named, so that a reader can tell the two apart.
            naming = [(v, [t for t in at.sentences if "{s}" in t or "{e}" in t]) for at, v in more]
            tail = " ".join(state(s, s.any(cores), other, v, other) for v, cores in naming if cores)
            if tail:
                text = f"{text} {tail}" if s.chance(0.5) else f"{tail} {text}" if text.startswith(cap(entity)) else f"{text} {tail}"
    return text, entity, pairs, left, told


def extract(s):
    text, entity, pairs, _, told = _scene(s)
    at, value = s.any(pairs)
    return {"user": layout(s, text, question(s, at, entity, told[at.noun])), "answer": cap(value) + ".",
            "rule": {"exact": [["equals", value]]}}


def extract_unseen(s):
    """As `extract`, but the sentence and the question are cores that no training text holds: new words for old things."""
    while True:
        kind = s.any(KINDS)
        entity, pairs = facts(s, kind, s.int(2, min(5, len(kind.attributes) - 1)))
        found = [(at, v) for at, v in pairs if at.unseen]
        if found:
            break
    at, value = s.any(found)
    rest = passage(s, kind, entity, [p for p in pairs if p[0] is not at])
    new = state(s, at.unseen[0], entity, value, entity)
    text = f"{rest} {new}" if s.chance(0.5) else f"{new} {rest}"
    return {"user": layout(s, text, ask(s, cap(at.unseen[1].format(e=entity)))), "answer": cap(value) + ".",
            "rule": {"exact": [["equals", value]]}}


def refuse(s):
    text, entity, _, left, _ = _scene(s)
    at = s.any(left)
    return {"user": layout(s, text, question(s, at, entity)), "answer": SILENT, "rule": {"exact": [["equals", SILENT]]}}


def reading_turns(s):
    """Several questions on one passage in a conversation; the later ones do not repeat it. Training only."""
    text, entity, pairs, left, told = _scene(s)
    turns = []
    for i in range(s.int(2, 4)):
        if s.chance(0.7):
            at, value = s.any(pairs)
            answer, core = cap(value) + ".", told[at.noun]
        else:
            at, answer, core = s.any(left), SILENT, None
        q = question(s, at, entity, core)
        turns.append((layout(s, text, q) if i == 0 else q, answer))
    return {"turns": turns}


SUM_FRAMES = """Summarise in one sentence: {p}|Give a one-sentence summary.\\n\\n{p}|Summarise this text.\\n\\n{p}|{p}\\n\\nSummarise this in one sentence.
Make this shorter: {p}|What is the main point of this text?\\n\\n{p}|Sum up the following text in one sentence.\\n{p}|TL;DR: {p}|{p}\\n\\nPlease give me a short summary.
Text: {p}\\n\\nSummary:|Say this in one sentence.\\n\\n{p}|Shorten this text to one sentence:\\n{p}|Please summarise: {p}|Can you sum this up? {p}""".replace("\n", "|").split("|")
SUM_FRAMES = [x.replace("\\n", "\n") for x in SUM_FRAMES]

# An act: what happened (full form, with who {a}, where {t}, when {d}), and its short form for the summary.
ACTS = [
    ("{a} opened a new {x} in {t} on {d}.", "{a} opened a new {x} in {t}.", ["bakery", "school", "bookshop", "clinic", "cinema", "cafe"]),
    ("On {d}, {a} found an old {x} near {t}.", "{a} found an old {x} near {t}.", ["coin", "map", "ring", "clock", "letter", "sword"]),
    ("{a} won the {x} race in {t} on {d}.", "{a} won the {x} race in {t}.", ["bicycle", "boat", "ski", "running", "sack", "donkey"]),
    ("The people of {t} thanked {a} on {d} for repairing the {x}.", "{a} repaired the {x} of {t}.", ["bridge", "clock tower", "well", "road", "mill", "school roof"]),
    ("{a} planted {x} trees in {t} on {d}.", "{a} planted {x} trees in {t}.", ["apple", "cherry", "plum", "oak", "walnut", "lemon"]),
    ("Last {w}, {a} lost a {x} in the station of {t}.", "{a} lost a {x} in {t}.", ["suitcase", "violin", "camera", "phone", "bag", "passport"]),
    ("{a} will teach {x} in {t} from {d} on.", "{a} will teach {x} in {t}.", ["chess", "pottery", "Spanish", "painting", "swimming", "cooking"]),
    ("The town of {t} chose {a} as its new {x} on {d}.", "{a} is the new {x} of {t}.", ["mayor", "judge", "doctor", "teacher", "gardener", "librarian"]),
    ("On {d}, {a} saved a {x} from the river in {t}.", "{a} saved a {x} from the river in {t}.", ["dog", "child", "horse", "lamb", "cat", "swan"]),
    ("{a} moved from {o} to {t} on {d} to work as a {x}.", "{a} moved to {t} to work as a {x}.", ["nurse", "baker", "pilot", "cook", "driver", "lawyer"]),
    ("A storm broke the {x} of {a} in {t} on {d}.", "A storm in {t} broke the {x} of {a}.", ["roof", "fence", "window", "boat", "greenhouse", "chimney"]),
    ("{a} sold a {x} in {t} on {d} for a very good price.", "{a} sold a {x} in {t}.", ["house", "painting", "horse", "boat", "piano", "farm"]),
]
DETAILS = """The weather was fine and many came to watch.|It had been planned for {n} months.|About {n} people were there.|A neighbour said that it was a great day.|Nobody had expected it.
The local paper wrote a long report.|It took {n} hours in all.|Children sang and there was cake.|The day before it had rained.|Friends had helped with the work.|There was music until late.
Some had doubts at first.|The cost was {n} thousand in the end.|Visitors came from far away.|One guest took {n} photographs.|Everybody went home happy.|It was the talk of the week.|A dog barked all the time.""".replace("\n", "|").split("|")


def summarise(s):
    full, short, things = s.any(ACTS)
    name, town, x = s.full_name(), s.town(), s.any(things)
    fill = dict(a=name, t=town, x=x, d=s.date(), w=s.any(("week", "month", "spring", "winter")), o=s.town())
    rest = [s.t(DETAILS).format(n=s.int(3, 60)) for _ in range(s.int(2, 4))]
    rest = list(dict.fromkeys(rest))
    first = [cap(full.format(**fill))]
    text = " ".join(first + rest if s.chance(0.7) else rest[:1] + first + rest[1:])
    answer = cap(short.format(**fill).replace(" a old", " an old"))
    return {"user": s.t(SUM_FRAMES).format(p=text), "answer": answer,
            "rule": {"gist": [["contains", [[name], [town], [x]]], ["max_words", len(answer.split()) + 6]], "exact": [["equals", answer]]}}

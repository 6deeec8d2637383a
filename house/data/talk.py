"""Talk about Freehold and open weights, honest ignorance of the rest, and short stories."""

from facts import FRAMES, OPENERS, TOPICS, UNKNOWN
from words import ANIMALS, THINGS, a, cap


def _spoken(s, text):
    """The question as people type it: an opener before it, or no capitals, or no mark at the end."""
    opener = s.any(OPENERS)
    if opener:
        text = opener + (text if text.startswith(("I ", "Freehold", "Q", "GGUF", "Apache", "MIT", "LoRA")) else text[:1].lower() + text[1:])
    if s.chance(0.15):
        text = text.lower()
    if s.chance(0.15):
        text = text.rstrip("?.!")
    return text


def chat(s):
    topic = s.any(TOPICS)
    if topic.nouns and s.chance(0.45):
        text = s.t(FRAMES).format(n=s.any(topic.nouns))
    else:
        text = s.t(topic.questions)
    return {"user": cap(_spoken(s, text)) if s.chance(0.8) else _spoken(s, text), "answer": s.any(topic.answers),
            "rule": {"right": [["contains", topic.must]]}, "topic": topic.id}


def unknown(s):
    answer, questions = UNKNOWN
    x = s.any((s.town, s.full_name, s.first, s.town))()
    text = s.t(questions).format(x=x, y=s.w_thing(), z=s.year(), f=s.any(("salt", "sugar", "rust", "glass", "chalk", "vinegar")))
    return {"user": _spoken(s, text), "answer": answer, "rule": {"exact": [["contains", [["too small to know"]]]]}}


# --- stories ----------------------------------------------------------------------------------------------------------
ASKS = """Tell me a story about {n} and {x}.|Write a short story with {n}, {an} and {x}.|Tell a story of {n} the {k}.|I would like a story about {x}.|Can you tell a story about a {k} called {n}?|Make up a short story. It should have {x} in it.|Story time! {n} and {x}, please.
Write a little tale about {n} who finds {x}.|A bedtime story about {n}, please.|Tell me a short story.|Write a story for a child about {an}.|Please tell a story in which {n} loses {x}.|Invent a story about {n}.|Give me a short tale with {x}.""".replace("\n", "|").split("|")
PLACES = "a small village,the edge of a forest,a house by the sea,a quiet valley,a tall tower,a town on a hill,an old mill,a ship,a farm,a garden full of flowers".split(",")
START = """Once there was {k} called {n} who lived in {p}.|In {p} lived {k}, and the name of it was {n}.|Long ago, {n} lived in {p}. {n} was {k}.|There was once a day in {p} that {n}, {k}, would never forget.|Nobody in {p} was as curious as {n}, {k}.""".split("|")
WANT = """One morning {n} found {x} in the grass.|{n} had {x} and loved it more than anything.|One day a letter came, and with it {x}.|{n} dreamed of {x} every night.|In the attic {n} discovered {x}.""".split("|")
TROUBLE = """But in the night the wind carried it away.|But soon it was gone, and nobody knew where.|But it fell into the deep well.|But it was broken, and {n} began to cry.|But a thief came and ran off with it.|But the rain came, and the river took it.""".split("|")
HELP = """Then {m}, {h}, came along and said: "Do not be sad. I will help you."|{n} asked {h} called {m} for help, and they looked together.|An old friend, {h} named {m}, knew what to do.|{m}, {h}, heard {n} and came running.|"Let us try it together," said {m}, {h}.""".split("|")
WORK = """They searched behind every tree until the moon rose.|They worked the whole day and sang while they worked.|They made a plan, and the plan was good.|They walked over three hills and asked everybody.|They tied a long rope and pulled as hard as they could.""".split("|")
END = """At last they had the {y} back, and both were happy.|In the end the {y} was safe, and {n} shared it with {m}.|So the {y} came home, and that evening there was cake for all.|When the sun came up, {n} held the {y} again and said: "Thank you, {m}."|From that day on {n} and {m} were friends, and the {y} stood by the window.""".split("|")


def story(s):
    n, m, y = s.first(), s.first(), s.w_thing()
    kind = s.w(ANIMALS) if s.chance(0.5) else s.any(("girl", "boy", "king", "sailor", "baker", "fisher", "queen", "farmer"))
    helper = a(s.any(("wise", "small", "brave", "kind", "clever")) + " " + s.w(ANIMALS))
    x = a(s.any(("", s.colour() + " ", "old ", "little ")) + y)
    animal = helper
    ask = s.t(ASKS)
    fill = dict(n=n, m=m, x=x, y=y, p=s.any(PLACES), h=helper)
    parts = [START, WANT, TROUBLE, HELP, WORK, END]
    text = " ".join(s.any(part).format(**fill, k=a(kind)) for part in parts)
    must = [[w] for key, w in (("{n}", n), ("{x}", y), ("{k}", kind), ("{an}", animal)) if key in ask]
    return {"user": ask.format(n=n, x=x, k=kind, an=animal), "answer": text,
            "rule": {"told": [["contains", must], ["min_words", 40], ["max_words", 160], ["ends_sentence"]]}}

"""Simple arithmetic, small word problems and unit conversion. Pairs of numbers are divided between the splits."""

from words import FOODS, SPLITS, split_of

PLUS = """What is {a} + {b}?|{a} + {b} =|What is {a} plus {b}?|Add {a} and {b}.|Calculate {a} + {b}.|How much is {a} plus {b}?|Compute {a} + {b}.|Please add {b} to {a}.|{a} and {b} make how much?|Sum of {a} and {b}?|{a}+{b}""".split("|")
MINUS = """What is {a} - {b}?|{a} - {b} =|What is {a} minus {b}?|Take {b} from {a}.|Calculate {a} - {b}.|How much is {a} minus {b}?|Compute {a} - {b}.|Subtract {b} from {a}.|Difference of {a} and {b}?|{a}-{b}""".split("|")
TIMES = """What is {a} times {b}?|{a} x {b} =|Multiply {a} by {b}.|Calculate {a} x {b}.|How much is {a} times {b}?|Compute {a} * {b}.|What is the product of {a} and {b}?|{a}*{b}|What is {a} * {b}?""".split("|")
OVER = """What is {a} divided by {b}?|{a} / {b} =|Divide {a} by {b}.|Calculate {a} / {b}.|How much is {a} divided by {b}?|Compute {a} : {b}.|How often does {b} go into {a}?|{a}/{b}""".split("|")
MORE = """{n} has {a} {x}s and buys {b} more. How many {x}s does {n} have now?|There are {a} {x}s in the basket. {n} adds {b}. How many are there?|{n} picked {a} {x}s and {m} picked {b}. How many did they pick together?
{a} {x}s lie on the table, {b} more on the chair. How many are there in all?|{n} ate {a} {x}s in May and {b} in June. How many {x}s were eaten?|{n} got {a} {x}s, then {b} more. Count them.""".replace("\n", "|").split("|")
LESS = """{n} has {a} {x}s and gives {b} to {m}. How many are left?|There were {a} {x}s. {n} ate {b}. How many are left?|Of {a} {x}s, {n} sold {b}. How many {x}s remain?
{n} bought {a} {x}s but lost {b} on the way. How many are still there?|From a box of {a} {x}s {n} takes {b}. How many stay in the box?|{n} had {a} {x}s; {b} went bad. How many are good?""".replace("\n", "|").split("|")
BIGGER = """Which is larger, {a} or {b}?|Which number is bigger: {a} or {b}?|{a} or {b}: which is more?|Tell me the larger of {a} and {b}.|Is {a} or {b} the larger number?|Larger number: {a}, {b}""".split("|")

UNITS = [("kilometres", "metres", 1000), ("kilograms", "grams", 1000), ("litres", "millilitres", 1000), ("metres", "centimetres", 100), ("hours", "minutes", 60), ("minutes", "seconds", 60),
         ("days", "hours", 24), ("weeks", "days", 7), ("years", "months", 12), ("centimetres", "millimetres", 10), ("euros", "cents", 100), ("bytes", "bits", 8), ("tonnes", "kilograms", 1000), ("feet", "inches", 12)]
CONVERT = """How many {v} are {a} {u}?|Convert {a} {u} to {v}.|{a} {u} in {v}?|What is {a} {u} in {v}?|How many {v} are in {a} {u}?|Express {a} {u} in {v}.|Change {a} {u} into {v}.|{a} {u} = ? {v}|Turn {a} {u} into {v}, please.""".split("|")


def _pair(s, op, draw):
    for _ in range(1000):
        a, b = draw()
        if split_of(f"{op}:{a},{b}") == s.split:
            return a, b
    raise RuntimeError(f"no pair for {op} in {s.split}")


def arithmetic(s):
    kind = s.int(0, 9)
    names = dict(n=s.first(), m=s.first(), x=s.any([f for f in FOODS if f[-1] not in "sy" and f not in ("tomato", "potato", "radish", "peach", "rice", "bread", "honey", "butter", "spinach", "squash")]))
    top = s.any((12, 20, 100, 100, 100))
    if kind <= 3:
        a, b = _pair(s, "+", lambda: (s.int(0, top - 1), s.int(0, top - 1)))
        frames, r, op = (PLUS if kind < 3 else MORE), a + b, "+"
        if frames is MORE:
            a, b = max(a, 2), max(b, 2)
            r = a + b
    elif kind <= 6:
        a, b = _pair(s, "-", lambda: sorted((s.int(0, top - 1), s.int(0, top - 1)), reverse=True))
        frames, r, op = (MINUS if kind < 6 else LESS), a - b, "-"
        if frames is LESS:
            a, b = max(a, 3), max(b, 2)
            b = min(a - 1, b)
            r = a - b
    elif kind == 7:
        a, b = _pair(s, "x", lambda: (s.int(1, 12), s.int(1, 12)))
        frames, r, op = TIMES, a * b, "x"
    elif kind == 8:
        r, b = _pair(s, "/", lambda: (s.int(1, 12), s.int(1, 12)))
        a, frames, op = r * b, OVER, "/"
    else:
        a, b = _pair(s, ">", lambda: s.rng.sample(range(1000), 2))
        return {"user": s.t(BIGGER).format(a=a, b=b), "answer": f"{max(a, b)} is larger.", "rule": {"exact": [["number", str(max(a, b))]]}}
    return {"user": s.t(frames).format(a=a, b=b, **names), "answer": f"{a} {op} {b} = {r}", "rule": {"exact": [["number", str(r)]]}}


def convert(s):
    u, v, k = s.any(UNITS)
    top = 99 if k in (10, 100, 1000) else 20
    mine = [n for n in range(2, top + 1) if split_of(f"{u}:{n}") == s.split] or [top + 1 + SPLITS.index(s.split)]
    a = s.any(mine)
    if s.chance(0.3) and k in (10, 100, 1000):
        a, r, u, v = a * k, a, v, u
    else:
        r = a * k
    return {"user": s.t(CONVERT).format(a=a, u=u, v=v), "answer": f"{a} {u} = {r} {v}", "rule": {"exact": [["number", str(r)]]}}

"""The rules by which an answer is judged. EVAL.md states them in words; the Rust `eval` reads the same JSONL.

A rule is {metric: [check, ...]}; a metric holds when all of its checks do. The first metric of a rule is the skill's
headline. A check is [name, argument].
"""

import json
import re

SENTENCE_END = (".", "!", "?", '"')


def plain(text):
    """Case, outer space, a final full stop and runs of white space do not count."""
    return re.sub(r"\s+", " ", str(text).strip().rstrip(".!").strip()).casefold()


def parse_call(text):
    """The one tool call of a text, or None."""
    found = re.fullmatch(r"\s*<tool_call>\s*(\{.*\})\s*</tool_call>\s*", text, re.S)
    if not found:
        return None
    try:
        call = json.loads(found.group(1))
    except ValueError:
        return None
    ok = isinstance(call, dict) and isinstance(call.get("name"), str) and isinstance(call.get("arguments"), dict)
    return call if ok else None


def fits(value, schema):
    """Whether `value` fits the subset of JSON Schema that the corpus uses: type, properties, required, enum."""
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    right = {"object": dict, "string": str, "null": type(None)}
    ok = any((k == "integer" and isinstance(value, int) and not isinstance(value, bool)) or (k in right and isinstance(value, right[k])) for k in kinds)
    if not ok or "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, dict):
        return all(k in value for k in schema.get("required", [])) and all(fits(v, schema["properties"][k]) if k in schema.get("properties", {}) else False for k, v in value.items())
    return True


def same_value(got, want):
    """JSON equality; strings are compared as `plain`."""
    if isinstance(want, dict):
        return isinstance(got, dict) and got.keys() == want.keys() and all(same_value(got[k], want[k]) for k in want)
    if isinstance(want, str):
        return isinstance(got, str) and plain(got) == plain(want)
    return type(got) is type(want) and got == want


def _json(text):
    try:
        return json.loads(text)
    except ValueError:
        return ...


def check(name, argument, text):
    """Whether one check holds for the answer `text`."""
    t = text.strip()
    match name:
        case "equals":
            return plain(t) == plain(argument)
        case "same":
            return t == argument.strip()
        case "equals_any":
            return any(plain(t) == plain(x) for x in argument)
        case "contains":
            return all(any(w.casefold() in t.casefold() for w in group) for group in argument)
        case "starts":
            return t.startswith(argument)
        case "ends":
            return t.endswith(argument)
        case "ends_sentence":
            return t.endswith(SENTENCE_END)
        case "upper":
            return t == t.upper()
        case "lower":
            return t == t.lower()
        case "min_words":
            return len(t.split()) >= argument
        case "max_words":
            return len(t.split()) <= argument
        case "number":
            numbers = re.findall(r"-?\d+", t)
            return bool(numbers) and (argument in numbers[-1:] or (len(numbers) == 1 and numbers[0] == argument))
        case "json":
            value = _json(t)
            return value is not ... and fits(value, argument)
        case "json_equals":
            value = _json(t)
            return value is not ... and same_value(value, argument)
        case "tool_format":
            call = parse_call(t)
            return call is not None and call["name"] == argument
        case "tool":
            call = parse_call(t)
            return call is not None and call["name"] == argument["name"] and same_value(call["arguments"], argument["arguments"])
        case "no_tool":
            return "<tool_call>" not in t
    raise ValueError(f"unknown check: {name}")


def judge(rule, text):
    """{metric: held} for one answer."""
    return {metric: all(check(c[0], c[1] if len(c) > 1 else None, text) for c in checks) for metric, checks in rule.items()}


def wilson(right, count, z=1.96):
    """The 95 % Wilson score interval of `right` out of `count`."""
    if count == 0:
        return (0.0, 1.0)
    p, d = right / count, 1 + z * z / count
    middle = (p + z * z / (2 * count)) / d
    half = z * (p * (1 - p) / count + z * z / (4 * count * count)) ** 0.5 / d
    return (max(0.0, middle - half), min(1.0, middle + half))

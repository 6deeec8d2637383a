"""Writes the corpus and the evaluation sets of the house model. Standard library only; the same seed, the same bytes.

    python3 generate.py OUT            # train.jsonl, train2.jsonl, val.jsonl, test.jsonl, sha256.json
    python3 generate.py OUT --scale 0.01   # a hundredth of it, for tests

Each line is one conversation: {"skill", "messages", "tools"?}. Lines of val and test also hold "id", "answer" (the
reference for the last turn, which `messages` then leaves out) and "rule": see EVAL.md and `score.py`.
"""

import argparse
import hashlib
import json
import os
from random import Random

import classes
import language
import reading
import structure
import sums
import talk
from words import SPLITS, Slots

SEED = 20261121
TRAIN = 280_000
SECOND, LOOSE = 160_000, 0.5     # the second part of the training text, and the share of loose frames there
PER_SKILL = {"val": 60, "test": 250}

# Skill, maker, share of the training conversations (by measured difficulty).
SKILLS = [
    ("chat", talk.chat, 20), ("unknown", talk.unknown, 2), ("story", talk.story, 3),
    ("extract", reading.extract, 17), ("refuse", reading.refuse, 8), ("summarise", reading.summarise, 4),
    ("classify", classes.classify, 10), ("rewrite", language.rewrite, 7), ("phrase", language.phrase, 3),
    ("arithmetic", sums.arithmetic, 8), ("convert", sums.convert, 3), ("json", structure.json_answer, 9),
    ("tool", structure.tool_seen, 8), ("tool_result", structure.tool_result, 2), ("tool_none", structure.tool_none, 2),
    ("system", structure.system, 6), ("tool_unseen", structure.tool_unseen, 0), ("extract_unseen", reading.extract_unseen, 0),
]
READING_TURNS = 3       # percent of training conversations: several questions on one passage
JOINED = 0.22           # share of single turns that are joined into longer conversations
JOINABLE = ("chat", "unknown", "story", "extract", "refuse", "summarise", "classify", "rewrite", "phrase", "arithmetic", "convert", "json")


def prompt(example):
    """The messages before the answer."""
    if "messages" in example:
        return list(example["messages"])
    head = [{"role": "system", "content": example["system"]}] if "system" in example else []
    return head + [{"role": "user", "content": example["user"]}]


def conversation(skill, example):
    """One training line."""
    if "turns" in example:
        messages = [m for u, r in example["turns"] for m in ({"role": "user", "content": u}, {"role": "assistant", "content": r})]
    else:
        messages = prompt(example) + [{"role": "assistant", "content": example["answer"]}]
    line = {"skill": skill, "messages": messages}
    if "tools" in example:
        line["tools"] = example["tools"]
    return line


def training(slots, count):
    """`count` conversations in the shares of SKILLS; some single turns are joined into longer conversations."""
    names = [s[0] for s in SKILLS] + ["reading_turns"]
    shares = [s[2] for s in SKILLS] + [READING_TURNS]
    makers = {s[0]: s[1] for s in SKILLS} | {"reading_turns": reading.reading_turns}
    rng, pending, want = slots.rng, [], 3
    for _ in range(count):
        skill = rng.choices(names, shares)[0]
        line = conversation(skill, makers[skill](slots))
        if skill in JOINABLE and rng.random() < JOINED:
            pending.append(line)
            if len(pending) >= want:
                yield {"skill": "joined", "messages": [m for p in pending for m in p["messages"]]}
                pending, want = [], rng.choice((2, 2, 3, 3, 4, 5, 6, 10))
        else:
            yield line


def evaluation(slots, split, per_skill):
    """`per_skill` different questions of each skill with reference and rule."""
    for skill, make, share in SKILLS:
        if share == 0 and split != "test":
            continue
        seen, tries = set(), 0
        while len(seen) < per_skill and tries < per_skill * 20:
            tries += 1
            example = make(slots)
            messages = prompt(example)
            key = json.dumps(messages, ensure_ascii=False)
            if key in seen:
                continue
            seen.add(key)
            line = {"id": f"{skill}-{len(seen):03}", "skill": skill, "messages": messages}
            if "tools" in example:
                line["tools"] = example["tools"]
            yield line | {"answer": example["answer"], "rule": example["rule"]}


def write(path, lines):
    """Writes JSON lines; returns count and SHA-256."""
    digest, count = hashlib.sha256(), 0
    with open(path, "wb") as out:
        for line in lines:
            data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
            digest.update(data)
            out.write(data)
            count += 1
    return {"lines": count, "sha256": digest.hexdigest()}


def generate(out, scale=1.0):
    """Writes all three splits, training in two parts, into the folder `out`; returns what `sha256.json` holds."""
    os.makedirs(out, exist_ok=True)
    report = {"seed": SEED, "scale": scale}
    for split in SPLITS:
        slots = Slots(f"{SEED}:{split}", split)
        lines = training(slots, int(TRAIN * scale)) if split == "train" else evaluation(slots, split, max(3, int(PER_SKILL[split] * min(1, scale))))
        report[split] = write(os.path.join(out, f"{split}.jsonl"), lines)
    slots = Slots(f"{SEED}:train:2", "train", LOOSE)
    report["train2"] = write(os.path.join(out, "train2.jsonl"), training(slots, int(SECOND * scale)))
    with open(os.path.join(out, "sha256.json"), "w") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--scale", type=float, default=1.0)
    args = parser.parse_args()
    print(json.dumps(generate(args.out, args.scale), indent=1))

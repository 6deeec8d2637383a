"""Writes what the release says about itself: evaluation on the test split, recipe, hashes.

    python report.py RUN BUILD CORPUS RELEASE [QUESTIONS_PER_SKILL]

Reads RUN/selection.json for the chosen checkpoint and RELEASE/perplexity.json (perplexity.py). Writes
RELEASE/evaluation.json, RELEASE/EVALUATION.md, the table of RELEASE/MODEL_CARD.md (between its two marks) and
RELEASE/recipe.json. The test split has no part in the choice, and is asked once: where evaluation.json already speaks of
these weights, only the pages are written anew.
"""

import hashlib
import json
import os
import platform
import sys

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

import train
from answer import examine_parallel, headline, load, read, score, tally
from export import names

GOALS = {"extract": 80, "refuse": 80, "classify": 85, "json": 95, "tool": 95}
UNSEEN = ("extract_unseen", "tool_unseen")      # what training left out on purpose: no part of the mean
MARKS = ("<!-- figures: written by report.py -->\n", "<!-- end of figures -->\n")


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def released(model, path):
    """Puts the values of the released GGUF into the model, so that what is examined is what is shipped."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    with torch.no_grad():
        for name, p in model.named_parameters():
            t = tensors[names(name)[1]]
            p.copy_(torch.from_numpy(np.array(gguf.quants.dequantize(t.data, t.tensor_type), np.float32).reshape(p.shape)))
    return model


def in_words(share):
    return f"{100 * share:.1f}"


def figures(skills):
    """The table of all metrics, as Markdown lines."""
    md = ["| skill | metric | right | share | 95 % interval | goal |", "|---|---|---|---|---|---|"]
    for skill in sorted(skills, key=lambda s: (s in UNSEEN, s)):
        for i, (metric, m) in enumerate(skills[skill].items()):
            goal = GOALS.get(skill) if i == 0 else None
            said = "" if goal is None else f"{goal} %: {'reached' if 100 * m['right'] >= goal * m['count'] else '**missed**'}"
            low, high = m["interval"]
            md.append(f"| {skill if i == 0 else ''} | {metric} | {m['right']} of {m['count']} | {in_words(m['right'] / m['count'])} % | {in_words(low)}–{in_words(high)} % | {said} |")
    return md


def perplexities(p):
    """The table of the formats, as Markdown lines."""
    md = [f"Through Freehold, on the assistant's words of {p['conversations']} test conversations ({p['tokens']} tokens); all matrices in the one format.",
          f"Divergence is that of the file's predictions from the first file's, in nats a token, on {p['divergence_conversations']} of them:",
          "perplexity may fall where a rounding makes a wrong certainty milder; divergence counts every departure.", "",
          "| file | bytes | perplexity | loss | more than the one before (± standard error of the pairs) | divergence |", "|---|---|---|---|---|---|"]
    for row in p["files"]:
        gap = "{:+.5f} ± {:.5f}".format(*row["more_than_before"]) if "more_than_before" in row else ""
        apart = "{:.5f} ± {:.5f}".format(*row["divergence"]) if "divergence" in row else ""
        md.append(f"| {row['file']} | {row['bytes']} | {row['perplexity']:.4f} | {row['loss']:.5f} ± {row['loss_error']:.5f} | {gap} | {apart} |")
    return md


def between_marks(path, lines):
    """Replaces what stands between MARKS in the file."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    head, rest = text.split(MARKS[0])
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + rest.split(MARKS[1])[1])


def examined(model, weights, build, corpus, run, per_skill):
    """What evaluation.json holds of these weights: read where it stands, else asked of the model, once."""
    found, digest = os.path.join(os.path.dirname(weights), "evaluation.json"), sha256(weights)
    if os.path.exists(found):
        with open(found) as f:
            out = json.load(f)
        if out["weights"]["sha256"] == digest:
            return out
    results = examine_parallel(released(model, weights), Tokenizer.from_file(os.path.join(build, "tokenizer.json")), read(os.path.join(corpus, "test.jsonl"), per_skill))
    table = tally(results)
    out = {"split": "test", "weights": {"file": os.path.basename(weights), "sha256": digest}, "sampling": "greedy, at most 220 tokens",
           "mean_of_headlines": round(headline({k: v for k, v in table.items() if k not in UNSEEN}), 4), "skills": {}}
    for skill, metrics in sorted(table.items()):
        out["skills"][skill] = {}
        for metric, (r, n) in metrics.items():
            low, high = score.wilson(r, n)
            out["skills"][skill][metric] = {"right": r, "count": n, "share": round(r / n, 4), "interval": [round(low, 4), round(high, 4)]}
    with open(os.path.join(run, "test-answers.jsonl"), "w") as f:
        for line, text, marks in results:
            f.write(json.dumps({"id": line["id"], "asked": line["messages"][-1]["content"], "answer": text, "reference": line["answer"], "marks": marks}, ensure_ascii=False) + "\n")
    return out


def main(run, build, corpus, release, per_skill=250):
    torch.set_num_threads(1)
    with open(os.path.join(run, "selection.json")) as f:
        chosen = json.load(f)
    checkpoint = os.path.join(run, chosen["chosen"])
    model, state = load(checkpoint)
    weights = os.path.join(release, "freehold-house-q8_0.gguf")
    out = examined(model, weights, build, corpus, run, per_skill)
    mean = out["mean_of_headlines"]
    with open(os.path.join(release, "evaluation.json"), "w") as f:
        json.dump(out, f, indent=1)
        f.write("\n")
    rows = figures(out["skills"])
    md = ["# Evaluation on the test split\n", "Greedy answers of the released Q8_0 file; rules: [EVAL.md](../data/EVAL.md). Shares with their 95 % Wilson interval.",
          f"The last rows, `{'`, `'.join(UNSEEN)}`, ask for what training left out on purpose and are no part of the mean.\n", *rows,
          f"\nMean of the headline metrics: {in_words(mean)} %.\n"]
    found = os.path.join(release, "perplexity.json")
    if os.path.exists(found):
        with open(found) as f:
            p = json.load(f)
        md += ["## Perplexity of the formats\n", *perplexities(p), ""]
        rows += ["", *perplexities(p)]
    if os.path.exists(os.path.join(release, "MODEL_CARD.md")):
        between_marks(os.path.join(release, "MODEL_CARD.md"), rows)
    with open(os.path.join(release, "EVALUATION.md"), "w") as f:
        f.write("\n".join(md))
    with open(os.path.join(corpus, "sha256.json")) as f:
        hashes = json.load(f)
    with open(os.path.join(run, "log.jsonl")) as f:
        log = [json.loads(x) for x in f]
    recipe = {
        "corpus": hashes, "tokenizer_sha256": sha256(os.path.join(build, "tokenizer.json")), "model": state["config"], "parameters": sum(p.numel() for p in model.parameters()),
        "training": {"seed": train.SEED, "tokens_per_step": train.TOKENS, "row_lengths": list(train.ROWS), "muon_lr": train.MUON_LR, "adam_lr": train.ADAM_LR, "warmup_steps": train.WARMUP,
                     "momentum": train.MOMENTUM, "weight_decay": train.WEIGHT_DECAY, "precision": "bf16 products, f32 weights", "steps": state["plan"]["steps"], "decay_steps": state["plan"]["decay"], "plan": state["plan"],
                     "tokens_seen": state["seen"], "hours_of_steps": round(sum(r["s"] for r in log) / 3600, 2), "machine": f"2 shared cores, {platform.machine()}"},
        "checkpoint": {"name": chosen["chosen"], "sha256": sha256(checkpoint)},
        "files": {n: sha256(os.path.join(release, n)) for n in sorted(os.listdir(release)) if n.endswith((".gguf", ".json", ".jsonl", ".svg")) and n != "recipe.json"},
    }
    with open(os.path.join(release, "recipe.json"), "w") as f:
        json.dump(recipe, f, indent=1)
        f.write("\n")
    print("\n".join(md))


if __name__ == "__main__":
    main(*sys.argv[1:5], *map(int, sys.argv[5:6]))

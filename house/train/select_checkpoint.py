"""Chooses the checkpoint to release: the best mean of the skills' headlines on the validation split.

    python select_checkpoint.py RUN TOKENIZER VAL.jsonl OUT.json [--last N] [--per-skill N]

Nobody looks at the answers here. On a tie the later checkpoint wins. OUT.json keeps every score.
"""

import argparse
import glob
import hashlib
import json
import os

import torch
from tokenizers import Tokenizer

from answer import examine_parallel, headline, load, read, tally


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("tokenizer")
    parser.add_argument("questions")
    parser.add_argument("out")
    parser.add_argument("--last", type=int, default=6, help="only the last so many checkpoints")
    parser.add_argument("--per-skill", type=int, default=60, help="questions of each skill")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer, lines, scores = Tokenizer.from_file(args.tokenizer), read(args.questions, args.per_skill), []
    if os.path.exists(args.out):
        with open(args.out) as f:
            scores = json.load(f)["scores"]
    for path in sorted(glob.glob(os.path.join(args.run, "step*.pt")))[-args.last:]:
        digest = sha256(path)
        if any(s["sha256"] == digest for s in scores):
            continue
        model, state = load(path)
        table = tally(examine_parallel(model, tokenizer, lines))
        row = {"checkpoint": os.path.basename(path), "step": state["step"], "seen_tokens": state["seen"], "sha256": digest,
               "score": round(headline(table), 4), "skills": {k: {m: round(r / n, 4) for m, (r, n) in v.items()} for k, v in sorted(table.items())}}
        scores.append(row)
        print(row["checkpoint"], row["score"], row["skills"], flush=True)
    best = max(scores, key=lambda s: (s["score"], s["step"]))
    with open(args.out, "w") as f:
        json.dump({"rule": "highest mean of headline metrics on the validation split; ties to the later", "questions_per_skill": args.per_skill, "chosen": best["checkpoint"], "scores": scores}, f, indent=1)
        f.write("\n")
    print("chosen", best["checkpoint"])


if __name__ == "__main__":
    main()

"""Perplexity of GGUF files on the assistant's words of the held-out split, through Freehold.

    python perplexity.py FREEHOLD TOKENIZER TEST.jsonl OUT.json FILE.gguf... [--per-skill N] [--workers N]

Every file is asked the same conversations, so neighbours are compared in pairs: the difference of their mean loss and its
standard error, with the conversation as the unit (tokens of one answer are not independent). Perplexity asks how likely the
reference is; how far a format is from the first file it says poorly, for an error can make a wrong certainty milder. That
the divergence says (Kullback-Leibler, in nats a token, of the file from the first), on a smaller sample.
Skills that training left out (`*_unseen`) are left out here.
"""

import argparse
import json
import multiprocessing
import os

import numpy as np
from tokenizers import Tokenizer

from answer import read
from dialogue import render
from verify import freehold_logits


def conversation(tok, x):
    """Ids of a test conversation with its reference answer, and which of them the assistant says at the end."""
    ids, learned = [], []
    pieces = render(x["messages"] + [{"role": "assistant", "content": x["answer"]}], x.get("tools"))
    last = max(i for i, (_, learn) in enumerate(pieces) if learn)
    for i, (text, _) in enumerate(pieces[:last + 1]):
        piece = tok.encode(text).ids
        ids += piece
        learned += [i == last] * len(piece)
    return ids, np.array(learned)


def loss(job):
    """Sum of the losses of one conversation's answer."""
    binary, path, ids, learned = job
    logits = freehold_logits(binary, path, ids).astype(np.float64)
    at = np.nonzero(learned[1:])[0]
    rows = logits[at]
    top = rows.max(-1, keepdims=True)
    return float((np.log(np.exp(rows - top).sum(-1)) + top[:, 0] - rows[np.arange(len(at)), np.array(ids)[at + 1]]).sum())


def log_probabilities(binary, path, ids, learned):
    """Of every token at the places of the answer: `[places, vocabulary]`."""
    rows = freehold_logits(binary, path, ids).astype(np.float64)[np.nonzero(learned[1:])[0]]
    rows -= rows.max(-1, keepdims=True)
    return rows - np.log(np.exp(rows).sum(-1, keepdims=True))


def divergences(job):
    """Sum over one conversation's answer of the divergence of each file from the first."""
    binary, paths, ids, learned = job
    first = log_probabilities(binary, paths[0], ids, learned)
    return [float((np.exp(first) * (first - log_probabilities(binary, path, ids, learned))).sum()) for path in paths[1:]]


def ratio(values, counts):
    """Mean of `values` per token and its standard error, with each entry (a conversation) as one draw."""
    mean, n = values.sum() / counts.sum(), len(values)
    return mean, float(np.sqrt(n / (n - 1) * ((values - mean * counts) ** 2).sum()) / counts.sum())


def sample(tok, questions, per_skill):
    """The first so many conversations of each skill that fit into the context."""
    texts = [conversation(tok, x) for x in read(questions, per_skill) if not x["skill"].endswith("_unseen")]
    return [t for t in texts if len(t[0]) <= 1024]


def compare(pool, binary, files, texts, rows):
    """Adds to the row of each file but the first its divergence from the first, with its standard error."""
    sums = np.array(pool.map(divergences, [(binary, files, *t) for t in texts], 8))
    counts = np.array([t[1].sum() for t in texts], np.float64)
    for row, column in zip(rows[1:], sums.T):
        row["divergence"] = [round(float(x), 6) for x in ratio(column, counts)]
        print(row["file"], row["divergence"], flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("binary", "tokenizer", "questions", "out"):
        parser.add_argument(name)
    parser.add_argument("files", nargs="+", help="in the order in which they should come")
    parser.add_argument("--per-skill", type=int, default=180)
    parser.add_argument("--divergence-per-skill", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    tok = Tokenizer.from_file(args.tokenizer)
    texts, fewer = sample(tok, args.questions, args.per_skill), sample(tok, args.questions, args.divergence_per_skill)
    counts = np.array([t[1].sum() for t in texts], np.float64)
    rows, before = [], None
    with multiprocessing.Pool(args.workers) as pool:
        for path in args.files:
            sums = np.array(pool.map(loss, [(args.binary, path, *t) for t in texts], 8))
            mean, error = ratio(sums, counts)
            row = {"file": os.path.basename(path), "bytes": os.path.getsize(path), "perplexity": round(float(np.exp(mean)), 5), "loss": round(float(mean), 6), "loss_error": round(error, 6)}
            if before is not None:
                gap, gap_error = ratio(sums - before, counts)
                row["more_than_before"] = [round(float(gap), 6), round(gap_error, 6)]
            before = sums
            rows.append(row)
            print(row, flush=True)
        compare(pool, args.binary, args.files, fewer, rows)
    with open(args.out, "w") as f:
        json.dump({"split": "test", "tokens": int(counts.sum()), "conversations": len(texts), "divergence_conversations": len(fewer), "files": rows}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()

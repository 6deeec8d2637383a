"""Corpus to numbers: trains the tokenizer and writes `train.npz` and `train2.npz` (ids, learned, starts, skill), grouped conversation by conversation.

    python prepare.py CORPUS OUT
"""

import json
import os
import sys

import numpy as np

from dialogue import VOCAB, bpe, render


def lines(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)


def main(corpus, out):
    os.makedirs(out, exist_ok=True)
    train = os.path.join(corpus, "train.jsonl")
    # The tokenizer learns from every sixth conversation: the merges are the same to the eye, in a sixth of the time.
    texts = ("".join(t for t, _ in render(x["messages"], x.get("tools"))) for i, x in enumerate(lines(train)) if i % 6 == 0)
    strip = lambda t: t.replace("<|im_start|>", "").replace("<|im_end|>", "")
    tok = bpe(strip(t) for t in texts)
    assert tok.get_vocab_size() == VOCAB, tok.get_vocab_size()
    tok.save(os.path.join(out, "tokenizer.json"))
    for part in ("train", "train2"):
        encode(tok, os.path.join(corpus, part + ".jsonl"), os.path.join(out, part + ".npz"))


def encode(tok, source, target):
    """Writes the conversations of `source` as numbers."""
    ids, learned, starts, skills = [], [], [0], []
    batch = []

    def flush():
        flat = [s for conv in batch for s in conv]
        encoded = iter(tok.encode_batch([t for t, _ in flat]))
        for conv in batch:
            for _, learn in conv:
                e = next(encoded).ids
                ids.append(np.array(e, np.uint16))
                learned.append(np.full(len(e), learn, bool))
            starts.append(starts[-1] + sum(len(x) for x in ids[-len(conv):]))
        batch.clear()

    for x in lines(source):
        skills.append(x["skill"])
        batch.append(render(x["messages"], x.get("tools")))
        if len(batch) == 4096:
            flush()
    flush()
    data = dict(ids=np.concatenate(ids), learned=np.concatenate(learned), starts=np.array(starts, np.int64), skill=np.array(skills))
    np.savez(target, **data)
    lengths = np.diff(data["starts"])
    print(f"{len(lengths)} conversations, {len(data['ids'])} tokens, {data['learned'].mean():.3f} learned, "
          f"lengths mean {lengths.mean():.0f} p50 {np.median(lengths):.0f} p95 {np.quantile(lengths, 0.95):.0f} max {lengths.max()}")


if __name__ == "__main__":
    main(*sys.argv[1:3])

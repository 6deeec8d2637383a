"""Perplexity of GGUF files on the assistant's words of the held-out split, through Freehold.

    python perplexity.py FREEHOLD TOKENIZER TEST.jsonl FILE.gguf...
"""

import sys

import numpy as np
from tokenizers import Tokenizer

from answer import read
from dialogue import render
from verify import freehold_logits


def main(binary, tokenizer, questions, *files):
    tok = Tokenizer.from_file(tokenizer)
    picked = [x for x in read(questions) if int(x["id"].rsplit("-", 1)[1]) <= 4 and x["skill"] != "tool_unseen"]
    texts = []
    for x in picked:
        ids, learned = [], []
        for text, learn in render(x["messages"] + [{"role": "assistant", "content": x["answer"]}], x.get("tools")):
            piece = tok.encode(text).ids
            ids += piece
            learned += [learn] * len(piece)
        texts.append((ids, np.array(learned)))
    for path in files:
        total, count = 0.0, 0
        for ids, learned in texts:
            logits = freehold_logits(binary, path, ids).astype(np.float64)
            top = logits.max(-1, keepdims=True)
            logp = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
            at = np.nonzero(learned[1:])[0]
            total -= logp[at, np.array(ids)[at + 1]].sum()
            count += len(at)
        print(f"{path.rsplit('/', 1)[-1]}: perplexity {np.exp(total / count):.4f} over {count} tokens of {len(texts)} conversations", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

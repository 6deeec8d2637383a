"""Proves that the released files mean the same everywhere.

    python verify.py RELEASE CHECKPOINT TEST.jsonl [--llama] [--freehold BINARY]

1. `chat_template.jinja`, rendered by transformers, is byte for byte `dialogue.render`.
2. transformers loads RELEASE/hf and gives our logits (F32).
3. llama.cpp, through its C library, loads the F32 GGUF, cuts text into the same tokens and gives the same logits.
4. Freehold itself (`--freehold BINARY`) likewise, from the folder and from the GGUF, at every position.
Prints the largest difference relative to the largest logit; fails above 1e-3.
"""

import argparse
import os
import subprocess
import tempfile

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from answer import load, read
from dialogue import prompt_text

BOUND = 1e-3


def relative(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def llama_logits(binding, path, texts):
    """(tokens, logits of the last position) of each text, from the `llama_cpp` Python binding."""
    model = binding.Llama(path, n_ctx=1024, logits_all=True, verbose=False, type_k=0, type_v=0, flash_attn=False, n_threads=1)
    out = []
    for text in texts:
        ids = model.tokenize(text.encode(), add_bos=False, special=True)
        model.reset()
        model.eval(ids)
        out.append((ids, np.array(model.scores[len(ids) - 1], np.float32).copy()))
    return out


def freehold_logits(binary, model, ids):
    """All logits of `ids` as `freehold logits` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "logits.safetensors")
        subprocess.run([binary, "logits", model, "--ids", ",".join(map(str, ids)), "--all", "--top", "0", "--kv", "f32", "--threads", "1", "--out", out],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return load_file(out)["logits"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release")
    parser.add_argument("checkpoint")
    parser.add_argument("questions")
    parser.add_argument("--llama", action="store_true", help="check llama.cpp too (needs llama-cpp-python)")
    parser.add_argument("--freehold", help="check this binary too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = os.path.join(args.release, "hf")
    tok = AutoTokenizer.from_pretrained(folder)
    lines = read(args.questions)
    for x in lines[::7]:
        got = tok.apply_chat_template(x["messages"], tools=x.get("tools"), tokenize=False, add_generation_prompt=True)
        assert got == prompt_text(x["messages"], x.get("tools")), (got, prompt_text(x["messages"], x.get("tools")))
    print(f"template: {len(lines[::7])} prompts equal")
    ours, _ = load(args.checkpoint)
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    texts = [prompt_text(x["messages"], x.get("tools")) for x in lines[::len(lines) // 24]]
    worst, last, every = 0.0, [], []
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([tok(text, add_special_tokens=False).input_ids])
            a, b = ours.logits(ours.hidden(ids))[0].numpy(), theirs(ids).logits[0].numpy()
            worst = max(worst, relative(a, b))
            last.append((ids[0].tolist(), b[-1]))
            every.append(b)
    print(f"transformers: {len(texts)} prompts, all positions, largest relative difference {worst:.2e}")
    assert worst <= BOUND
    if args.llama:
        import llama_cpp
        worst = 0.0
        got = llama_logits(llama_cpp, os.path.join(args.release, "freehold-house-f32.gguf"), texts)
        for (ids, logits), (want_ids, want) in zip(got, last):
            assert ids == want_ids, (ids, want_ids)
            worst = max(worst, relative(logits, want))
        print(f"llama.cpp: {len(texts)} prompts, same tokens, largest relative difference {worst:.2e}")
        assert worst <= BOUND
    if args.freehold:
        for name in ("hf", "freehold-house-f32.gguf"):
            path, worst = os.path.join(args.release, name), 0.0
            for (ids, _), want in list(zip(last, every))[::3]:
                worst = max(worst, relative(freehold_logits(args.freehold, path, ids), want))
            print(f"freehold, {name}: {len(last[::3])} prompts, all positions, largest relative difference {worst:.2e}")
            assert worst <= BOUND


if __name__ == "__main__":
    main()

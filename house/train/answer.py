"""Greedy answers of a checkpoint to many prompts at once, and their marks."""

import json
import multiprocessing
import os
import sys

import torch
from tokenizers import Tokenizer

from dialogue import prompt_text
from model import Config, House

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data"))
import score  # noqa: E402  (lives beside the corpus)

MAX_NEW = 220


class Cache:
    """Keys and values of all earlier tokens of a batch whose rows are padded on the left."""

    def __init__(self, pads):
        self.pads, self.kept = pads, {}

    def extend(self, block, k, v):
        if block in self.kept:
            k0, v0 = self.kept[block]
            k, v = torch.cat((k0, k), 2), torch.cat((v0, v), 2)
        self.kept[block] = (k, v)
        return k, v, self.mask

    def keep(self, rows):
        """Forgets all rows but these."""
        self.pads = self.pads[rows]
        self.kept = {block: (k[rows], v[rows]) for block, (k, v) in self.kept.items()}

    def look(self, new, total):
        """Sets the mask for `new` queries at the end of `total` tokens: causal, and blind to padding."""
        at = torch.arange(total)
        seen = at[None, :] <= torch.arange(total - new, total)[:, None]
        real = at[None, :] >= self.pads[:, None]
        mask = seen[None] & real[:, None]
        # A padded query sees itself, so that no row of the softmax is empty.
        self.mask = (mask | (seen[None] & (at[None, None, :] == torch.arange(total - new, total)[None, :, None])))[:, None]


@torch.no_grad()
def generate(model, prompts, stop, max_new=MAX_NEW):
    """Greedy continuations (lists of ids, without `stop`) of lists of ids."""
    longest = max(map(len, prompts))
    pads = torch.tensor([longest - len(p) for p in prompts])
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    cache, out, live = Cache(pads), [[] for _ in prompts], list(range(len(prompts)))
    place = (torch.arange(longest)[None] - pads[:, None]).clamp(min=0)
    cache.look(longest, longest)
    for n in range(min(max_new, model.c.context - longest)):
        new = model.logits(model.hidden(ids, place, cache=cache)[:, -1]).argmax(-1)
        going = [i for i, t in enumerate(new.tolist()) if t != stop]
        for i in going:
            out[live[i]].append(int(new[i]))
        if not going:
            break
        if len(going) < len(live):
            live, new = [live[i] for i in going], new[going]
            cache.keep(going)
        ids, place = new[:, None], longest + n - cache.pads[:, None]
        cache.look(1, longest + n + 1)
    return out


def load(path):
    """The model of a training checkpoint."""
    state = torch.load(path, weights_only=False)
    model = House(Config(**state["config"]))
    model.load_state_dict(state["model"])
    return model.eval(), state


def examine(model, tokenizer, lines, rows=64):
    """Answers every line of an evaluation set; returns [(line, answer, marks)]."""
    stop = tokenizer.token_to_id("<|im_end|>")
    asked = [(x, tokenizer.encode(prompt_text(x["messages"], x.get("tools"))).ids) for x in lines]
    asked.sort(key=lambda a: len(a[1]))
    out = []
    for i in range(0, len(asked), rows):
        part = asked[i:i + rows]
        for (line, _), ids in zip(part, generate(model, [p for _, p in part], stop)):
            text = tokenizer.decode(ids, skip_special_tokens=False)
            out.append((line, text, score.judge(line["rule"], text)))
    return out


def examine_parallel(model, tokenizer, lines, workers=2):
    """`examine` in several processes, which share no work while they run."""
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        jobs = [pool.apply_async(examine, (model, tokenizer, lines[i::workers])) for i in range(workers)]
        return [r for job in jobs for r in job.get()]


def tally(results):
    """{skill: {metric: [right, count]}}"""
    table = {}
    for line, _, marks in results:
        for metric, held in marks.items():
            cell = table.setdefault(line["skill"], {}).setdefault(metric, [0, 0])
            cell[0] += held
            cell[1] += 1
    return table


def read(path, per_skill=10_000):
    """The lines of an evaluation set, at most the first so many of each skill."""
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [x for x in lines if "id" not in x or int(x["id"].rsplit("-", 1)[1]) <= per_skill]


def headline(table):
    """Mean over the skills of each skill's first metric."""
    firsts = [next(iter(metrics.values())) for metrics in table.values()]
    return sum(r / n for r, n in firsts) / len(firsts)


def main(checkpoint, tokenizer, questions, out=None):
    torch.set_num_threads(1)
    model, _ = load(checkpoint)
    results = examine(model, Tokenizer.from_file(tokenizer), read(questions))
    table = tally(results)
    for skill, metrics in sorted(table.items()):
        cells = []
        for metric, (r, n) in metrics.items():
            low, high = score.wilson(r, n)
            cells.append(f"{metric} {100 * r / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {n}")
        print(f"{skill:12} " + " · ".join(cells))
    print(f"mean of headlines {headline(table):.4f}")
    if out:
        with open(out, "w") as f:
            for line, text, marks in results:
                f.write(json.dumps({"id": line["id"], "asked": line["messages"][-1]["content"], "answer": text, "reference": line["answer"], "marks": marks}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Trains the house model: seeded, resumable, on two cores.

    python train.py BUILD RUN [--steps N] [--decay N] [--pause-file PATH]

Matrices inside the blocks are trained with Muon (momentum, then the nearest orthogonal matrix by a Newton-Schulz
iteration; K. Jordan and others, 2024), embeddings and norms with AdamW. The learning rate warms up, stays, and decays
to zero over the last `--decay` steps; because it is flat until then, the length can still be chosen while it runs:
`RUN/plan.json` {"steps", "decay", "drills", "focus"} is read again at every step, and what was used is recorded in the checkpoint;
`drills` lists [from step, share of rows] for copying drills (drill.py), which stand in for as many ordinary rows;
`focus` lists [from step, {skill: share}]: there a new epoch begins in which skills that are learned early are used less;
`even` lists [from step, power]: a learned token weighs (learned tokens of its conversation) ** -power, so that short
answers are not drowned by long ones; `data` lists [from step, file of BUILD], in force from the next epoch on.
Whole conversations are packed into rows and cannot see each other; loss is taken on the assistant's words.
"""

import argparse
import json
import math
import os
import signal
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from drill import Drill
from model import Config, House, config_dict

SEED = 20261121
ROWS = {256: 0.36, 1024: 0.3}  # tokens in a row: room for learned ones, as a share
TOKENS = 4096           # per step, padding included
MUON_LR, ADAM_LR, WARMUP, MOMENTUM, WEIGHT_DECAY = 0.02, 3e-3, 60, 0.95, 0.02
SAVE_EVERY = 250


def pack(lengths, order, size, open_rows=48):
    """Fills rows of `size` tokens with whole conversations: each goes where it leaves the least room."""
    rows, room, done = [], [], []
    for i in order:
        n = lengths[i]
        best = min((r for r in range(len(rows)) if room[r] >= n), key=lambda r: room[r], default=None)
        if best is None:
            if len(rows) == open_rows:
                fullest = min(range(len(rows)), key=lambda r: room[r])
                done.append(rows.pop(fullest))
                room.pop(fullest)
            rows.append([])
            room.append(size)
            best = len(rows) - 1
        rows[best].append(i)
        room[best] -= n
    return done + rows


def batches(data, epoch, shares):
    """The batches of one epoch in random order: ids [rows, size], learned, and which conversation each token is of.

    Of a skill in `shares` only that share of its conversations is used.
    """
    rng = np.random.default_rng([SEED, epoch])
    starts = data["starts"]
    lengths = np.diff(starts)
    plan, low = [], 0
    used = np.ones(len(lengths), bool)
    for skill, share in shares.items():
        used &= (data["skill"] != skill) | (rng.random(len(lengths)) < share)
    for size in ROWS:
        order = rng.permutation(np.nonzero(used & (lengths > low) & (lengths <= size))[0])
        rows = pack(lengths.tolist(), order.tolist(), size)
        per = TOKENS // size
        plan += [(size, rows[i:i + per]) for i in range(0, len(rows) - per + 1, per)]
        low = size
    for i in rng.permutation(len(plan)):
        size, rows = plan[i]
        ids = np.zeros((len(rows), size), np.int64)
        learned = np.zeros((len(rows), size), bool)
        # Padding counts as conversations of one token each: it sees itself and nothing sees it.
        whose = np.tile(-1 - np.arange(size), (len(rows), 1))
        for r, row in enumerate(rows):
            at = 0
            for k, c in enumerate(row):
                a, b = starts[c], starts[c + 1]
                end = at + b - a
                ids[r, at:end], learned[r, at:end], whose[r, at:end] = data["ids"][a:b], data["learned"][a:b], k
                at = end
        yield torch.from_numpy(ids), torch.from_numpy(learned), torch.from_numpy(whose)


def orthogonal(g):
    """Newton-Schulz: a stack of matrices [n, rows, columns], each brought near the closest orthogonal one."""
    x = g.bfloat16()
    flip = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if flip else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * s + 2.0315 * s @ s) @ x
    return (x.transpose(1, 2) if flip else x).float()


class Muon:
    """Momentum, then orthogonal updates, for matrices of equal shape at once."""

    def __init__(self, params):
        groups = {}
        for p in params:
            groups.setdefault(tuple(p.shape), []).append(p)
        self.groups = list(groups.values())
        self.momentum = [torch.zeros(len(g), *g[0].shape) for g in self.groups]

    @torch.no_grad()
    def step(self, lr):
        for group, m in zip(self.groups, self.momentum):
            g = torch.stack([p.grad for p in group])
            m.lerp_(g, 1 - MOMENTUM)
            update = orthogonal(g.lerp(m, MOMENTUM)) * max(1, group[0].shape[0] / group[0].shape[1]) ** 0.5
            for p, u in zip(group, update):
                p.mul_(1 - lr * WEIGHT_DECAY).sub_(lr * u)


def rate(step, steps, decay):
    """The learning rate's factor at `step`: linear warm-up, flat, then linear to zero."""
    return min(1.0, (step + 1) / WARMUP, max(0.0, (steps - step) / decay))


def in_force(entries, step, otherwise):
    """Of a plan's list of [from step, value] the value that holds at `step`."""
    return next((value for start, value in reversed(entries) if step >= start), otherwise)


def allowed(whose):
    """What each token may look at, `[rows, 1, size, size]`: earlier tokens of its own conversation."""
    size = whose.shape[1]
    earlier = torch.arange(size)[:, None] >= torch.arange(size)[None]
    return ((whose[:, :, None] == whose[:, None]) & earlier)[:, None]


def weights(learned, whose, power):
    """The weight of each learned token, `[rows, size]`: the learned tokens of its conversation to the power of -power."""
    row = torch.arange(len(learned))[:, None].expand_as(whose)
    key = (row * (whose.shape[1] + 1) + whose.clamp(min=0))[learned]
    out = torch.zeros(learned.shape)
    out[learned] = torch.bincount(key)[key].float() ** -power
    return out


def busy():
    """Processor seconds that processes of ordinary priority have used so far (this one runs niced)."""
    with open("/proc/stat") as f:
        fields = f.readline().split()
    return (int(fields[1]) + int(fields[3])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("run")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--decay", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2, help="at most; one while others keep a core busy, for two threads that wait for each other then crawl")
    parser.add_argument("--pause-file", help="while this file exists the training sleeps")
    args = parser.parse_args()
    os.makedirs(args.run, exist_ok=True)
    plan_path = os.path.join(args.run, "plan.json")
    if not os.path.exists(plan_path):
        with open(plan_path, "w") as f:
            json.dump({"steps": args.steps, "decay": args.decay}, f)
    torch.set_num_threads(1)
    torch._dynamo.config.recompile_limit = 64
    torch.manual_seed(SEED)
    data, data_name = None, None
    config = Config()
    model = House(config)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith("embed")]
    others = [p for n, p in model.named_parameters() if p.dim() == 1 or n.startswith("embed")]
    muon = Muon(matrices)
    adam = torch.optim.AdamW(others, lr=ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0)
    step, epoch, skip, seen, begun_at = 0, 0, 0, 0, 0
    last = os.path.join(args.run, "last.pt")
    if os.path.exists(last):
        state = torch.load(last, weights_only=False)
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        muon.momentum = state["muon"]
        step, epoch, skip, seen, begun_at = (state[k] for k in ("step", "epoch", "skip", "seen", "epoch_from"))
        print(f"resumed at step {step}", flush=True)

    def loss_of(ids, whose, at, target, weight):
        with torch.autocast("cpu", torch.bfloat16):
            h = model.hidden(ids, mask=allowed(whose)).reshape(-1, config.hidden)[at]
            each = F.cross_entropy(model.logits(h).float(), target, reduction="none")
            return (each * weight).sum() / weight.sum(), (each.detach() * (weight > 0)).sum() / (weight > 0).sum()

    loss_of = torch.compile(loss_of, dynamic=False)

    def save(name):
        torch.save({"model": model.state_dict(), "config": config_dict(config), "adam": adam.state_dict(), "muon": muon.momentum,
                    "step": step, "epoch": epoch, "skip": skip, "seen": seen, "epoch_from": begun_at, "plan": plan}, os.path.join(args.run, name + ".tmp"))
        os.replace(os.path.join(args.run, name + ".tmp"), os.path.join(args.run, name))

    drill = Drill(Tokenizer.from_file(os.path.join(args.build, "tokenizer.json")))
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    log = open(os.path.join(args.run, "log.jsonl"), "a", buffering=1)
    clock, mean, others_busy = time.time(), None, 1.0
    while True:
        with open(plan_path) as f:
            plan = json.load(f)
        if skip == 0:
            begun_at = step
        name = in_force(plan.get("data", []), begun_at, "train.npz")
        if name != data_name:
            data, data_name = dict(np.load(os.path.join(args.build, name))), name
        for i, (ids, learned, whose) in enumerate(batches(data, epoch, in_force(plan.get("focus", []), begun_at, {}))):
            if i < skip:
                continue
            with open(plan_path) as f:
                plan = json.load(f)
            if step > begun_at and any(start == step for start, _ in plan.get("focus", [])):
                break
            if stop or step >= plan["steps"]:
                save("last.pt")
                if step >= plan["steps"]:
                    save(f"step{step:05}.pt")
                return
            while args.pause_file and os.path.exists(args.pause_file):
                time.sleep(2)
            begun, load = time.time(), busy()
            threads = args.threads if others_busy < 0.35 else 1
            if threads != torch.get_num_threads():
                torch.set_num_threads(threads)
            share = in_force(plan.get("drills", []), step, 0.0)
            rng = np.random.default_rng([SEED, 7, step])
            for r in range(int(len(ids) * share) if ids.shape[1] == min(ROWS) else 0):
                new = drill.row(rng, ids.shape[1])
                for kept, row_of in zip((ids, learned, whose), new):
                    kept[r] = torch.from_numpy(row_of)
            at = torch.nonzero(learned[:, 1:].reshape(-1)).squeeze(1)
            row, col = at // (ids.shape[1] - 1), at % (ids.shape[1] - 1)
            # A fixed number of targets per bucket keeps the compiled graph; what is missing counts as ignored.
            room = int(ids.numel() * ROWS[ids.shape[1]])
            at, target = (row * ids.shape[1] + col)[:room], ids[row, col + 1][:room]
            weight = weights(learned, whose, in_force(plan.get("even", []), step, 0.0))[:, 1:].reshape(-1)[row * (ids.shape[1] - 1) + col][:room]
            pad = room - len(at)
            at, target, weight = F.pad(at, (0, pad)), F.pad(target, (0, pad)), F.pad(weight, (0, pad))
            loss, mean_loss = loss_of(ids, whose, at, target, weight)
            loss.backward()
            factor = rate(step, plan["steps"], plan["decay"])
            norm = torch.nn.utils.clip_grad_norm_(others, 1.0)
            for g in adam.param_groups:
                g["lr"] = ADAM_LR * factor
            adam.step()
            muon.step(MUON_LR * factor)
            model.zero_grad(set_to_none=True)
            step, skip, seen = step + 1, i + 1, seen + int((ids != 0).sum())
            value = mean_loss.item()
            others_busy = 0.7 * others_busy + 0.3 * (busy() - load) / (time.time() - begun)
            if not math.isfinite(value):
                raise FloatingPointError(f"loss {value} at step {step}")
            mean = value if mean is None else 0.98 * mean + 0.02 * value
            log.write(json.dumps({"step": step, "loss": round(value, 4), "length": ids.shape[1], "lr": round(factor, 4), "seen": seen, "threads": threads, "s": round(time.time() - begun, 2)}) + "\n")
            if step % 25 == 0:
                print(f"step {step} loss {mean:.4f} seen {seen} grad {norm:.2f} {seen and (time.time() - clock) / 25:.2f} s/step", flush=True)
            clock = time.time() if step % 25 == 0 else clock
            if step % SAVE_EVERY == 0:
                save(f"step{step:05}.pt")
                save("last.pt")
        epoch, skip = epoch + 1, 0


if __name__ == "__main__":
    main()

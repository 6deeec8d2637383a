"""The loss curve as a picture.

    python plot.py RUN/log.jsonl SELECTION.json OUT.svg
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "house"
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)


def smooth(values, keep=0.96):
    mean, out = None, []
    for i, v in enumerate(values):
        mean = v if mean is None else keep * mean + (1 - keep) * v
        out.append(mean)
    return out


def main(log, selection, out):
    with open(log) as f:
        rows = {r["step"]: r for r in map(json.loads, f)}
    steps = sorted(rows)
    losses = [rows[s]["loss"] for s in steps]
    figure, left = plt.subplots(figsize=(8, 4.2))
    left.plot(steps[::4], losses[::4], color="#c9c9c9", linewidth=0.6, label="training loss")
    left.plot(steps[::4], smooth(losses)[::4], color="#1b4f72", linewidth=1.6, label="training loss, smoothed")
    left.set_yscale("log")
    left.set_xlabel("step")
    left.set_ylabel("loss per learned token (nats)")
    right = left.twinx()
    right.plot(steps[::8], [rows[s]["lr"] for s in steps[::8]], color="#b9770e", linewidth=1, linestyle=":", label="learning rate, relative")
    with open(selection) as f:
        scores = sorted(json.load(f)["scores"], key=lambda s: s["step"])
    right.plot([s["step"] for s in scores], [s["score"] for s in scores], color="#1e8449", marker="o", markersize=4, linewidth=1, label="validation score")
    right.set_ylim(0, 1.05)
    right.set_ylabel("validation score, learning rate")
    lines = left.get_lines() + right.get_lines()
    left.legend(lines, [x.get_label() for x in lines], loc="lower left", bbox_to_anchor=(0.03, 0.02), fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:4])

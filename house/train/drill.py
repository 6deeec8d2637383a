"""Copying drills: conversations of random tokens that can only be answered by looking back.

Reading, rewriting and tool calls all rest on one circuit, copying a stretch of the prompt token by token, and a small
model finds it late in ordinary text, where guessing pays almost as well. Drills of meaningless tokens leave nothing to
guess. Two kinds: say the same again, and look a key up in a short table.
Why it works: C. Olsson et al., "In-context learning and induction heads", 2022.
"""

import numpy as np


class Drill:
    """Draws drills with the pieces of one tokenizer."""

    def __init__(self, tokenizer):
        piece = lambda text: tokenizer.encode(text).ids
        self.ask, self.reply = piece("<|im_start|>user\n"), piece("<|im_end|>\n<|im_start|>assistant\n")
        self.end, self.colon, self.line = piece("<|im_end|>"), piece(":"), piece("\n")
        self.low, self.high = 300, tokenizer.get_vocab_size() - 8

    def words(self, rng, low, high):
        return rng.integers(self.low, self.high, rng.integers(low, high + 1)).tolist()

    def one(self, rng):
        """One conversation: (ids, learned)."""
        if rng.random() < 0.5:
            answer = self.words(rng, 3, 20)
            body = answer
        else:
            table = [(self.words(rng, 1, 2), self.words(rng, 1, 6)) for _ in range(rng.integers(2, 7))]
            key, answer = table[rng.integers(len(table))]
            body = [t for k, v in table for t in (*k, *self.colon, *v, *self.line)] + key
        head = self.ask + body + self.reply
        tail = answer + self.end
        return head + tail, [False] * len(head) + [True] * len(tail)

    def row(self, rng, size):
        """A row of `size` tokens full of drills: (ids, learned, whose)."""
        ids, learned, whose = np.zeros(size, np.int64), np.zeros(size, bool), -1 - np.arange(size)
        at = k = 0
        while True:
            one, learn = self.one(rng)
            if at + len(one) > size:
                return ids, learned, whose
            end = at + len(one)
            ids[at:end], learned[at:end], whose[at:end] = one, learn, k
            at, k = end, k + 1

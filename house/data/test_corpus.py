"""python3 -m unittest test_corpus.py -v   (standard library only)"""

import contextlib
import io
import json
import os
import tempfile
import unittest

import facts
import score
from generate import generate
from words import SPLITS, Slots, share, slot_share, split_of, CITIES, FIRST, THINGS

HERE = os.path.dirname(os.path.abspath(__file__))


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.report = generate(cls.folder.name, 0.02)
        cls.lines = {}
        for split in SPLITS:
            with open(os.path.join(cls.folder.name, split + ".jsonl"), encoding="utf-8") as f:
                cls.lines[split] = [json.loads(line) for line in f]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_small_corpus_has_the_recorded_hash(self):
        with open(os.path.join(HERE, "sha256.json")) as f:
            recorded = json.load(f)
        self.assertEqual(self.report, recorded["small"])

    def test_every_reference_answer_obeys_its_own_rule(self):
        for split in ("val", "test"):
            for line in self.lines[split]:
                self.assertTrue(all(score.judge(line["rule"], line["answer"]).values()), line["id"])

    def test_an_empty_answer_and_a_foreign_one_fail(self):
        for line in self.lines["test"]:
            for wrong in ("", "I would rather count sheep, said the moon."):
                metric = next(iter(line["rule"]))
                if metric not in ("no_call",):
                    self.assertFalse(score.judge(line["rule"], wrong)[metric], line["id"])

    def test_templates_and_slots_are_disjoint(self):
        for items in (facts.FRAMES, facts.TOPICS[0].questions):
            parts = [set(share(items, s)) for s in SPLITS]
            self.assertFalse(parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
            self.assertEqual(set.union(*parts), set(items))
        for words in (FIRST, CITIES, THINGS):
            parts = [set(slot_share(words, s)) for s in SPLITS]
            self.assertEqual(sum(map(len, parts)), len(set(words)))
        for split in SPLITS:
            slots = Slots(1, split)
            self.assertTrue(all(split_of(slots.invented()) == split for _ in range(50)))

    def test_no_test_question_occurs_in_training(self):
        last = lambda x: x["messages"][-1]["content"] if "id" in x else None
        asked = {m["content"] for x in self.lines["train"] for m in x["messages"] if m["role"] == "user"}
        shared = [x["id"] for x in self.lines["test"] if last(x) in asked and x["skill"] not in ("system", "tool_result")]
        self.assertEqual(shared, [])

    def test_turns_alternate_and_end_with_the_assistant(self):
        for x in self.lines["train"]:
            roles = [m["role"] for m in x["messages"]]
            self.assertEqual(roles[-1], "assistant")
            self.assertNotIn(("assistant", "assistant"), list(zip(roles, roles[1:])))

    def test_intervals_hold_the_share(self):
        for right, count in ((0, 10), (5, 10), (10, 10), (230, 250)):
            low, high = score.wilson(right, count)
            self.assertTrue(0 <= low <= right / count <= high <= 1)
        self.assertAlmostEqual(score.wilson(5, 10)[0], 0.2366, places=3)


if __name__ == "__main__":
    unittest.main()

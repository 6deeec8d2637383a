"""python3 -m unittest test_corpus.py -v   (standard library only)"""

import contextlib
import io
import json
import os
import tempfile
import unittest

import classes
import facts
import frames
import passages
import reading
import score
import structure
from generate import generate
from words import SPLITS, Slots, share, slot_share, split_of, CITIES, FIRST, THINGS

HERE = os.path.dirname(os.path.abspath(__file__))


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.report = generate(cls.folder.name, 0.02)
        cls.lines = {}
        for split, files in (("train", ("train", "train2")), ("val", ("val",)), ("test", ("test",))):
            cls.lines[split] = []
            for name in files:
                with open(os.path.join(cls.folder.name, name + ".jsonl"), encoding="utf-8") as f:
                    cls.lines[split] += [json.loads(line) for line in f]

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
        divided = (facts.FRAMES, facts.TOPICS[0].questions, frames.LEAD + frames.TAIL, frames.ASKING, passages.FRAMES, reading.LAYOUTS, reading.SUM_FRAMES,
                   structure.JSON_FRAMES, structure.KEY_FRAMES, structure.S_DOC, classes.ASK_CLASS, classes.IS, classes.DOES, classes.ABOUT_ACT,
                   classes.ABOUT_NOUN, classes.ORDERS)
        for items in divided:
            self.assertEqual(len(items), len(set(items)))
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

    def test_a_core_stands_bare_in_training_alone(self):
        for split in ("val", "test"):
            slots, kept = Slots(1, split), set(share(frames.ASKING, split))
            for make in (frames.ask, frames.lead):
                for _ in range(200):
                    text = make(slots, "Q?")
                    self.assertTrue(any(f.replace("{q}", "Q?") == text for f in kept), text)
            self.assertNotIn("It rains.", {frames.said(slots, "it rains.") for _ in range(200)})

    def test_loose_frames_are_in_the_second_part_of_training_alone(self):
        tight, loose = Slots(1, "train"), Slots(1, "train", 1.0)
        self.assertFalse(frames.is_loose(tight) or frames.is_loose(Slots(1, "test")))
        given = {f.replace("{q}", "Q?") for f in frames.ASKING} | {"Q?"}
        made = {frames.ask(loose, "Q?") for _ in range(300)}
        self.assertGreater(len(made - given), 100)
        self.assertTrue(all("Q?" in text for text in made))
        foreign = {f.replace("{q}", "Q?") for s in ("val", "test") for f in share(frames.ASKING, s)}
        self.assertFalse(made & foreign)

    def test_pairs_of_sentence_and_question_are_divided(self):
        seen = {s: set() for s in SPLITS}
        for kind in passages.KINDS:
            for at in kind.attributes:
                for told in at.sentences:
                    for asked in at.questions:
                        seen[reading.pair_split(told, asked)].add((told, asked))
        self.assertTrue(all(len(v) > 50 for v in seen.values()), {k: len(v) for k, v in seen.items()})
        slots = Slots(3, "test")
        for _ in range(300):
            at = slots.any(slots.any(passages.KINDS).attributes)
            told = slots.any(at.sentences)
            text = reading.question(slots, at, "ENTITY", told)
            for asked in at.questions:
                core = asked.format(e="ENTITY")
                if core[:1].upper() + core[1:] in text:
                    self.assertEqual(reading.pair_split(told, asked), "test", text)

    def test_cores_kept_out_of_training_are_not_in_it(self):
        texts = [m["content"] for x in self.lines["train"] for m in x["messages"]]
        kept = [at.unseen for kind in passages.KINDS for at in kind.attributes if at.unseen]
        self.assertGreater(len(kept), 20)
        names = {t["function"]["name"] for x in self.lines["train"] for t in x.get("tools", [])}
        self.assertFalse(names & {t[0]["name"] for t in structure.UNSEEN})
        for told, asked in kept:
            for core in (told, asked):
                pieces = [p for p in core.replace("{s}", "{").replace("{e}", "{").replace("{v}", "{").rstrip(".?").split("{") if len(p.split()) > 4]
                for piece in pieces:
                    self.assertFalse([t for t in texts if piece in t], piece)

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

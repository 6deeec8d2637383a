//! A loaded model that is timed.

use std::{sync::Arc, time::Instant};

use engine::{Backend, Batch, Cpu, Executor, ModelFile, Settings};
use kernels::PAGE_TOKENS;

use super::{Kind, Test};
use crate::program::App;

/// See the module. Each sequence has its own run of pages; a test writes over what the one before left.
pub(super) struct Session {
    executor: Box<dyn Executor>,
    /// For each sequence, its pages.
    pages: Vec<Vec<u32>>,
    chunk: usize,
    vocab: u64,
    /// State of the generator of ids.
    random: u64,
    batch: Batch,
}

impl Session {
    /// Loads the model with room for `settings`.
    pub(super) fn load(
        app: &App,
        file: &Arc<ModelFile>,
        backend: &Cpu,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let capacity = settings.capacity(file.model())?;
        let progress = app.output.progress("loading", file.checkpoint().tensor_bytes());
        let executor =
            backend.load(Arc::clone(file), &capacity, &mut |done, total| progress.set(done, total));
        progress.finish();
        let each = settings.context_of(file.model()).div_ceil(PAGE_TOKENS) as u32;
        Ok(Session {
            executor: executor?,
            pages: (0..settings.sequences as u32)
                .map(|s| (s * each..(s + 1) * each).collect())
                .collect(),
            chunk: settings.chunk,
            vocab: file.model().vocab as u64,
            random: 0x9e37_79b9_7f4a_7c15,
            batch: Batch::default(),
        })
    }

    /// Bytes it took.
    pub(super) fn memory(&self) -> usize {
        self.executor.memory().total()
    }

    /// Seconds of each repetition, after one that is not counted.
    pub(super) fn measure(&mut self, test: &Test, repetitions: usize) -> anyhow::Result<Vec<f64>> {
        for sequence in 0..test.batch {
            self.read(sequence, 0, test.depth)?;
        }
        self.once(test)?;
        let timed = |_| -> anyhow::Result<f64> {
            let start = Instant::now();
            self.once(test)?;
            Ok(start.elapsed().as_secs_f64())
        };
        (0..repetitions).map(timed).collect()
    }

    fn once(&mut self, test: &Test) -> anyhow::Result<()> {
        match test.kind {
            Kind::Prompt => (0..test.batch)
                .try_for_each(|sequence| self.read(sequence, test.depth, test.tokens)),
            Kind::Generate => {
                (0..test.tokens).try_for_each(|at| self.answer(test.batch, test.depth + at))
            }
        }
    }

    /// Reads a prompt of `tokens` from position `from`, in pieces; the logits of its last are computed.
    fn read(&mut self, sequence: usize, from: usize, tokens: usize) -> anyhow::Result<()> {
        let mut at = 0;
        while at < tokens {
            let rows = self.chunk.min(tokens - at);
            let last = at + rows == tokens;
            let ids = self.ids(rows);
            self.batch.clear();
            let wanted = if last { rows - 1..rows } else { 0..0 };
            self.batch.push(&ids, from + at, &self.pages[sequence], from + tokens, wanted);
            self.executor.run(&self.batch)?;
            at += rows;
        }
        Ok(())
    }

    /// One more token of each sequence.
    fn answer(&mut self, sequences: usize, position: usize) -> anyhow::Result<()> {
        let ids = self.ids(sequences);
        self.batch.clear();
        for (id, pages) in ids.iter().zip(&self.pages) {
            self.batch.push(&[*id], position, pages, position + 1, 0..1);
        }
        self.executor.run(&self.batch)?;
        Ok(())
    }

    /// Random ids (splitmix64: Steele, Lea, Flood, 2014).
    fn ids(&mut self, count: usize) -> Vec<u32> {
        let next = |_| {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) % self.vocab) as u32
        };
        (0..count).map(next).collect()
    }
}

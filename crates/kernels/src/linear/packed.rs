//! Weight matrices as the kernels want them, and how they get there from a file's rows.

use quant::Format;

use crate::buffer::SharedMut;
use crate::linear::activations::Needs;
use crate::linear::layout::{Layout, PANEL};
use crate::linear::pack;
use crate::{AlignedBytes, Error, Kernels, Result};

/// A weight matrix `[outs, ins]`, or a stack of them `[experts, outs, ins]`, packed for this crate's loops.
///
/// Formats with a layout of their own (F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K … Q6_K,
/// IQ4_NL, IQ4_XS, MXFP4) keep their bits and their size; only `outs` is rounded up to 32 and `ins` of
/// BF16 to 2. FP8 is widened to BF16, which holds it exactly. All others (IQ1 … IQ3, TQ) become 8-bit
/// codes with an F32 scale for every 16 weights: exact as long as sixteen neighbours are whole multiples
/// up to 127 of a common step, which is how all of those formats are built; 10 bits a weight.
#[derive(Debug)]
pub struct Packed {
    format: &'static Format,
    pub(crate) layout: Layout,
    experts: usize,
    outs: usize,
    ins: usize,
    panel_bytes: usize,
    bytes: AlignedBytes,
}

impl Packed {
    /// The format the weights came in.
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// Matrices in the stack; 1 for a single matrix.
    pub fn experts(&self) -> usize {
        self.experts
    }

    /// Output rows of a matrix.
    pub fn outs(&self) -> usize {
        self.outs
    }

    /// Input columns of a matrix.
    pub fn ins(&self) -> usize {
        self.ins
    }

    /// Bytes of memory, as [`Kernels::packed_bytes`] foretold.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// In what form it wants the rows it multiplies.
    pub fn needs(&self) -> Needs {
        if self.layout.kind().is_some() { Needs::CODES } else { Needs::VALUES }
    }

    /// Panels of one matrix.
    pub(crate) fn panels(&self) -> usize {
        self.outs.div_ceil(PANEL)
    }

    /// One panel's bytes.
    pub(crate) fn panel(&self, expert: usize, panel: usize) -> &[u8] {
        &self.bytes[(expert * self.panels() + panel) * self.panel_bytes..][..self.panel_bytes]
    }
}

/// A matrix or stack being packed: rows are put in any order and from anywhere, so that several tensors
/// may fill one matrix and a loader can drop source pages as it goes.
#[derive(Debug)]
pub struct Packing {
    packed: Packed,
    rows_put: usize,
}

impl Packing {
    /// Puts whole rows in the file's layout, `[rows, ins]`, from row `first_row` of matrix `expert` on.
    /// Each row is put once.
    pub fn put_rows(
        &mut self,
        kernels: &Kernels,
        expert: usize,
        first_row: usize,
        raw: &[u8],
    ) -> Result<()> {
        let Packed { format, layout, experts, outs, ins, panel_bytes, .. } = self.packed;
        let row_bytes = ins / format.block * format.bytes;
        if raw.is_empty() || !raw.len().is_multiple_of(row_bytes) {
            let expected = format!("whole rows of {row_bytes}");
            return Err(Error::Shape { what: "bytes of weight rows", found: raw.len(), expected });
        }
        if expert >= experts {
            return Err(Error::Shape {
                what: "expert",
                found: expert,
                expected: format!("less than {experts}"),
            });
        }
        let rows = raw.len() / row_bytes;
        let end = first_row.saturating_add(rows);
        if end > outs {
            return Err(Error::Shape {
                what: "weight rows",
                found: end,
                expected: format!("at most {outs}"),
            });
        }
        let first_panel = first_row / PANEL;
        let panels = end.div_ceil(PANEL) - first_panel;
        let base = (expert * self.packed.panels() + first_panel) * panel_bytes;
        let shared = SharedMut::new(
            &mut self.packed.bytes.as_mut_slice()[base..base + panels * panel_bytes],
        );
        kernels.pool.run(panels, &|part| {
            let top = (first_panel + part) * PANEL;
            let (from, to) = (first_row.max(top), end.min(top + PANEL));
            // SAFETY: each part is another panel.
            let panel = unsafe { shared.part(part * panel_bytes..(part + 1) * panel_bytes) };
            let raw = &raw[(from - first_row) * row_bytes..(to - first_row) * row_bytes];
            pack::rows(format, layout, raw, row_bytes, from - top, panel);
        });
        self.rows_put += rows;
        Ok(())
    }

    /// The matrix, once every row has been put.
    pub fn finish(self) -> Result<Packed> {
        let expected = self.packed.experts * self.packed.outs;
        if self.rows_put != expected {
            return Err(Error::Shape {
                what: "weight rows put",
                found: self.rows_put,
                expected: format!("{expected}, each once"),
            });
        }
        Ok(self.packed)
    }
}

impl Kernels {
    /// Bytes that `[experts, outs, ins]` weights of `format` take once packed; exactly what packing
    /// allocates. `ins` is a whole number of the format's blocks.
    pub fn packed_bytes(
        &self,
        format: &'static Format,
        experts: usize,
        outs: usize,
        ins: usize,
    ) -> Result<usize> {
        check(format, experts, outs, ins)?;
        let panels = experts.checked_mul(outs.div_ceil(PANEL));
        let bytes = Layout::of(format)
            .panel_bytes(ins)
            .zip(panels)
            .and_then(|(bytes, panels)| bytes.checked_mul(panels));
        bytes.ok_or(Error::OutOfMemory { bytes: usize::MAX })
    }

    /// Packs `raw`, `[experts, outs, ins]` in the file's layout.
    pub fn pack(
        &self,
        format: &'static Format,
        experts: usize,
        outs: usize,
        ins: usize,
        raw: &[u8],
    ) -> Result<Packed> {
        let mut packing = self.packer(format, experts, outs, ins)?;
        let each = outs * (ins / format.block * format.bytes);
        if raw.len() != each * experts {
            return Err(Error::Shape {
                what: "bytes of a weight matrix",
                found: raw.len(),
                expected: (each * experts).to_string(),
            });
        }
        for (expert, raw) in raw.chunks_exact(each).enumerate() {
            packing.put_rows(self, expert, 0, raw)?;
        }
        packing.finish()
    }

    /// Begins a matrix or stack whose rows come bit by bit.
    pub fn packer(
        &self,
        format: &'static Format,
        experts: usize,
        outs: usize,
        ins: usize,
    ) -> Result<Packing> {
        let bytes = AlignedBytes::zeroed(self.packed_bytes(format, experts, outs, ins)?)?;
        let layout = Layout::of(format);
        let panel_bytes =
            layout.panel_bytes(ins).ok_or(Error::OutOfMemory { bytes: usize::MAX })?;
        Ok(Packing {
            packed: Packed { format, layout, experts, outs, ins, panel_bytes, bytes },
            rows_put: 0,
        })
    }
}

fn check(format: &Format, experts: usize, outs: usize, ins: usize) -> Result<()> {
    for (what, found) in [("experts", experts), ("outs", outs), ("ins", ins)] {
        if found == 0 {
            return Err(Error::Shape { what, found, expected: "at least 1".into() });
        }
    }
    if !ins.is_multiple_of(format.block) {
        let expected = format!("a multiple of the {} block, {}", format.name, format.block);
        return Err(Error::Shape { what: "ins", found: ins, expected });
    }
    Ok(())
}

//! Activations as 8-bit codes: each block of 32 has its own scale, so one large value spoils only its
//! neighbours, and a row's codes depend on that row alone.

use crate::linear::layout::BLOCK;
use crate::{Kernels, buffer::SharedMut};

/// Rows of fewer values than this in all are not worth waking another thread for.
const PARALLEL_MIN: usize = 16 * 1024;

/// Thirty-two activations: `value ≈ scale · code`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) codes: [i8; BLOCK],
    /// A 127th of the largest magnitude; 0 for a block of zeros, not finite when a value is not.
    pub(crate) scale: f32,
    /// Minus the sum of the codes: times a format's offset, where a dot product starts.
    pub(crate) minus_sum: i32,
    /// The same for each 16 of the 32.
    pub(crate) minus_half: [i32; 2],
}

impl Block {
    pub(crate) const ZERO: Block =
        Block { codes: [0; BLOCK], scale: 0.0, minus_sum: 0, minus_half: [0; 2] };

    /// Four codes in a row, as a lane of a dot product takes them.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "one load in the innermost loop")]
    pub(crate) fn word(&self, g: usize) -> i32 {
        let codes = &self.codes[g * 4..][..4];
        i32::from_ne_bytes([codes[0] as u8, codes[1] as u8, codes[2] as u8, codes[3] as u8])
    }
}

/// In what form weights want the rows they multiply. Forms add up with [`Needs::and`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Needs(u8);

impl Needs {
    /// As they are: F32, F16 and BF16 weights.
    pub const VALUES: Needs = Needs(0);
    /// As 8-bit codes: every block format.
    pub const CODES: Needs = Needs(1);

    /// What either needs.
    pub fn and(self, other: Needs) -> Needs {
        Needs(self.0 | other.0)
    }

    /// Whether everything in `other` is in `self`.
    pub fn contains(self, other: Needs) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Rows made ready for multiplication, once for all the matrices they meet. Reuse it: its memory stays.
#[derive(Debug, Clone, Default)]
pub struct Activations {
    blocks: Vec<Block>,
    rows: usize,
    ins: usize,
    coded: bool,
}

impl Activations {
    /// Empty; [`Kernels::activations`] fills it.
    pub fn new() -> Self {
        Self::default()
    }

    /// With room for `rows` rows of `ins` values, so that no later step allocates.
    pub fn with_capacity(rows: usize, ins: usize) -> Self {
        Self { blocks: Vec::with_capacity(rows * ins.div_ceil(BLOCK)), ..Self::default() }
    }

    /// Bytes that room for `rows` rows of `ins` values takes.
    pub fn bytes(rows: usize, ins: usize) -> usize {
        rows * ins.div_ceil(BLOCK) * size_of::<Block>()
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values in a row.
    pub fn ins(&self) -> usize {
        self.ins
    }

    /// These rows together with the values `[rows, ins]` they were made from.
    pub fn input<'a>(&'a self, values: &'a [f32]) -> Input<'a> {
        assert_eq!(values.len(), self.rows * self.ins, "values of other rows than the activations");
        Input { values, blocks: self.coded.then_some(&self.blocks), rows: self.rows, ins: self.ins }
    }
}

/// Rows to multiply: `[rows, ins]`.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    values: &'a [f32],
    blocks: Option<&'a Vec<Block>>,
    pub(crate) rows: usize,
    pub(crate) ins: usize,
}

impl<'a> Input<'a> {
    /// Plain rows of `ins` values: enough for float weights. Block formats want [`Activations::input`].
    pub fn values(values: &'a [f32], ins: usize) -> Self {
        assert!(
            ins > 0 && values.len().is_multiple_of(ins),
            "{} values are no rows of {ins}",
            values.len()
        );
        Input { values, blocks: None, rows: values.len() / ins, ins }
    }

    /// One row's values.
    pub(crate) fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.ins..][..self.ins]
    }

    /// One row's blocks.
    pub(crate) fn blocks(&self, row: usize) -> &'a [Block] {
        let count = self.ins / BLOCK;
        &self.blocks.expect("`linear` has checked that the rows are coded")[row * count..][..count]
    }

    pub(crate) fn needs(&self) -> Needs {
        if self.blocks.is_some() { Needs::CODES } else { Needs::VALUES }
    }
}

impl Kernels {
    /// Makes `x`, `[rows, ins]`, ready for weights that want `needs` (see [`crate::Packed::needs`]; for
    /// codes `ins` is a multiple of 32). Each block of 32 is scaled by its own largest magnitude and
    /// rounded to nearest, ties to even: at most 1/254 of that magnitude off.
    pub fn activations(
        &self,
        x: &[f32],
        rows: usize,
        ins: usize,
        needs: Needs,
        out: &mut Activations,
    ) {
        assert_eq!(x.len(), rows * ins, "activations are not [rows, ins]");
        out.rows = rows;
        out.ins = ins;
        out.coded = needs.contains(Needs::CODES);
        if !out.coded {
            return;
        }
        assert!(ins.is_multiple_of(BLOCK), "{ins} activations are not whole blocks of {BLOCK}");
        let blocks = ins / BLOCK;
        out.blocks.resize(rows * blocks, Block::ZERO);
        if rows < 2 || rows * ins < PARALLEL_MIN {
            // SAFETY: this handle's table is one this machine can run.
            return unsafe { (self.table.linear.quantize)(x, &mut out.blocks) };
        }
        let parts = rows.min(self.threads() * 4);
        let shared = SharedMut::new(&mut out.blocks);
        self.pool.run(parts, &|part| {
            let range = rows * part / parts..rows * (part + 1) / parts;
            // SAFETY: parts hold different rows.
            let blocks = unsafe { shared.part(range.start * blocks..range.end * blocks) };
            // SAFETY: as above.
            unsafe { (self.table.linear.quantize)(&x[range.start * ins..range.end * ins], blocks) };
        });
    }
}

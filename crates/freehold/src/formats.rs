//! Which number formats a checkpoint's tensors are in.

use serde::Serialize;
use weights::{Checkpoint, Kind, Logical};

/// What one format holds of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Part {
    /// The format's name.
    pub(crate) format: String,
    /// Tensors in it.
    pub(crate) tensors: usize,
    /// Numbers in them.
    pub(crate) elements: u64,
    /// Bytes they take, scales included.
    pub(crate) bytes: u64,
    /// Bits a number takes.
    pub(crate) bits_per_weight: f64,
    /// Part of all tensors' bytes, 0 to 1.
    pub(crate) share: f64,
}

/// All formats, the one with most bytes first.
pub(crate) fn shares(checkpoint: &Checkpoint) -> Vec<Part> {
    let mut shares: Vec<Part> = vec![];
    for logical in checkpoint.logical_tensors().values() {
        let format = name(logical);
        let at = shares.iter().position(|share| share.format == format).unwrap_or_else(|| {
            let format = format.to_owned();
            shares.push(Part {
                format,
                tensors: 0,
                elements: 0,
                bytes: 0,
                bits_per_weight: 0.0,
                share: 0.0,
            });
            shares.len() - 1
        });
        shares[at].tensors += 1;
        shares[at].elements += logical.elements() as u64;
        shares[at].bytes += bytes(checkpoint, logical);
    }
    let all = checkpoint.tensor_bytes().max(1) as f64;
    for share in &mut shares {
        share.bits_per_weight = 8.0 * share.bytes as f64 / share.elements.max(1) as f64;
        share.share = share.bytes as f64 / all;
    }
    shares.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.format.cmp(&b.format)));
    shares
}

/// The format that holds most bytes.
pub(crate) fn main(checkpoint: &Checkpoint) -> String {
    shares(checkpoint)
        .into_iter()
        .next()
        .map_or_else(|| "no tensors".to_owned(), |share| share.format)
}

/// The format's name, also of tensors that consist of several stored ones.
pub(crate) fn name(logical: &Logical) -> &'static str {
    match &logical.kind {
        Kind::Plain(dtype) => dtype.name(),
        Kind::Fp8Blocks { .. } => "F8_E4M3",
        Kind::Mxfp4 { .. } => "MXFP4",
    }
}

/// Bytes of a logical tensor as stored, scales included.
pub(crate) fn bytes(checkpoint: &Checkpoint, logical: &Logical) -> u64 {
    let stored = |name: &str| checkpoint.tensors().get(name).map_or(0, weights::Tensor::len_bytes);
    logical.parts().into_iter().map(stored).sum()
}

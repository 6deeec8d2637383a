//! What a release means by a tensor together with the tensors that hold its scales.
//!
//! FP8 releases store `X.weight` in E4M3 beside `X.weight_scale_inv`, one factor for each block of
//! 128 × 128 (or as `quantization_config.weight_block_size` says); some store `X.weight_scale`, one
//! factor for a row or for all. gpt-oss stores experts as `X_blocks` (pairs of E2M1) and `X_scales`
//! (powers of two for 32 values each): GGML's MXFP4 in another order. A logical tensor is the matrix
//! that is meant; its companions are consumed and not listed.

use std::{borrow::Cow, ops::Range, sync::Arc};

use indexmap::IndexMap;
use quant::Format;
use serde_json::{Map, Value};

use super::Checkpoint;
use crate::{Dtype, Error, Tensor, error::shown};

/// Values under one scale in MXFP4.
const MXFP4_GROUP: usize = 32;
/// Bytes of one such group's values.
const MXFP4_PAIRS: usize = MXFP4_GROUP / 2;
/// Rows and columns under one scale in FP8 releases that do not say otherwise.
const FP8_BLOCK_DEFAULT: [usize; 2] = [128, 128];

/// A tensor as a release means it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logical {
    /// The name: the stored tensor's, or of a pair what it has in common.
    pub name: Arc<str>,
    /// The shape, slowest axis first.
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub kind: Kind,
}

/// How a logical tensor's values are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One stored tensor of the same name.
    Plain(Dtype),
    /// FP8 E4M3 under the same name, and a factor for each block of rows × columns.
    Fp8Blocks {
        /// The tensor with the factors, `[.., rows / block, columns / block]` rounded up.
        scale: Arc<str>,
        /// Rows and columns under one factor.
        block: [usize; 2],
    },
    /// MXFP4 as safetensors releases store it.
    Mxfp4 {
        /// Pairs of E2M1 values, `[.., rows, columns / 32, 16]`.
        blocks: Arc<str>,
        /// Exponents E8M0, `[.., rows, columns / 32]`.
        scales: Arc<str>,
    },
}

impl Logical {
    /// Elements along the last axis; 1 for a single value.
    pub fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Rows: the product of all axes but the last; 1 for a single value.
    pub fn rows(&self) -> usize {
        self.shape.split_last().map_or(1, |(_, rest)| rest.iter().product())
    }

    /// How many elements it has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The block format that [`Checkpoint::raw_rows`] gives its rows in; `None` when only values can be
    /// had ([`Checkpoint::rows_f32`]), as for FP8 with scales.
    pub fn format(&self) -> Option<&'static Format> {
        match &self.kind {
            Kind::Plain(dtype) => dtype.format(),
            Kind::Mxfp4 { .. } => Some(&quant::MXFP4),
            Kind::Fp8Blocks { .. } => None,
        }
    }

    /// The stored tensors it consists of.
    pub fn parts(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Plain(_) => vec![&*self.name],
            Kind::Fp8Blocks { scale, .. } => vec![&*self.name, &**scale],
            Kind::Mxfp4 { blocks, scales } => vec![&**blocks, &**scales],
        }
    }
}

impl Checkpoint {
    /// The tensors as the release means them, in the order of the stored ones.
    pub fn logical_tensors(&self) -> &IndexMap<Arc<str>, Logical> {
        &self.logical
    }

    /// The logical tensor `name`.
    pub fn logical(&self, name: &str) -> Result<&Logical, Error> {
        self.logical.get(name).ok_or_else(|| self.missing(name))
    }

    /// Decodes rows of a logical tensor into `out`, `[rows, width]`.
    pub fn rows_f32(&self, name: &str, rows: Range<usize>, out: &mut [f32]) -> Result<(), Error> {
        let logical = self.logical(name)?;
        check_rows(logical, &rows)?;
        let expected = rows.len() * logical.width();
        if out.len() != expected {
            return Err(request(
                name,
                "room for values:",
                out.len().to_string(),
                expected.to_string(),
            ));
        }
        match &logical.kind {
            Kind::Fp8Blocks { scale, block } => self.fp8_rows(logical, scale, *block, rows, out),
            Kind::Plain(_) | Kind::Mxfp4 { .. } => {
                let format = format_of(logical)?;
                decode(name, format, &self.raw_rows(name, rows)?, out)
            }
        }
    }

    /// Rows of a logical tensor as blocks of [`Logical::format`]: stored bytes as they are, MXFP4
    /// pairs rearranged (exactly) into GGML's order.
    pub fn raw_rows(&self, name: &str, rows: Range<usize>) -> Result<Cow<'_, [u8]>, Error> {
        let logical = self.logical(name)?;
        check_rows(logical, &rows)?;
        let format = format_of(logical)?;
        match &logical.kind {
            Kind::Mxfp4 { blocks, scales } => {
                let groups = logical.width() / MXFP4_GROUP;
                let pairs = self.row_bytes(blocks, &rows, groups * MXFP4_PAIRS)?;
                let exponents = self.row_bytes(scales, &rows, groups)?;
                let (pairs, _) = pairs.as_chunks::<MXFP4_PAIRS>();
                let blocks = pairs.iter().zip(exponents.iter());
                Ok(blocks
                    .flat_map(|(pairs, &exponent)| quant::mxfp4_from_pairs(pairs, exponent))
                    .collect())
            }
            Kind::Plain(_) | Kind::Fp8Blocks { .. } => {
                // Checked at open: a row is a whole number of blocks.
                let row = format.bytes_for(logical.width()).unwrap_or(0);
                self.row_bytes(name, &rows, row)
            }
        }
    }

    /// A whole logical tensor as blocks, with their format.
    pub fn to_blocks(&self, name: &str) -> Result<(&'static Format, Cow<'_, [u8]>), Error> {
        let logical = self.logical(name)?;
        let format = format_of(logical)?;
        Ok((format, self.raw_rows(name, 0..logical.rows())?))
    }

    /// Lets the system take back the memory behind all stored parts of a logical tensor.
    pub fn release_logical(&self, name: &str) {
        for part in self.logical.get(name).map(Logical::parts).unwrap_or_default() {
            if let Some(tensor) = self.tensors.get(part) {
                self.release(tensor);
            }
        }
    }

    /// The bytes of `rows` rows of `row` bytes each of a stored tensor.
    fn row_bytes(
        &self,
        name: &str,
        rows: &Range<usize>,
        row: usize,
    ) -> Result<Cow<'_, [u8]>, Error> {
        let (start, end) = (rows.start as u64 * row as u64, rows.end as u64 * row as u64);
        self.bytes_in(self.tensor(name)?, start..end)
    }

    fn fp8_rows(
        &self,
        logical: &Logical,
        scale: &str,
        [block_rows, block_columns]: [usize; 2],
        rows: Range<usize>,
        out: &mut [f32],
    ) -> Result<(), Error> {
        let width = logical.width();
        let matrix_rows = logical.shape[logical.shape.len() - 2];
        let grid = [matrix_rows.div_ceil(block_rows), width.div_ceil(block_columns)];
        decode(&logical.name, &quant::F8_E4M3, &self.row_bytes(&logical.name, &rows, width)?, out)?;
        let factors = self.tensor(scale)?;
        let factor_bytes = factors.dtype.bytes_for(1, 1).unwrap_or(0) as usize;
        let mut line = vec![0.0; grid[1]];
        let mut line_at = None;
        for (row, values) in rows.zip(out.chunks_exact_mut(width.max(1))) {
            let at = row / matrix_rows * grid[0] + row % matrix_rows / block_rows;
            if line_at != Some(at) {
                let bytes = self.row_bytes(scale, &(at..at + 1), grid[1] * factor_bytes)?;
                let format = factors.dtype.format().unwrap_or(&quant::F32);
                decode(scale, format, &bytes, &mut line)?;
                line_at = Some(at);
            }
            for (values, factor) in values.chunks_mut(block_columns).zip(&line) {
                for value in values {
                    *value *= factor;
                }
            }
        }
        Ok(())
    }
}

fn format_of(logical: &Logical) -> Result<&'static Format, Error> {
    logical.format().ok_or_else(|| match &logical.kind {
        Kind::Plain(dtype) => Error::NotDecodable {
            tensor: shown(&logical.name),
            found: dtype.name().to_owned(),
            why: "no program of this house computes with it",
        },
        Kind::Fp8Blocks { .. } | Kind::Mxfp4 { .. } => Error::NotDecodable {
            tensor: shown(&logical.name),
            found: "F8_E4M3 with scales".to_owned(),
            why: "it has no blocks of its own; read its values",
        },
    })
}

fn check_rows(logical: &Logical, rows: &Range<usize>) -> Result<(), Error> {
    if rows.start <= rows.end && rows.end <= logical.rows() {
        return Ok(());
    }
    Err(request(
        &logical.name,
        "rows asked for:",
        format!("{rows:?}"),
        format!("a part of 0..{}", logical.rows()),
    ))
}

fn decode(name: &str, format: &Format, bytes: &[u8], out: &mut [f32]) -> Result<(), Error> {
    format
        .decode(bytes, out)
        .map_err(|fault| request(name, "bytes:", fault.to_string(), "whole rows".to_owned()))
}

fn request(tensor: &str, what: &'static str, found: String, expected: String) -> Error {
    Error::BadRequest { tensor: shown(tensor), what, found, expected }
}

/// Pairs the stored tensors with their companions.
pub(super) fn pair(
    tensors: &IndexMap<Arc<str>, Tensor>,
    config: &Map<String, Value>,
) -> Result<IndexMap<Arc<str>, Logical>, Error> {
    let mut out = IndexMap::with_capacity(tensors.len());
    let mut consumed = Vec::new();
    for tensor in tensors.values() {
        let logical = match mxfp4(tensor, tensors)? {
            Some(logical) => Some(logical),
            None => fp8(tensor, tensors, config)?,
        };
        let logical = logical.unwrap_or_else(|| Logical {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            kind: Kind::Plain(tensor.dtype),
        });
        match &logical.kind {
            Kind::Plain(_) => {}
            Kind::Fp8Blocks { scale, .. } => consumed.push(scale.clone()),
            Kind::Mxfp4 { scales, .. } => consumed.push(scales.clone()),
        }
        if let Some(before) = out.insert(logical.name.clone(), logical) {
            return Err(Error::Duplicate { what: "logical tensor", name: shown(&before.name) });
        }
    }
    if !consumed.is_empty() {
        let consumed: std::collections::HashSet<Arc<str>> = consumed.into_iter().collect();
        out.retain(|name, _| !consumed.contains(name));
    }
    Ok(out)
}

/// The pair that `X_blocks` is half of.
fn mxfp4(tensor: &Tensor, tensors: &IndexMap<Arc<str>, Tensor>) -> Result<Option<Logical>, Error> {
    let Some(base) = tensor.name.strip_suffix("_blocks") else { return Ok(None) };
    let Some(scales) = tensors.get(format!("{base}_scales").as_str()) else { return Ok(None) };
    let fault = |why: String| Error::Companion {
        tensor: shown(&tensor.name),
        companion: shown(&scales.name),
        why,
    };
    let bytes = Dtype::of(&quant::U8);
    if tensor.dtype != bytes || scales.dtype != bytes {
        return Err(fault(format!(
            "both are U8 in MXFP4, found {} and {}",
            tensor.dtype, scales.dtype
        )));
    }
    let [outer @ .., groups, MXFP4_PAIRS] = tensor.shape.as_slice() else {
        return Err(fault(format!(
            "blocks of 16 bytes are expected, found shape {:?}",
            tensor.shape
        )));
    };
    if scales.shape.split_last() != Some((groups, outer)) {
        let (blocks, scales) = (&tensor.shape, &scales.shape);
        return Err(fault(format!("shapes {blocks:?} and {scales:?} do not belong together")));
    }
    let mut shape = outer.to_vec();
    // Sixteen bytes hold thirty-two values, so this is at most twice a checked size.
    shape.push(groups * MXFP4_GROUP);
    let kind = Kind::Mxfp4 { blocks: tensor.name.clone(), scales: scales.name.clone() };
    Ok(Some(Logical { name: base.into(), shape, kind }))
}

/// The pair that an E4M3 tensor with factors is half of.
fn fp8(
    tensor: &Tensor,
    tensors: &IndexMap<Arc<str>, Tensor>,
    config: &Map<String, Value>,
) -> Result<Option<Logical>, Error> {
    let [outer @ .., rows, columns] = tensor.shape.as_slice() else { return Ok(None) };
    if tensor.dtype != Dtype::of(&quant::F8_E4M3) {
        return Ok(None);
    }
    let by_block = tensors.get(format!("{}_scale_inv", tensor.name).as_str());
    let by_row = tensors.get(format!("{}_scale", tensor.name).as_str());
    let (scale, block) = match (by_block, by_row) {
        (Some(scale), _) => (scale, fp8_block(config)),
        // One factor a row or one for all; other layouts stay unpaired and are listed as stored.
        (None, Some(scale)) if scale.shape == [outer, &[*rows, 1]].concat() => {
            (scale, [1, *columns])
        }
        (None, Some(scale)) if outer.is_empty() && scale.elements() == 1 => {
            (scale, [*rows, *columns])
        }
        _ => return Ok(None),
    };
    let fault = |why: String| Error::Companion {
        tensor: shown(&tensor.name),
        companion: shown(&scale.name),
        why,
    };
    let block = block.map(|size| size.max(1));
    if !matches!(scale.dtype, Dtype::Number(format) if format.block == 1) {
        return Err(fault(format!("factors are floats, found {}", scale.dtype)));
    }
    let grid = [outer, &[rows.div_ceil(block[0]), columns.div_ceil(block[1])]].concat();
    let count: usize = grid.iter().product();
    if scale.elements() != count || (count != 1 && scale.shape != grid) {
        let (shape, found) = (&tensor.shape, &scale.shape);
        return Err(fault(format!(
            "shape {shape:?} in blocks of {block:?} needs factors of shape {grid:?}, found {found:?}"
        )));
    }
    let kind = Kind::Fp8Blocks { scale: scale.name.clone(), block };
    Ok(Some(Logical { name: tensor.name.clone(), shape: tensor.shape.clone(), kind }))
}

/// `quantization_config.weight_block_size`, of the model or of its text part.
fn fp8_block(config: &Map<String, Value>) -> [usize; 2] {
    let stated = |config: &Map<String, Value>| -> Option<[usize; 2]> {
        let sizes = config.get("quantization_config")?.get("weight_block_size")?.as_array()?;
        let size = |at: usize| usize::try_from(sizes.get(at)?.as_u64()?).ok();
        (sizes.len() == 2).then_some([size(0)?, size(1)?])
    };
    let text = config.get("text_config").and_then(Value::as_object);
    stated(config).or_else(|| stated(text?)).unwrap_or(FP8_BLOCK_DEFAULT)
}

//! Tensors: which there are, and by how much their numbers differ.

use std::{collections::BTreeMap, ops::Range};

use engine::{ModelFile, Params};
use indexmap::IndexMap;
use serde::Serialize;
use weights::{Checkpoint, Kind};

use crate::{formats, program::App};

/// Numbers compared at a time.
const PIECE: usize = 1 << 16;

/// How far tensors are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Names, shapes, formats.
    Headers,
    /// Every number.
    Values,
}

/// How the tensors of two checkpoints differ.
#[derive(Debug, Default, Serialize)]
pub(super) struct Numbers {
    pub(super) only_in_a: Vec<String>,
    pub(super) only_in_b: Vec<String>,
    pub(super) reshaped: Vec<Pair<Vec<usize>>>,
    pub(super) reformatted: Vec<Pair<&'static str>>,
    /// The largest relative change first.
    pub(super) changed: Vec<Change>,
    /// Tensors whose numbers are all equal.
    pub(super) equal: usize,
    /// In both, same shape, but their numbers were not compared.
    pub(super) not_read: usize,
    pub(super) layers: Vec<LayerChange>,
    /// All compared tensors together.
    pub(super) all: Option<Measure>,
}

/// A property of one tensor that differs.
#[derive(Debug, Serialize)]
pub(super) struct Pair<T> {
    pub(super) name: String,
    pub(super) a: T,
    pub(super) b: T,
}

/// A tensor whose numbers differ.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) measure: Measure,
}

/// The tensors of one layer together; `None`: those of no layer.
#[derive(Debug, Serialize)]
pub(super) struct LayerChange {
    pub(super) layer: Option<usize>,
    pub(super) tensors: usize,
    #[serde(flatten)]
    pub(super) measure: Measure,
}

/// How far two lists of numbers are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Measure {
    /// |A - B| / |A|; `None` when A is all zeros.
    pub(super) relative: Option<f64>,
    pub(super) max_abs: f64,
    /// `None` when a side is all zeros.
    pub(super) cosine: Option<f64>,
    /// Pairs with a number that is not finite; the rest is of the others.
    pub(super) non_finite: u64,
}

impl Numbers {
    /// Whether nothing differs.
    pub(super) fn same(&self) -> bool {
        self.only_in_a.is_empty()
            && self.only_in_b.is_empty()
            && self.reshaped.is_empty()
            && self.reformatted.is_empty()
            && self.changed.is_empty()
    }
}

/// Sums over pairs of numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    aa: f64,
    bb: f64,
    ab: f64,
    dd: f64,
    max: f64,
    non_finite: u64,
    different: bool,
}

impl Sums {
    fn add(&mut self, a: &[f32], b: &[f32]) {
        for (&a, &b) in a.iter().zip(b) {
            self.different |= a.to_bits() != b.to_bits() && a != b;
            if !(a.is_finite() && b.is_finite()) {
                self.non_finite += 1;
                continue;
            }
            let (a, b) = (f64::from(a), f64::from(b));
            let d = a - b;
            self.aa += a * a;
            self.bb += b * b;
            self.ab += a * b;
            self.dd += d * d;
            self.max = self.max.max(d.abs());
        }
    }

    fn and(&mut self, other: &Sums) {
        self.aa += other.aa;
        self.bb += other.bb;
        self.ab += other.ab;
        self.dd += other.dd;
        self.max = self.max.max(other.max);
        self.non_finite += other.non_finite;
        self.different |= other.different;
    }

    fn measure(&self) -> Measure {
        let norms = (self.aa * self.bb).sqrt();
        Measure {
            relative: (self.aa > 0.0).then(|| (self.dd / self.aa).sqrt()),
            max_abs: self.max,
            cosine: (norms > 0.0).then(|| (self.ab / norms).clamp(-1.0, 1.0)),
            non_finite: self.non_finite,
        }
    }
}

/// One side: tensors as stored, or parameters of a model.
enum Side {
    Stored(Box<Checkpoint>),
    Model(Box<ModelFile>),
}

/// A tensor or a parameter.
struct Entry {
    shape: Vec<usize>,
    rows: usize,
    width: usize,
    format: &'static str,
    bytes: u64,
    /// Of a parameter, its number.
    param: usize,
    readable: bool,
}

impl Side {
    fn entries(&self) -> IndexMap<String, Entry> {
        match self {
            Side::Stored(checkpoint) => checkpoint
                .logical_tensors()
                .values()
                .map(|logical| {
                    let entry = Entry {
                        shape: logical.shape.clone(),
                        rows: logical.rows(),
                        width: logical.width(),
                        format: formats::name(logical),
                        bytes: formats::bytes(checkpoint, logical),
                        param: 0,
                        readable: !matches!(logical.kind, Kind::Plain(dtype) if dtype.format().is_none()),
                    };
                    (logical.name.to_string(), entry)
                })
                .collect(),
            Side::Model(file) => {
                let params = file.model().graph.params.iter().enumerate();
                params
                    .filter(|(_, param)| param.tied_to.is_none())
                    .map(|(id, param)| {
                        let [experts, outs, width] = param.shape;
                        let entry = Entry {
                            shape: param.shape.to_vec(),
                            rows: experts * outs,
                            width,
                            format: file.format(id).name,
                            bytes: param.elements() as u64,
                            param: id,
                            readable: true,
                        };
                        (param.name.clone(), entry)
                    })
                    .collect()
            }
        }
    }

    fn rows(
        &self,
        name: &str,
        entry: &Entry,
        rows: Range<usize>,
        out: &mut [f32],
    ) -> anyhow::Result<()> {
        match self {
            Side::Stored(checkpoint) => checkpoint.rows_f32(name, rows, out)?,
            Side::Model(file) => file.rows(entry.param, rows, out)?,
        }
        Ok(())
    }

    fn release(&self, name: &str, entry: &Entry) {
        match self {
            Side::Stored(checkpoint) => checkpoint.release_logical(name),
            Side::Model(file) => file.release(entry.param),
        }
    }
}

/// Compares the tensors of both.
pub(super) fn compare(
    app: &App,
    a: Checkpoint,
    b: Checkpoint,
    depth: Depth,
    notes: &mut Vec<String>,
) -> anyhow::Result<Numbers> {
    let same_container = a.container() == b.container();
    let (a, b) = if same_container {
        (Side::Stored(Box::new(a)), Side::Stored(Box::new(b)))
    } else {
        notes.push(
            "compared by parameter, as models: some families keep rows of attn_q and attn_k in another \
             order in GGUF, which counts as a change here"
                .to_owned(),
        );
        (Side::Model(Box::new(ModelFile::new(a)?)), Side::Model(Box::new(ModelFile::new(b)?)))
    };
    let (entries_a, entries_b) = (a.entries(), b.entries());
    let mut found = Numbers::default();
    let lacking = |from: &IndexMap<String, Entry>, other: &IndexMap<String, Entry>| {
        from.keys().filter(|name| !other.contains_key(*name)).cloned().collect::<Vec<_>>()
    };
    found.only_in_a = lacking(&entries_a, &entries_b);
    found.only_in_b = lacking(&entries_b, &entries_a);
    let total = entries_a.values().map(|entry| entry.bytes).sum();
    let progress = app.output.progress("comparing", total);
    let (mut done, mut layers, mut all) =
        (0, BTreeMap::<Option<usize>, (usize, Sums)>::new(), Sums::default());
    for (name, entry) in &entries_a {
        done += entry.bytes;
        let Some(other) = entries_b.get(name) else { continue };
        if entry.format != other.format {
            found.reformatted.push(Pair { name: name.clone(), a: entry.format, b: other.format });
        }
        if entry.shape != other.shape {
            let (a, b) = (entry.shape.clone(), other.shape.clone());
            found.reshaped.push(Pair { name: name.clone(), a, b });
            continue;
        }
        if depth == Depth::Headers || !entry.readable || !other.readable {
            found.not_read += 1;
            continue;
        }
        let sums = one(name, (&a, entry), (&b, other))?;
        if sums.different {
            found.changed.push(Change { name: name.clone(), measure: sums.measure() });
        } else {
            found.equal += 1;
        }
        let layer = layers.entry(layer_of(name)).or_default();
        layer.0 += 1;
        layer.1.and(&sums);
        all.and(&sums);
        progress.set(done, total);
    }
    progress.finish();
    let size = |change: &Change| change.measure.relative.unwrap_or(f64::INFINITY);
    found.changed.sort_by(|x, y| size(y).total_cmp(&size(x)));
    found.all = (!layers.is_empty()).then(|| all.measure());
    found.layers = layers
        .into_iter()
        .filter(|(_, (_, sums))| sums.different)
        .map(|(layer, (tensors, sums))| LayerChange { layer, tensors, measure: sums.measure() })
        .collect();
    Ok(found)
}

/// One tensor, piece by piece.
fn one(
    name: &str,
    (a, entry_a): (&Side, &Entry),
    (b, entry_b): (&Side, &Entry),
) -> anyhow::Result<Sums> {
    let mut sums = Sums::default();
    let width = entry_a.width;
    if width == 0 {
        return Ok(sums);
    }
    let at_once = (PIECE / width).max(1);
    let (mut left, mut right) = (vec![], vec![]);
    let mut row = 0;
    while row < entry_a.rows {
        let end = entry_a.rows.min(row + at_once);
        left.resize((end - row) * width, 0.0);
        right.resize((end - row) * width, 0.0);
        a.rows(name, entry_a, row..end, &mut left)?;
        b.rows(name, entry_b, row..end, &mut right)?;
        sums.add(&left, &right);
        row = end;
    }
    a.release(name, entry_a);
    b.release(name, entry_b);
    Ok(sums)
}

/// The layer a name speaks of: the first of its parts that is a number.
fn layer_of(name: &str) -> Option<usize> {
    name.split('.').find_map(|part| part.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_are_those_of_the_definitions() {
        let mut sums = Sums::default();
        sums.add(&[3.0, 4.0], &[3.0, 3.0]);
        let found = sums.measure();
        assert!((found.relative.unwrap() - 0.2).abs() < 1e-12 && sums.different);
        assert!((found.cosine.unwrap() - 21.0 / (25.0_f64 * 18.0).sqrt()).abs() < 1e-12);
        assert_eq!(found.max_abs, 1.0);
        let mut same = Sums::default();
        same.add(&[f32::NAN, 0.0], &[f32::NAN, -0.0]);
        assert!(!same.different);
        assert_eq!((same.non_finite, same.measure().relative), (1, None));
    }

    #[test]
    fn layers_are_read_from_names() {
        assert_eq!(layer_of("blk.12.attn_q.weight"), Some(12));
        assert_eq!(layer_of("model.layers.3.mlp.experts.7.w1.weight"), Some(3));
        assert_eq!(layer_of("token_embd.weight"), None);
    }
}

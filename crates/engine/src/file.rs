//! A checkpoint understood as a model: its graph, and where every parameter's numbers lie.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    ops::Range,
    path::Path,
};

use model::{Dialect, Error as ModelError, Facts, Model, Param, facts::Tensors, source::Turn};
use quant::Format;
use serde_json::{Map, Value};
use weights::{Checkpoint, Container, Kind};

use crate::{Error, executor::Params};

/// Longest tensor that a configuration may depend on (RoPE factors have one entry a pair).
const TABLE_MAX: usize = 65_536;
/// Most faults listed in one error.
const FAULTS_MAX: usize = 12;

/// A checkpoint and the model it holds. Every parameter of the graph has been found in the right shape,
/// and no tensor is left over.
#[derive(Debug)]
pub struct ModelFile {
    checkpoint: Checkpoint,
    model: Model,
    places: Vec<Place>,
    unused: Vec<String>,
}

/// Where a parameter's numbers lie.
#[derive(Clone, Debug)]
struct Place {
    /// The logical tensors: one, or one an expert.
    tensors: Vec<String>,
    /// What [`Params::raw`] gives.
    format: &'static Format,
    /// Whether rows come straight from the file, block for block.
    straight: bool,
}

impl ModelFile {
    /// Opens what `path` names and understands it as a model.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::new(Checkpoint::open(path)?)
    }

    /// Understands a checkpoint as a model.
    pub fn new(checkpoint: Checkpoint) -> Result<Self, Error> {
        let lookup = Lookup(&checkpoint);
        let (dialect, architecture, values) = read_config(&checkpoint)?;
        let tensors: &dyn Tensors = &lookup;
        let model = model::build(&Facts::new(dialect, &architecture, &values, tensors))?;
        let mut faults = vec![];
        let mut used = HashSet::new();
        let mut places = vec![];
        for param in &model.graph.params {
            places.push(place(&checkpoint, &model, param, &mut used, &mut faults));
        }
        faults.extend(left_over(&checkpoint, &model, &places));
        let mut unused = vec![];
        for name in checkpoint.logical_tensors().keys().filter(|name| !used.contains(&***name)) {
            if model.unused.iter().any(|pattern| matches(pattern, name)) {
                unused.push(name.to_string());
            } else {
                faults.push(format!("unexpected tensor {}", weights::shown(name)));
            }
        }
        if !faults.is_empty() {
            let more = faults.len().saturating_sub(FAULTS_MAX);
            faults.truncate(FAULTS_MAX);
            if more > 0 {
                faults.push(format!("and {more} more"));
            }
            return Err(Error::Tensors { path: checkpoint.path().to_owned(), faults });
        }
        Ok(ModelFile { checkpoint, model, places, unused })
    }

    /// The files.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// What they compute.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Tensors that inference does not use, by name (vision towers, prediction heads for training).
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    fn tensor_row(&self, param: usize, row: usize) -> (&str, usize) {
        let (graph, place) = (&self.model.graph, &self.places[param]);
        let p = &graph.params[param];
        if p.source.per_expert() {
            let each = matrix_rows(p);
            (&place.tensors[row / each], p.source.rows.at(row % each).unwrap_or(usize::MAX))
        } else {
            (&place.tensors[0], p.source.rows.at(row).unwrap_or(usize::MAX))
        }
    }

    /// Runs of rows that follow one another in one tensor: `(tensor, its rows)`.
    fn runs(&self, param: usize, rows: Range<usize>) -> Vec<(&str, Range<usize>)> {
        let mut runs: Vec<(&str, Range<usize>)> = vec![];
        let p = &self.model.graph.params[param];
        let contiguous =
            p.source.rows.run.min(if p.source.per_expert() { matrix_rows(p) } else { usize::MAX });
        let mut row = rows.start;
        while row < rows.end {
            // Up to the end of this run of rows, or of what was asked for.
            let left = (contiguous - row % contiguous).min(rows.end - row);
            let (tensor, first) = self.tensor_row(param, row);
            match runs.last_mut() {
                Some((last, range)) if *last == tensor && range.end == first => range.end += left,
                _ => runs.push((tensor, first..first.saturating_add(left))),
            }
            row += left;
        }
        runs
    }

    /// A matrix that the checkpoint keeps turned, right way round: rows of `[experts * out, in]`.
    fn turned(&self, param: usize, rows: Range<usize>, out: &mut [f32]) -> Result<(), Error> {
        let p = &self.model.graph.params[param];
        let [_, outs, ins] = p.shape;
        let mut done = 0;
        for expert in rows.start / outs..rows.end.div_ceil(outs) {
            let wanted = rows.start.max(expert * outs)..rows.end.min((expert + 1) * outs);
            match p.source.turn {
                // The tensor is [experts, in, out of the tensor]; chosen columns become rows.
                Turn::Stored => {
                    let tensor =
                        &self.places[param].tensors[if p.source.per_expert() { expert } else { 0 }];
                    let logical = self.checkpoint.logical(tensor)?;
                    let width = logical.width();
                    let per = logical.rows() / if p.source.per_expert() { 1 } else { p.shape[0] };
                    let base = if p.source.per_expert() { 0 } else { expert * per };
                    let mut line = vec![0.0; width];
                    for i in 0..ins {
                        self.checkpoint.rows_f32(tensor, base + i..base + i + 1, &mut line)?;
                        for (j, row) in wanted.clone().enumerate() {
                            let column =
                                p.source.rows.at(row - expert * outs).unwrap_or(usize::MAX);
                            let number = line.get(column).copied().unwrap_or(f32::NAN);
                            out[(done + j) * ins + i] = number;
                        }
                    }
                }
                // Chosen rows are [experts, in, out].
                Turn::Chosen => {
                    let mut line = vec![0.0; outs];
                    for i in 0..ins {
                        let (tensor, row) = self.tensor_row_of(param, expert * ins + i);
                        self.checkpoint.rows_f32(tensor, row..row + 1, &mut line)?;
                        for (j, row) in wanted.clone().enumerate() {
                            out[(done + j) * ins + i] = line[row - expert * outs];
                        }
                    }
                }
                Turn::None => unreachable!("only turned matrices come here"),
            }
            done += wanted.len();
        }
        Ok(())
    }

    fn tensor_row_of(&self, param: usize, row: usize) -> (&str, usize) {
        let rows = self.model.graph.params[param].source.rows;
        (&self.places[param].tensors[0], rows.at(row).unwrap_or(usize::MAX))
    }
}

impl Params for ModelFile {
    fn format(&self, param: usize) -> &'static Format {
        self.places[param].format
    }

    fn raw(&self, param: usize, rows: Range<usize>) -> Result<Cow<'_, [u8]>, Error> {
        let place = &self.places[param];
        let width = self.model.graph.params[param].shape[2];
        if !place.straight {
            let mut numbers = vec![0.0; rows.len() * width];
            self.rows(param, rows.clone(), &mut numbers)?;
            let row_bytes = place.format.bytes_for(width).unwrap_or(0);
            let mut bytes = vec![0; row_bytes * rows.len()];
            place.format.encode(&numbers, &mut bytes).map_err(|source| Error::Format {
                tensor: self.model.graph.params[param].name.clone(),
                source,
            })?;
            return Ok(Cow::Owned(bytes));
        }
        let mut runs = self.runs(param, rows).into_iter();
        let Some((tensor, rows)) = runs.next() else { return Ok(Cow::Borrowed(&[])) };
        let mut bytes = self.checkpoint.raw_rows(tensor, rows)?;
        for (tensor, rows) in runs {
            bytes.to_mut().extend_from_slice(&self.checkpoint.raw_rows(tensor, rows)?);
        }
        Ok(bytes)
    }

    fn rows(&self, param: usize, rows: Range<usize>, out: &mut [f32]) -> Result<(), Error> {
        let p = &self.model.graph.params[param];
        if p.source.turn != Turn::None {
            self.turned(param, rows, out)?;
        } else if p.is_vector() || is_bias(p) {
            // A vector may be a part of a longer one, or have axes of one entry.
            self.vector(param, rows, out)?;
        } else {
            let width = p.shape[2];
            let mut done = 0;
            for (tensor, rows) in self.runs(param, rows) {
                let len = rows.len() * width;
                self.checkpoint.rows_f32(tensor, rows, &mut out[done..done + len])?;
                done += len;
            }
        }
        if p.source.plus != 0.0 {
            out.iter_mut().for_each(|x| *x += p.source.plus);
        }
        Ok(())
    }

    fn release(&self, param: usize) {
        for tensor in &self.places[param].tensors {
            self.checkpoint.release_logical(tensor);
        }
    }
}

impl ModelFile {
    /// Entries of a vector, or of the biases `[experts, out]` of a stack, by the row map of its matrix.
    fn vector(&self, param: usize, rows: Range<usize>, out: &mut [f32]) -> Result<(), Error> {
        let p = &self.model.graph.params[param];
        let (tensors, each) = (&self.places[param].tensors, p.source.per_expert());
        // A tensor is read once, however many experts' rows it holds.
        let mut all = vec![];
        for (row, out) in rows.zip(out.chunks_exact_mut(p.shape[2])) {
            if all.is_empty() || each {
                let tensor = &tensors[if each { row } else { 0 }];
                let logical = self.checkpoint.logical(tensor)?;
                all.resize(logical.elements(), 0.0);
                self.checkpoint.rows_f32(tensor, 0..logical.rows(), &mut all)?;
            }
            let base = if each { 0 } else { row * (all.len() / p.shape[1]) };
            for (i, out) in out.iter_mut().enumerate() {
                let at = p.source.rows.at(i).map(|at| base + at);
                *out = at.and_then(|at| all.get(at).copied()).unwrap_or(f32::NAN);
            }
        }
        Ok(())
    }
}

/// Rows of one expert's matrix as the row map counts them.
fn matrix_rows(param: &Param) -> usize {
    param.shape[1]
}

/// The biases of a stack of experts: `[1, experts, out]`.
fn is_bias(param: &Param) -> bool {
    param.name.rsplit('.').next() == Some("bias")
}

/// The configuration to read: dialect, architecture, values. Multimodal checkpoints nest their text model's.
fn read_config(checkpoint: &Checkpoint) -> Result<(Dialect, String, Map<String, Value>), Error> {
    let config = &checkpoint.metadata().config;
    let none = |expected| Error::NoArchitecture { path: checkpoint.path().to_owned(), expected };
    let word = |map: &Map<String, Value>, key: &str| {
        map.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    match checkpoint.container() {
        Container::Gguf => {
            let name = word(config, "general.architecture")
                .ok_or_else(|| none("the key general.architecture"))?;
            Ok((Dialect::Gguf, name, config.clone()))
        }
        Container::Safetensors => {
            let outer = word(config, "model_type")
                .ok_or_else(|| none("a config.json beside the weights with a model_type"))?;
            let Some(Value::Object(text)) = config.get("text_config") else {
                return Ok((Dialect::HuggingFace, outer, config.clone()));
            };
            let mut values = config.clone();
            values.extend(text.iter().map(|(key, value)| (key.clone(), value.clone())));
            let name = word(text, "model_type").unwrap_or(outer);
            Ok((Dialect::HuggingFace, name, values))
        }
    }
}

struct Lookup<'a>(&'a Checkpoint);

impl Tensors for Lookup<'_> {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.0.logical(&find(self.0, name)?).ok()?.shape.clone())
    }

    fn table(&self, name: &str) -> Option<Vec<f32>> {
        let logical = self.0.logical(name).ok().filter(|l| l.elements() <= TABLE_MAX)?;
        let mut numbers = vec![0.0; logical.elements()];
        self.0.rows_f32(name, 0..logical.rows(), &mut numbers).ok()?;
        Some(numbers)
    }
}

/// The tensor of this name, or of the same name within a multimodal checkpoint's text part.
fn find(checkpoint: &Checkpoint, name: &str) -> Option<String> {
    let tensors = checkpoint.logical_tensors();
    let rest = name.strip_prefix("model.");
    let nested = [
        Some(name.to_owned()),
        Some(format!("language_model.{name}")),
        rest.map(|rest| format!("model.language_model.{rest}")),
        // Checkpoints saved from the bare model have no head and no prefix.
        rest.map(str::to_owned),
        name.strip_prefix("transformer.").map(str::to_owned),
    ];
    nested.into_iter().flatten().find(|name| tensors.contains_key(name.as_str()))
}

/// Finds a parameter's tensors and checks their shapes.
fn place(
    checkpoint: &Checkpoint,
    model: &Model,
    param: &Param,
    used: &mut HashSet<String>,
    faults: &mut Vec<String>,
) -> Place {
    let mut place = Place { tensors: vec![], format: &quant::F32, straight: false };
    let mut formats: Vec<Option<&'static Format>> = vec![];
    if let Some(other) = param.tied_to {
        // A copy of the head in the file would be equal; it need not be there.
        let twin = find(checkpoint, &param.source.tensor);
        used.extend(twin);
        let other = &model.graph.params[other];
        return place_of_tied(checkpoint, other, place);
    }
    for name in param.source.tensors(param.shape[0]) {
        let Some(found) = find(checkpoint, &name) else {
            faults.push(format!("missing tensor {name} (for {})", param.name));
            continue;
        };
        let Ok(logical) = checkpoint.logical(&found) else { continue };
        if let Some(expected) = misshapen(param, &logical.shape) {
            faults
                .push(format!("tensor {name} has shape {:?}, expected {expected}", logical.shape));
        }
        formats.push(match &logical.kind {
            Kind::Fp8Blocks { .. } => None,
            Kind::Plain(_) | Kind::Mxfp4 { .. } => logical.format(),
        });
        if let Kind::Plain(dtype) = &logical.kind
            && dtype.format().is_none()
        {
            faults.push(format!(
                "tensor {name} holds {}, expected numbers we can decode",
                dtype.name()
            ));
        }
        used.insert(found.clone());
        place.tensors.push(found);
    }
    settle(&mut place, &formats, param);
    place
}

fn place_of_tied(checkpoint: &Checkpoint, other: &Param, mut place: Place) -> Place {
    place.tensors = other.source.tensors(1).filter_map(|name| find(checkpoint, &name)).collect();
    let formats: Vec<_> = (place.tensors.iter())
        .map(|name| checkpoint.logical(name).ok().and_then(weights::Logical::format))
        .collect();
    settle(&mut place, &formats, other);
    place
}

/// The format rows are handed on in: as stored where they come straight from the file; else the
/// stored element type, or F32 for blocks that had to be taken apart.
fn settle(place: &mut Place, formats: &[Option<&'static Format>], param: &Param) {
    let first = formats.first().copied().flatten();
    let same = formats.iter().all(|format| *format == first);
    let s = &param.source;
    place.straight = same && first.is_some() && s.turn == Turn::None && s.plus == 0.0;
    place.format = match first {
        Some(format) if place.straight => format,
        Some(format) if same && format.block == 1 && s.plus == 0.0 => format,
        _ => &quant::F32,
    };
}

/// What shape was expected, where the tensor's is not it.
fn misshapen(param: &Param, shape: &[usize]) -> Option<String> {
    let [experts, out, width] = param.shape;
    let s = &param.source;
    let elements: usize = shape.iter().product();
    let stack = if s.per_expert() { 1 } else { experts };
    if param.is_vector() || is_bias(param) {
        let rows = if s.per_expert() || is_bias(param) && out > 1 { out } else { 1 };
        let rows = if s.per_expert() { 1 } else { rows };
        let last = s.rows.at(width - 1).and_then(|last| last.checked_add(1));
        let fits = if s.whole {
            elements == rows * width
        } else {
            last.is_some_and(|last| elements.is_multiple_of(rows) && elements / rows >= last)
        };
        return (!fits).then(|| format!("{} numbers", rows * width));
    }
    // The matrix as the tensor should hold it: how many rows the map reaches, how wide.
    let (rows, columns) = match s.turn {
        Turn::None => (stack * out, width),
        Turn::Chosen => (stack * width, out),
        Turn::Stored => (out, width),
    };
    let reach = s.rows.at(rows - 1).and_then(|last| last.checked_add(1));
    let all = s.whole;
    let tensor_rows: usize = shape.split_last().map_or(1, |(_, rest)| rest.iter().product());
    let tensor_columns = shape.last().copied().unwrap_or(1);
    let fits = match s.turn {
        Turn::Stored => {
            tensor_rows == stack * width
                && if all {
                    tensor_columns == out
                } else {
                    reach.is_some_and(|r| tensor_columns >= r)
                }
        }
        _ => {
            tensor_columns == columns
                && if all { tensor_rows == rows } else { reach.is_some_and(|r| tensor_rows >= r) }
        }
    };
    (!fits).then(|| match s.turn {
        Turn::Stored => format!(
            "[{}{width}, {out}]",
            if stack > 1 { format!("{stack}, ") } else { String::new() }
        ),
        _ if all => format!(
            "[{}{}, {columns}]",
            if stack > 1 { format!("{stack}, ") } else { String::new() },
            rows / stack
        ),
        _ => format!("at least {} rows of {columns}", reach.unwrap_or(0)),
    })
}

/// Fused tensors with more rows than the parameters cut from them reach.
fn left_over(checkpoint: &Checkpoint, model: &Model, places: &[Place]) -> Vec<String> {
    let mut reached: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (param, place) in model.graph.params.iter().zip(places) {
        let s = &param.source;
        let Some((tensor, logical)) = place.tensors.first().and_then(|name| {
            (!s.whole && param.tied_to.is_none()).then_some(name).zip(checkpoint.logical(name).ok())
        }) else {
            continue;
        };
        let [experts, out, width] = param.shape;
        let stacked = is_bias(param) && out > 1;
        let (length, last) = match s.turn {
            Turn::Stored => (logical.width(), out),
            Turn::None if stacked => (logical.width(), width),
            Turn::None if param.is_vector() => (logical.elements(), width),
            Turn::None => (logical.rows(), experts * out),
            Turn::Chosen => (logical.rows(), experts * width),
        };
        let end = s.rows.at(last - 1).map_or(0, |last| last.saturating_add(1));
        let entry = reached.entry(tensor).or_insert((length, 0));
        entry.1 = entry.1.max(end);
    }
    let short = reached.into_iter().filter(|(_, (length, end))| end < length);
    short
        .map(|(name, (length, end))| {
            format!("tensor {name} has {length} rows, the configuration accounts for {end}")
        })
        .collect()
}

/// Whether `name` matches a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => {
            let Some(rest) = name.strip_prefix(head) else { return false };
            // A pattern ends in few stars, and names are short.
            (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| matches(tail, rest)))
        }
    }
}

/// An unknown architecture, for callers that tell it apart.
pub fn is_unknown_architecture(error: &Error) -> bool {
    matches!(error, Error::Model(ModelError::UnknownArchitecture { .. }))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_stand_for_anything_where_a_star_is() {
        assert!(matches("*.rotary_emb.inv_freq", "model.layers.0.self_attn.rotary_emb.inv_freq"));
        assert!(matches("vision_tower.*", "vision_tower.x.y"));
        assert!(!matches("vision_tower.*", "model.vision_tower.x"));
        assert!(matches("h.*.attn.bias", "h.11.attn.bias"));
    }
}

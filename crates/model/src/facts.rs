//! What a checkpoint says about its model, in either of two vocabularies.
//!
//! A family asks for a setting by both of its names: the one `config.json` uses and the GGUF key
//! without its architecture prefix. So each setting is read once, by one line, from either kind of
//! file. Values are typed and bounded here; nothing else looks at raw configuration.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::{
    Error,
    rope::{Rope, RopeStyle},
};

pub(crate) mod faults;
mod rope;
mod words;

/// Which vocabulary a checkpoint speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `config.json` and Hugging Face tensor names.
    HuggingFace,
    /// GGUF metadata and canonical tensor names.
    Gguf,
}

/// The tensors a checkpoint has, as far as a configuration depends on them.
pub trait Tensors {
    /// The shape of a tensor, slowest axis first.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;
    /// A short tensor's numbers: RoPE factors that GGUF keeps as tensors. `None` for large ones.
    fn table(&self, name: &str) -> Option<Vec<f32>>;
}

/// A setting's two names: in `config.json`, and in GGUF without the architecture. Empty where a
/// vocabulary lacks it.
pub type Key = (&'static str, &'static str);

/// What a checkpoint says about its model.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Which vocabulary.
    pub dialect: Dialect,
    /// The model's kind as the file names it: GGUF's `general.architecture` or `model_type`.
    pub architecture: &'a str,
    /// `config.json`, or all GGUF scalars and short lists.
    pub values: &'a Map<String, Value>,
    /// The tensors.
    pub tensors: &'a dyn Tensors,
    /// The family that asks, for errors.
    pub family: &'static str,
    /// Where faults are collected; none means that the first one ends the reading.
    faults: Option<&'a faults::Faults>,
}

/// What a family knows of its rotation before it reads a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Turning<'k> {
    /// Entries of a head that turn.
    pub dims: usize,
    /// How its GGUF files pair entries.
    pub gguf: RopeStyle,
    /// How its checkpoints on the hub pair them.
    pub hub: RopeStyle,
    /// The kind of layer, where `rope_parameters` has one set for each.
    pub kind: Option<&'k str>,
    /// The base, where the file names none.
    pub theta: f64,
    /// The context, where a `config.json` names none.
    pub context: usize,
    /// The context of the first training that the reference assumes where a `config.json` names none
    /// outside the rotation's own settings.
    pub original: Option<usize>,
}

impl Turning<'_> {
    /// Halves on the hub, base 10 000, all layers alike, a context of 2048.
    pub fn usual(dims: usize, gguf: RopeStyle) -> Self {
        let hub = RopeStyle::Halves;
        Turning { dims, gguf, hub, kind: None, theta: 10_000.0, context: 2048, original: None }
    }
}

/// No size in a configuration may be larger: beyond any model there is, and products of three fit.
pub const LARGEST: usize = 1 << 24;

impl<'a> Facts<'a> {
    /// What a checkpoint that speaks this dialect says: its kind, its settings, its tensors.
    pub fn new(
        dialect: Dialect,
        architecture: &'a str,
        values: &'a Map<String, Value>,
        tensors: &'a dyn Tensors,
    ) -> Self {
        Facts { dialect, architecture, values, tensors, family: "", faults: None }
    }

    /// The value of a setting; in `config.json`, null counts as absent. (In GGUF's metadata it stands for a
    /// number that is none, and is refused where a number is wanted.)
    pub fn value(&self, key: Key) -> Option<&'a Value> {
        let name = self.name(key)?;
        let absent = |value: &Value| value.is_null() && self.dialect == Dialect::HuggingFace;
        self.values.get(&name).filter(|value| !absent(value))
    }

    /// Whether the setting is spelled out, be it as null.
    pub fn spelled(&self, key: Key) -> bool {
        self.name(key).is_some_and(|name| self.values.contains_key(&name))
    }

    /// A positive whole number.
    pub fn size(&self, key: Key) -> Result<usize, Error> {
        match self.size_opt(key)? {
            Some(size) => Ok(size),
            None => self.past(self.missing(key), self.some_size(key)),
        }
    }

    /// A positive whole number, or `default` where absent.
    pub fn size_or(&self, key: Key, default: usize) -> Result<usize, Error> {
        Ok(self.size_opt(key)?.unwrap_or(default))
    }

    /// A positive whole number, if it is given. GGUF lists of equal numbers, one a layer, count as that number.
    pub fn size_opt(&self, key: Key) -> Result<Option<usize>, Error> {
        match self.count_opt(key)? {
            Some(0) => {
                self.past(self.bad(key, 0, "a positive whole number"), Some(self.some_size(key)))
            }
            count => Ok(count),
        }
    }

    /// A whole number, zero allowed, or `default` where absent.
    pub fn count_or(&self, key: Key, default: usize) -> Result<usize, Error> {
        Ok(self.count_opt(key)?.unwrap_or(default))
    }

    fn count_opt(&self, key: Key) -> Result<Option<usize>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let one = match value.as_array() {
            Some(list) if !list.is_empty() && list.iter().all(|other| *other == list[0]) => {
                &list[0]
            }
            _ => value,
        };
        let size = one.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= LARGEST);
        let expected = || format!("a whole number up to {LARGEST}");
        match size {
            Some(size) => Ok(Some(size)),
            None => self.past(self.bad(key, value, expected()), Some(self.some_size(key))),
        }
    }

    /// A finite number.
    pub fn float(&self, key: Key) -> Result<f64, Error> {
        match self.float_opt(key)? {
            Some(number) => Ok(number),
            None => self.past(self.missing(key), self.some_number()),
        }
    }

    /// A finite number, or `default` where absent.
    pub fn float_or(&self, key: Key, default: f64) -> Result<f64, Error> {
        Ok(self.float_opt(key)?.unwrap_or(default))
    }

    /// A finite number, if it is given.
    pub fn float_opt(&self, key: Key) -> Result<Option<f64>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_f64().filter(|number| (*number as f32).is_finite()) {
            Some(number) => Ok(Some(number)),
            None => self.past(self.bad(key, value, "a finite number"), Some(self.some_number())),
        }
    }

    /// A positive number, or `default` where absent.
    pub fn positive_or(&self, key: Key, default: f64) -> Result<f64, Error> {
        let number = self.float_or(key, default)?;
        if number > 0.0 {
            return Ok(number);
        }
        self.past(self.bad(key, number, "a positive number"), self.some_number())
    }

    /// A positive number; `default` where absent, and none where `config.json` says null.
    pub fn positive_unless_null(&self, key: Key, default: f64) -> Result<Option<f64>, Error> {
        if self.spelled(key) && self.value(key).is_none() {
            return Ok(None);
        }
        self.positive_or(key, default).map(Some)
    }

    /// A norm's epsilon: between 0 and 1.
    pub fn epsilon(&self, key: Key) -> Result<f32, Error> {
        self.epsilon_in(key, self.float(key)?)
    }

    /// A norm's epsilon, or the `default` of the reference implementation where `config.json` is silent.
    pub fn epsilon_or(&self, key: Key, default: f64) -> Result<f32, Error> {
        match self.dialect {
            Dialect::HuggingFace => self.epsilon_in(key, self.float_or(key, default)?),
            Dialect::Gguf => self.epsilon(key),
        }
    }

    fn epsilon_in(&self, key: Key, eps: f64) -> Result<f32, Error> {
        if eps > 0.0 && eps < 1.0 {
            Ok(eps as f32)
        } else {
            self.past(self.bad(key, eps, "between 0 and 1"), self.some_number() as f32)
        }
    }

    /// Yes or no, or `default` where absent.
    pub fn flag_or(&self, key: Key, default: bool) -> Result<bool, Error> {
        match self.value(key) {
            None => Ok(default),
            Some(value) => match value.as_bool() {
                Some(flag) => Ok(flag),
                None => self.past(self.bad(key, value, "true or false"), default),
            },
        }
    }

    /// Refuses a setting that is there and says otherwise than `only`: what the family can't honour.
    pub fn only(&self, key: Key, only: bool) -> Result<(), Error> {
        if self.flag_or(key, only)? == only {
            return Ok(());
        }
        self.past(self.bad(key, !only, only), ())
    }

    /// A word, if it is given.
    pub fn text_opt(&self, key: Key) -> Result<Option<&'a str>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => self.past(self.bad(key, value, "a string"), None),
        }
    }

    /// A list, if it is given.
    pub fn list_opt(&self, key: Key) -> Result<Option<&'a [Value]>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.as_array() {
            Some(list) => Ok(Some(list)),
            None => self.past(self.bad(key, value, "a list"), None),
        }
    }

    /// A list with one entry for each of `layers`, if it is given.
    pub fn per_layer(&self, key: Key, layers: usize) -> Result<Option<&'a [Value]>, Error> {
        match self.list_opt(key)? {
            Some(list) if list.len() != layers => {
                let found = format!("{} entries", list.len());
                self.past(self.bad(key, found, format!("{layers}, one a layer")), None)
            }
            list => Ok(list),
        }
    }

    /// Rows of the embedding table: the size of the vocabulary, as the tensors have it.
    pub fn vocab(&self, embedding: Key) -> Result<usize, Error> {
        let name = if self.dialect == Dialect::Gguf { embedding.1 } else { embedding.0 };
        let rows = self.tensors.shape(name).and_then(|shape| shape.first().copied());
        match (self.size_opt(("vocab_size", ""))?, rows) {
            (Some(said), Some(rows)) if said != rows => {
                let expected = format!("{rows}, the rows of {name}");
                self.past(self.bad(("vocab_size", ""), said, expected), said)
            }
            (_, Some(rows)) if rows > 0 && rows <= LARGEST => Ok(rows),
            (Some(said), None) => Ok(said),
            _ => self.past(self.missing(("vocab_size", "token_embd.weight")), 1024),
        }
    }

    /// Whether the output head shares the embedding's weights: by `tie_word_embeddings`, or in GGUF by
    /// the absence of an output tensor.
    pub fn tied(&self, default: bool) -> Result<bool, Error> {
        match self.dialect {
            Dialect::HuggingFace => self.flag_or(("tie_word_embeddings", ""), default),
            Dialect::Gguf => Ok(self.tensors.shape("output.weight").is_none()),
        }
    }

    /// Whether the checkpoint has a tensor of the canonical `gguf` name (GGUF files only).
    pub fn gguf_has(&self, gguf: &str) -> bool {
        self.dialect == Dialect::Gguf && self.tensors.shape(gguf).is_some()
    }

    /// Whether attention's projections add biases, and whether its output does: on the hub one setting,
    /// in GGUF a matter of tensors.
    pub fn attention_biases(&self) -> Result<[bool; 2], Error> {
        match self.dialect {
            Dialect::HuggingFace => Ok([self.flag_or(("attention_bias", ""), false)?; 2]),
            Dialect::Gguf => {
                Ok(["q", "output"].map(|part| self.gguf_has(&format!("blk.0.attn_{part}.bias"))))
            }
        }
    }

    /// The rotation of `dims` entries that these facts describe, with any scaling.
    /// `gguf_style` is how this family's GGUF files pair entries; Hugging Face pairs halves.
    pub fn rope(&self, dims: usize, gguf_style: RopeStyle) -> Result<Rope, Error> {
        self.rope_as(&Turning::usual(dims, gguf_style))
    }

    /// As [`Facts::rope`], for models that turn layers of different kinds (`full_attention`,
    /// `sliding_attention`) differently and say so in `rope_parameters`.
    pub fn rope_for(&self, dims: usize, gguf_style: RopeStyle, kind: &str) -> Result<Rope, Error> {
        self.rope_as(&Turning { kind: Some(kind), ..Turning::usual(dims, gguf_style) })
    }

    /// The rotation that these facts describe, given what the family knows of it.
    pub fn rope_as(&self, turning: &Turning<'_>) -> Result<Rope, Error> {
        rope::read(self, turning)
    }

    /// Whether `rope_parameters` has a set of its own for this kind of layer.
    pub fn rope_nested(&self, kind: &str) -> bool {
        let given = self.value(("rope_parameters", "")).and_then(Value::as_object);
        given.and_then(|map| map.get(kind)).is_some_and(Value::is_object)
    }

    /// How many of a head's entries turn: `partial_rotary_factor` of them (`rotary_pct` in older files),
    /// or GGUF's `rope.dimension_count`. `default` is the factor `config.json`'s silence means.
    pub fn rotary_dims(&self, head_dim: usize, default: f64) -> Result<usize, Error> {
        if self.dialect == Dialect::Gguf {
            return self.size_or(("", "rope.dimension_count"), head_dim);
        }
        let key = ("partial_rotary_factor", "");
        let inner = self.value(("rope_parameters", "")).and_then(Value::as_object);
        let inner = match inner {
            Some(values) => Facts { values, ..*self }.float_opt(key)?,
            None => None,
        };
        let factor = match (inner, self.float_opt(key)?) {
            (Some(factor), _) | (None, Some(factor)) => factor,
            (None, None) => self.float_or(("rotary_pct", ""), default)?,
        };
        if !(factor > 0.0 && factor <= 1.0) {
            return self.past(self.bad(key, factor, "above 0, at most 1"), head_dim);
        }
        Ok((head_dim as f64 * factor) as usize)
    }

    /// As [`Facts::rotary_dims`], for families whose reference turns whole heads and nothing else.
    pub fn whole_heads_turn(&self, head_dim: usize) -> Result<usize, Error> {
        let dims = self.rotary_dims(head_dim, 1.0)?;
        if dims == head_dim || self.dialect == Dialect::Gguf {
            return Ok(dims);
        }
        let found = format!("for {dims} entries");
        self.past(self.bad(("partial_rotary_factor", ""), found, "1"), head_dim)
    }

    /// The error for a setting with a value the family can't use.
    pub fn bad(&self, key: Key, found: impl Display, expected: impl Display) -> Error {
        let key = self.name(key).unwrap_or_else(|| key.0.to_owned());
        let found: String = found.to_string().chars().take(100).collect();
        Error::BadValue { family: self.family, key, found, expected: expected.to_string() }
    }

    /// The error for a setting that is absent.
    pub fn missing(&self, key: Key) -> Error {
        let key = self.name(key).unwrap_or_else(|| format!("{} (not in GGUF)", key.0));
        Error::Missing { family: self.family, key }
    }

    fn name(&self, key: Key) -> Option<String> {
        match self.dialect {
            Dialect::HuggingFace => (!key.0.is_empty()).then(|| key.0.to_owned()),
            Dialect::Gguf if key.1.contains("general.") => Some(key.1.to_owned()),
            Dialect::Gguf => {
                (!key.1.is_empty()).then(|| format!("{}.{}", self.architecture, key.1))
            }
        }
    }
}

//! Names that configurations use for functions.

use super::{Facts, Key};
use crate::{Error, op::Activation};

/// What transformers calls the activations we know (`ACT2FN`); several names are one function.
const ACTIVATIONS: &[(&str, Activation)] = &[
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("gelu", Activation::GeluErf),
    ("gelu_python", Activation::GeluErf),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu_accurate", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_python_tanh", Activation::GeluTanh),
    ("quick_gelu", Activation::GeluQuick),
    ("relu", Activation::Relu),
    ("relu2", Activation::Relu2),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
];

impl Facts<'_> {
    /// The activation a setting names, or `default` where it is absent (as GGUF's always are).
    pub fn activation(&self, key: &'static str, default: Activation) -> Result<Activation, Error> {
        let key: Key = (key, "");
        let Some(name) = self.text_opt(key)? else { return Ok(default) };
        let known = ACTIVATIONS.iter().find(|(known, _)| *known == name);
        if let Some((_, activation)) = known {
            return Ok(*activation);
        }
        let names: Vec<&str> = ACTIVATIONS.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of {}", names.join(", "));
        self.past(self.bad(key, name, expected), default)
    }
}

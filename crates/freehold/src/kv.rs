//! `--kv`: how the cache keeps numbers, by name.

use clap::ValueEnum;
use engine::ModelFile;
use kernels::KvFormat;
use weights::{Dtype, Tensor};

/// A cache format as users name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kv {
    /// 32-bit floats, exact
    F32,
    /// 16-bit floats
    F16,
    /// 8-bit codes with a scale for each 32 entries
    #[value(name = "q8_0")]
    Q8_0,
}

impl Kv {
    /// The format asked for, or the one a model runs with where none is: no less exact than its weights.
    /// Who runs a model in F32 wants what the reference computes, and pays for the weights already.
    pub(crate) fn or_of(asked: Option<Self>, file: &ModelFile) -> Self {
        asked.unwrap_or_else(|| {
            let tensors = file.checkpoint().tensors().values();
            let whole: u64 = tensors.clone().map(Tensor::len_bytes).sum();
            let float = Dtype::of(&quant::F32);
            let exact: u64 = tensors.filter(|t| t.dtype == float).map(Tensor::len_bytes).sum();
            if exact > whole / 2 { Kv::F32 } else { Kv::F16 }
        })
    }

    /// As the kernels name it.
    pub(crate) fn format(self) -> KvFormat {
        match self {
            Kv::F32 => KvFormat::F32,
            Kv::F16 => KvFormat::F16,
            Kv::Q8_0 => KvFormat::Q8_0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_as_exact_as_the_weights_unless_asked_otherwise() {
        let Some(folder) = testkit::data("stories260K") else { return };
        let open = |name: &str| ModelFile::open(folder.join(name)).unwrap();
        let (exact, coarse) = (open("stories260K-f32.gguf"), open("stories260K-q8_0.gguf"));
        assert_eq!(Kv::or_of(None, &exact), Kv::F32);
        assert_eq!(Kv::or_of(None, &coarse), Kv::F16);
        assert_eq!(Kv::or_of(Some(Kv::Q8_0), &exact), Kv::Q8_0);
    }
}

//! `--kv`: how the cache keeps numbers, by name.

use clap::ValueEnum;
use kernels::KvFormat;

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
    /// As the kernels name it.
    pub(crate) fn format(self) -> KvFormat {
        match self {
            Kv::F32 => KvFormat::F32,
            Kv::F16 => KvFormat::F16,
            Kv::Q8_0 => KvFormat::Q8_0,
        }
    }
}

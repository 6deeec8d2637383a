//! Where in a checkpoint a parameter is found.
//!
//! Checkpoints of one model differ in how they cut it up: fused projections, one tensor an expert,
//! matrices stored the other way round, a gain stored less one. A [`Source`] says so as data;
//! the graph always sees the same parameter.

/// Which of a tensor's rows: runs of `run` rows, `stride` rows apart, from row `first`.
/// Leading axes count as rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// First row.
    pub first: usize,
    /// Rows taken in a go.
    pub run: usize,
    /// Distance from the start of one run to the next.
    pub stride: usize,
}

impl Rows {
    /// Every row.
    pub const ALL: Rows = Rows { first: 0, run: usize::MAX, stride: usize::MAX };

    /// All rows from `first` on, as many as the parameter has.
    pub const fn from(first: usize) -> Self {
        Rows { first, ..Rows::ALL }
    }

    /// The tensor's row that is the parameter's row `row`; `None` when it can't be counted.
    pub fn at(self, row: usize) -> Option<usize> {
        let (runs, rest) = (row / self.run, row % self.run);
        runs.checked_mul(self.stride)?.checked_add(rest)?.checked_add(self.first)
    }
}

/// How the numbers of a tensor become those of the parameter, beside choosing rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// As they lie.
    #[default]
    None,
    /// The tensor is stored `[.., in, out]` (GPT-2's `Conv1D`, gpt-oss' experts): turned before rows are chosen.
    Stored,
    /// The chosen rows `[heads, in, out]` are turned to `[heads, out, in]` (DeepSeek's absorbed keys).
    Chosen,
}

/// Where in a checkpoint a parameter is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The tensor's name; `{expert}` stands for the number of the expert where each has its own tensor.
    pub tensor: String,
    /// Which of its rows.
    pub rows: Rows,
    /// Whether the tensor holds nothing but this parameter.
    pub whole: bool,
    /// Whether the matrix is turned.
    pub turn: Turn,
    /// Added to every number (Gemma stores its gains less one).
    pub plus: f32,
}

impl Source {
    /// The whole tensor of this name.
    pub fn whole(tensor: impl Into<String>) -> Self {
        Source { tensor: tensor.into(), rows: Rows::ALL, whole: true, turn: Turn::None, plus: 0.0 }
    }

    /// The names of the tensors this reads, given how many experts the parameter has.
    pub fn tensors(&self, experts: usize) -> impl Iterator<Item = String> + '_ {
        let each = self.per_expert();
        (0..if each { experts } else { 1 })
            .map(|expert| self.tensor.replace("{expert}", &expert.to_string()))
    }

    /// Whether each expert has a tensor of its own.
    pub fn per_expert(&self) -> bool {
        self.tensor.contains("{expert}")
    }
}

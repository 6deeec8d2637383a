//! Bounds on everything a file can ask for: one place, printed by `freehold doctor --limits`.

/// How the bytes of tensors are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mapping {
    /// Map the files into memory: nothing is copied, pages come and go with use.
    ///
    /// A file cut short by somebody else *while a mapped page of it is being read* ends the process on
    /// Unix (SIGBUS); no check can exclude that. [`Checkpoint::bytes`](crate::Checkpoint::bytes)
    /// compares size and time of change before it hands bytes out, which leaves a window as short as
    /// the use of the slice. Where others can write to the files, take [`Mapping::Read`].
    #[default]
    Map,
    /// Read what is asked for with positioned reads: a file cut short is an error, never a signal.
    Read,
}

/// The most a file may ask for before it is refused.
///
/// The defaults hold every release known to us several times over, and keep what a hostile header
/// can cost under 64 MiB of memory and two seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How bytes are reached.
    pub mapping: Mapping,
    /// Bytes of a GGUF header (keys, vocabulary and tensor list).
    pub gguf_header_bytes: u64,
    /// Keys in one GGUF file.
    pub gguf_keys: u64,
    /// Bytes of one GGUF key.
    pub gguf_key_bytes: u64,
    /// Bytes of one GGUF string value.
    pub gguf_string_bytes: u64,
    /// Elements of one GGUF array.
    pub gguf_array_items: u64,
    /// Elements up to which a GGUF array also appears in the JSON reading of the metadata.
    pub gguf_json_items: usize,
    /// Bytes of a safetensors header.
    pub safetensors_header_bytes: u64,
    /// Tensors in one file.
    pub tensors_per_file: u64,
    /// Tensors in all files of a checkpoint.
    pub tensors: u64,
    /// Files of a checkpoint.
    pub files: u64,
    /// Bytes of a GGUF tensor name.
    pub gguf_name_bytes: u64,
    /// Bytes of a safetensors tensor name.
    pub safetensors_name_bytes: u64,
    /// Axes of a safetensors tensor (GGUF has at most 4).
    pub axes: u64,
    /// Bytes of `config.json`, `generation_config.json` and their like.
    pub config_bytes: u64,
    /// Bytes of `tokenizer_config.json`, `added_tokens.json`, `special_tokens_map.json`.
    pub tokenizer_config_bytes: u64,
    /// Bytes of `tokenizer.json`, `tokenizer.model`, `vocab.json`, `vocab.txt`, `merges.txt`.
    pub tokenizer_bytes: u64,
    /// Bytes of a chat template or a licence text.
    pub text_bytes: u64,
    /// Bytes of `model.safetensors.index.json`.
    pub index_bytes: u64,
    /// Bytes of YAML front matter.
    pub front_matter_bytes: usize,
    /// Depth of nesting in JSON.
    pub json_depth: usize,
    /// Values in one JSON config.
    pub json_nodes: usize,
    /// Bytes of a pickle program that are looked at for the report of its refusal.
    pub pickle_bytes: u64,
    /// Pickle operations that are looked at.
    pub pickle_operations: usize,
}

impl Limits {
    /// The limits in force unless somebody asks for others.
    pub const DEFAULT: Limits = Limits {
        mapping: Mapping::Map,
        gguf_header_bytes: 64 << 20,
        gguf_keys: 8_192,
        gguf_key_bytes: 65_535,
        gguf_string_bytes: 16 << 20,
        gguf_array_items: 16 << 20,
        gguf_json_items: 1024,
        safetensors_header_bytes: 16 << 20,
        tensors_per_file: 131_072,
        tensors: 1 << 20,
        files: 4096,
        gguf_name_bytes: 256,
        safetensors_name_bytes: 4096,
        axes: 16,
        config_bytes: 1 << 20,
        tokenizer_config_bytes: 4 << 20,
        tokenizer_bytes: 128 << 20,
        text_bytes: 1 << 20,
        index_bytes: 24 << 20,
        front_matter_bytes: 64 << 10,
        json_depth: 64,
        json_nodes: 131_072,
        pickle_bytes: 16 << 20,
        pickle_operations: 1 << 20,
    };

    /// Every limit by name, with its value: what `doctor --limits` prints.
    pub fn table(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("gguf_header_bytes", self.gguf_header_bytes),
            ("gguf_keys", self.gguf_keys),
            ("gguf_key_bytes", self.gguf_key_bytes),
            ("gguf_string_bytes", self.gguf_string_bytes),
            ("gguf_array_items", self.gguf_array_items),
            ("gguf_json_items", self.gguf_json_items as u64),
            ("safetensors_header_bytes", self.safetensors_header_bytes),
            ("tensors_per_file", self.tensors_per_file),
            ("tensors", self.tensors),
            ("files", self.files),
            ("gguf_name_bytes", self.gguf_name_bytes),
            ("safetensors_name_bytes", self.safetensors_name_bytes),
            ("axes", self.axes),
            ("config_bytes", self.config_bytes),
            ("tokenizer_config_bytes", self.tokenizer_config_bytes),
            ("tokenizer_bytes", self.tokenizer_bytes),
            ("text_bytes", self.text_bytes),
            ("index_bytes", self.index_bytes),
            ("front_matter_bytes", self.front_matter_bytes as u64),
            ("json_depth", self.json_depth as u64),
            ("json_nodes", self.json_nodes as u64),
            ("pickle_bytes", self.pickle_bytes),
            ("pickle_operations", self.pickle_operations as u64),
        ]
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

//! From a path to a checked checkpoint: what is there, which files belong to it, do they fit together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use indexmap::IndexMap;

use super::{Checkpoint, Container, FileInfo, Finding, Metadata, logical};
use crate::{
    Error, Folder, GgufMetadata, Limits, Mapping, Tensor, TensorInfo,
    error::{shown, shown_bytes},
    gguf, pickle, safetensors,
    source::{Source, read_bounded, read_head},
};

/// First bytes looked at to tell what a file is.
const SNIFF_BYTES: u64 = 64;
/// First bytes of an unmapped GGUF file that are read before more is known.
const HEAD_BYTES: u64 = 1 << 20;

pub(super) fn open(path: &Path, limits: &Limits) -> Result<Checkpoint, Error> {
    let metadata = std::fs::metadata(path)
        .map_err(Error::io("open it"))
        .map_err(|fault| fault.within(path))?;
    let opened =
        if metadata.is_dir() { open_folder(path, limits) } else { open_file(path, limits) };
    opened.map_err(|fault| fault.within(path))
}

fn open_file(path: &Path, limits: &Limits) -> Result<Checkpoint, Error> {
    let name = file_name(path);
    if name.ends_with(".index.json") {
        return open_index(path, limits);
    }
    let head = read_head(path, SNIFF_BYTES)?;
    let extension = path
        .extension()
        .map(|text| text.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    if head.starts_with(b"GGUF") {
        return open_gguf(path, limits);
    }
    if head.get(8) == Some(&b'{') && !head.starts_with(b"PK") {
        return open_safetensors(path, limits);
    }
    if pickle::looks_like(&head) || pickle::is_named_like(&name) {
        return Err(refuse_pickle(path, limits));
    }
    match extension.as_str() {
        "gguf" => open_gguf(path, limits),
        "safetensors" => open_safetensors(path, limits),
        _ => Err(Error::UnknownContainer { found: shown_bytes(&head) }),
    }
}

fn refuse_pickle(path: &Path, limits: &Limits) -> Error {
    Error::Pickle { report: Box::new(pickle::report_file(path, limits)) }.within(path)
}

fn open_folder(folder: &Path, limits: &Limits) -> Result<Checkpoint, Error> {
    let around = Folder::read(folder, limits)?;
    let with_suffix = |suffix: &str| -> Vec<&str> {
        around.names().filter(|name| name.to_ascii_lowercase().ends_with(suffix)).collect()
    };
    if around.has("model.safetensors.index.json") {
        return open_index(&folder.join("model.safetensors.index.json"), limits);
    }
    if around.has("model.safetensors") {
        return open_safetensors(&folder.join("model.safetensors"), limits);
    }
    let indexes = with_suffix(".safetensors.index.json");
    if let [index] = indexes.as_slice() {
        return open_index(&folder.join(index), limits);
    }
    let weights = with_suffix(".safetensors");
    if let [only] = weights.as_slice() {
        return load(folder.join(only), Some(around.clone()), limits);
    }
    if !weights.is_empty() {
        return Err(several("safetensors files and no index", &weights));
    }
    let files: Vec<&str> =
        with_suffix(".gguf").into_iter().filter(|name| !name.starts_with("mmproj")).collect();
    let sets: BTreeMap<String, &str> =
        files.iter().rev().map(|name| (set_of(name), *name)).collect();
    if sets.len() == 1
        && let Some(first) = sets.values().next()
    {
        return open_gguf(&folder.join(first), limits);
    }
    if !files.is_empty() {
        return Err(several("GGUF files; give one of them", &files));
    }
    let is_pickle = |name: &&str| {
        let sniffed = || {
            read_head(&folder.join(name), SNIFF_BYTES).is_ok_and(|head| pickle::looks_like(&head))
        };
        pickle::is_named_like(name) || (name.to_ascii_lowercase().ends_with(".bin") && sniffed())
    };
    if let Some(name) = around.names().find(is_pickle) {
        return Err(refuse_pickle(&folder.join(name), limits));
    }
    Err(several("files", &around.names().collect::<Vec<_>>()))
}

fn several(what: &str, names: &[&str]) -> Error {
    let mut found = format!("{} {what}", names.len());
    for (at, name) in names.iter().take(6).enumerate() {
        found.push_str(if at == 0 { ": " } else { ", " });
        found.push_str(&shown(name));
    }
    Error::NoWeights { found }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn open_safetensors(path: &Path, limits: &Limits) -> Result<Checkpoint, Error> {
    // One shard of several stands for all, as the index beside it says.
    let name = file_name(path);
    if let Some((set, ..)) = shard_of(&name, ".safetensors") {
        let index = path.with_file_name(format!("{set}.safetensors.index.json"));
        if index.is_file() {
            return open_index(&index, limits);
        }
    }
    // The file that belongs to the folder it lies in; others stand for themselves.
    let folder = path.parent().filter(|folder| folder.join("config.json").is_file());
    let around = match folder.filter(|_| name == "model.safetensors") {
        Some(folder) => Some(Folder::read(folder, limits)?),
        None => None,
    };
    load(path.to_path_buf(), around, limits)
}

fn load(path: PathBuf, around: Option<Folder>, limits: &Limits) -> Result<Checkpoint, Error> {
    let mut assembly = Assembly::new(limits);
    assembly.add_safetensors(&path)?;
    assembly.finish(path, Container::Safetensors, around)
}

fn open_index(path: &Path, limits: &Limits) -> Result<Checkpoint, Error> {
    let text = read_bounded(path, "the index", limits.index_bytes)?;
    let index = safetensors::parse_index(&text, limits).map_err(|fault| fault.within(path))?;
    drop(text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let around =
        Folder::read(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }, limits)?;
    let mut assembly = Assembly::new(limits);
    for file in &index.files {
        assembly.add_safetensors(&folder.join(file))?;
    }
    for (name, &file) in &index.tensors {
        match assembly.tensors.get(name.as_str()) {
            Some(tensor) if tensor.file == file => {}
            _ => {
                let place = format!(
                    "`{}`, where the index puts it",
                    shown(&index.files[file].to_string_lossy())
                );
                return Err(Error::MissingTensor { tensor: shown(name), place }.within(path));
            }
        }
    }
    for name in assembly.tensors.keys().filter(|name| !index.tensors.contains_key(&***name)) {
        assembly.findings.push(Finding::TensorNotInIndex { tensor: name.to_string() });
    }
    let found = assembly.tensors.values().map(Tensor::len_bytes).sum();
    if let Some(stated) = index.total_size.filter(|&stated| stated != found) {
        assembly.findings.push(Finding::TotalSize { stated, found });
    }
    let named = |name: &str| index.files.iter().any(|file| file.as_os_str() == name);
    for name in around.names().filter(|name| name.ends_with(".safetensors") && !named(name)) {
        assembly.findings.push(Finding::FileNotInIndex { file: name.to_owned() });
    }
    assembly.finish(path.to_path_buf(), Container::Safetensors, Some(around))
}

fn open_gguf(path: &Path, limits: &Limits) -> Result<Checkpoint, Error> {
    let mut assembly = Assembly::new(limits);
    let (first, split) = match assembly.add_gguf(path)? {
        (metadata, None) => (metadata, None),
        // Any shard names the set; the first one has the metadata.
        (_, Some(split)) => {
            let names = shard_names(path, &split)?;
            assembly = Assembly::new(limits);
            let (metadata, split) = assembly.add_gguf(&names[0])?;
            let split = split.filter(|split| split.number == 0).ok_or_else(|| Error::Split {
                why: format!(
                    "`{}` does not say that it is the first shard",
                    shown(&file_name(&names[0]))
                ),
            })?;
            (metadata, Some((split, names)))
        }
    };
    if let Some((split, names)) = split {
        for (number, name) in names.iter().enumerate().skip(1) {
            let (_, found) = assembly.add_gguf(name)?;
            check_shard(name, number as u64, &split, found)?;
        }
        let found = assembly.tensors.len() as u64;
        if let Some(stated) = split.tensors.filter(|&stated| stated != found) {
            return Err(Error::Split {
                why: format!("{stated} tensors are stated, the shards have {found}"),
            });
        }
        if split.count != names.len() as u64 {
            return Err(Error::Split {
                why: format!("the first shard states {} shards", split.count),
            });
        }
    }
    let config = first.to_json(limits.gguf_json_items)?;
    assembly.metadata.config = config;
    assembly.metadata.gguf = Some(first);
    assembly.finish(path.to_path_buf(), Container::Gguf, None)
}

/// What the `split.*` keys of a shard say.
#[derive(Debug, Clone, Copy)]
struct Split {
    number: u64,
    count: u64,
    tensors: Option<u64>,
}

fn read_split(metadata: &GgufMetadata) -> Result<Option<Split>, Error> {
    if !metadata.has("split.count") || metadata.uint("split.count")? <= 1 {
        return Ok(None);
    }
    let tensors = if metadata.has("split.tensors.count") {
        Some(metadata.uint("split.tensors.count")?)
    } else {
        None
    };
    Ok(Some(Split {
        number: metadata.uint("split.no")?,
        count: metadata.uint("split.count")?,
        tensors,
    }))
}

/// The paths of all shards, derived from one shard's own name: `<set>-00001-of-00003.gguf`.
fn shard_names(path: &Path, split: &Split) -> Result<Vec<PathBuf>, Error> {
    let name = file_name(path);
    let (set, number, count) = shard_of(&name, ".gguf").ok_or_else(|| Error::Split {
        why: format!(
            "it states {} shards, but `{}` is not named like one (`name-00001-of-{:05}.gguf`)",
            split.count,
            shown(&name),
            split.count
        ),
    })?;
    if count != split.count || split.number.checked_add(1) != Some(number) {
        return Err(Error::Split {
            why: format!(
                "named shard {number} of {count}, its keys say {} of {}",
                split.number.saturating_add(1),
                split.count
            ),
        });
    }
    let names = (1..=count)
        .map(|number| path.with_file_name(format!("{set}-{number:05}-of-{count:05}.gguf")));
    Ok(names.collect())
}

fn check_shard(path: &Path, number: u64, first: &Split, found: Option<Split>) -> Result<(), Error> {
    let fits = found.is_some_and(|split| split.number == number && split.count == first.count);
    if fits {
        return Ok(());
    }
    let found = found.map_or("that it is no shard".to_owned(), |split| {
        format!("shard {} of {}", split.number.saturating_add(1), split.count)
    });
    let why = format!("shard {} of {} is expected, its keys say {found}", number + 1, first.count);
    Err(Error::Split { why }.within(path))
}

/// Set, number and count in `<set>-00001-of-00003` before `extension`.
fn shard_of<'a>(name: &'a str, extension: &str) -> Option<(&'a str, u64, u64)> {
    let stem = name.strip_suffix(extension)?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (set, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| -> Option<u64> {
        (text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok())?
    };
    Some((set, digits(number)?, digits(count)?))
}

/// What a GGUF file and the shards beside it have in common.
fn set_of(name: &str) -> String {
    shard_of(name, ".gguf")
        .map_or_else(|| name.to_owned(), |(set, _, count)| format!("{set}-of-{count}"))
}

/// The checkpoint while its files are being added.
struct Assembly<'a> {
    limits: &'a Limits,
    sources: Vec<Arc<Source>>,
    files: Vec<FileInfo>,
    tensors: IndexMap<Arc<str>, Tensor>,
    metadata: Metadata,
    findings: Vec<Finding>,
}

impl<'a> Assembly<'a> {
    fn new(limits: &'a Limits) -> Assembly<'a> {
        Assembly {
            limits,
            sources: Vec::new(),
            files: Vec::new(),
            tensors: IndexMap::new(),
            metadata: Metadata::default(),
            findings: Vec::new(),
        }
    }

    fn add_safetensors(&mut self, path: &Path) -> Result<(), Error> {
        let mut source = self.source(path)?;
        let header = Self::safetensors_header(&mut source, self.limits)
            .map_err(|fault| fault.within(path))?;
        for (key, value) in header.metadata {
            self.metadata.safetensors.entry(key).or_insert(value);
        }
        self.add(Arc::new(source), header.tensors)
    }

    fn safetensors_header(
        source: &mut Source,
        limits: &Limits,
    ) -> Result<safetensors::Header, Error> {
        source.load_head(8)?;
        let header = safetensors::header_bytes(source.head(), source.len(), limits)?;
        source.load_head(header)?;
        safetensors::parse(source.head(), source.len(), limits)
    }

    fn add_gguf(&mut self, path: &Path) -> Result<(GgufMetadata, Option<Split>), Error> {
        let mut source = self.source(path)?;
        let mut header =
            Self::gguf_header(&mut source, self.limits).map_err(|fault| fault.within(path))?;
        if header.trailing > 0 {
            self.findings.push(Finding::Trailing { file: file_name(path), bytes: header.trailing });
        }
        let tensors = std::mem::take(&mut header.tensors);
        let source = Arc::new(source);
        let metadata = GgufMetadata::new(source.clone(), header);
        self.add(source, tensors)?;
        let split = read_split(&metadata).map_err(|fault| fault.within(path))?;
        Ok((metadata, split))
    }

    /// Reads the header; of an unmapped file ever larger parts of the start until it is all there.
    fn gguf_header(source: &mut Source, limits: &Limits) -> Result<gguf::Header, Error> {
        let mut want = HEAD_BYTES;
        loop {
            source.load_head(want)?;
            let have = source.head().len() as u64;
            match gguf::parse(source.head(), source.len(), limits) {
                Err(Error::Truncated { .. })
                    if have < source.len() && have < limits.gguf_header_bytes =>
                {
                    want = (have * 4).min(limits.gguf_header_bytes);
                }
                other => return other,
            }
        }
    }

    fn source(&self, path: &Path) -> Result<Source, Error> {
        if self.sources.len() as u64 >= self.limits.files {
            return Err(Error::over(
                "files of a checkpoint",
                self.sources.len() as u64 + 1,
                self.limits.files,
            ));
        }
        Source::open(path, self.limits.mapping).map_err(|fault| fault.within(path))
    }

    fn add(&mut self, source: Arc<Source>, tensors: Vec<TensorInfo>) -> Result<(), Error> {
        let file = self.sources.len();
        let count = self.tensors.len() + tensors.len();
        if count as u64 > self.limits.tensors {
            return Err(
                Error::over("tensors", count as u64, self.limits.tensors).within(source.path())
            );
        }
        self.files.push(FileInfo {
            path: source.path().to_path_buf(),
            bytes: source.len(),
            tensors: tensors.len(),
        });
        self.tensors.reserve_exact(tensors.len());
        for TensorInfo { name, shape, dtype, range } in tensors {
            let name: Arc<str> = name.into();
            let tensor = Tensor { name: name.clone(), shape, dtype, file, range };
            if let Some(before) = self.tensors.insert(name, tensor) {
                return Err(Error::Duplicate { what: "tensor", name: shown(&before.name) }
                    .within(source.path()));
            }
        }
        self.sources.push(source);
        Ok(())
    }

    fn finish(
        mut self,
        path: PathBuf,
        container: Container,
        around: Option<Folder>,
    ) -> Result<Checkpoint, Error> {
        if let Some(folder) = around {
            self.findings.extend(folder.findings());
            self.metadata.config.clone_from(folder.config());
            self.metadata.folder = Some(folder);
        }
        let logical = logical::pair(&self.tensors, &self.metadata.config)?;
        let kept = if self.limits.mapping == Mapping::Read { self.tensors.len() } else { 0 };
        let read = std::iter::repeat_with(OnceLock::new).take(kept).collect();
        Ok(Checkpoint {
            path,
            container,
            sources: self.sources,
            files: self.files,
            tensors: self.tensors,
            logical,
            metadata: self.metadata,
            findings: self.findings,
            read,
        })
    }
}

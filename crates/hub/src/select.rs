//! Which files of a model are needed: one set of weights, and what goes with it.
//!
//! GGUF comes in many quantizations of which one is wanted; safetensors in one or many shards, named
//! by an index; pickle never. What goes with weights are configs, tokenizers, templates, the card and
//! the licence: small, and needed to run or to judge the model. Code is never fetched.

use std::collections::BTreeMap;

use weights::shown;

use crate::{Error, ListedFile, Listing};

/// What is needed of a listing.
#[derive(Debug, Clone)]
pub struct Selection {
    /// In which form the weights are.
    pub kind: WeightsKind,
    /// The quantization or variant, as the files name it.
    pub quant: Option<String>,
    /// Paths of the files, sorted.
    pub files: Vec<String>,
    /// The path of the file to open: the first GGUF shard, the index, or the only safetensors file.
    pub open: String,
    /// Bytes of the weights alone.
    pub weight_bytes: u64,
}

/// In which form weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsKind {
    /// GGUF, in one file or split.
    Gguf,
    /// Safetensors, in one file or sharded.
    Safetensors,
}

/// A set of files that together are the weights once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightSet {
    /// The quantization as the file name says it, such as `Q4_K_M`; of safetensors the variant.
    pub quant: Option<String>,
    /// In which form.
    pub kind: WeightsKind,
    /// Paths, in order of shards.
    pub files: Vec<String>,
    /// Bytes of all of them.
    pub bytes: u64,
}

const PICKLES: &[&str] = &[
    ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".msgpack", ".ot",
    ".nemo", ".npz",
];

/// Files beside the weights that are wanted wherever they are, by whole name.
const BESIDE: &[&str] = &[
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "tekken.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "adapter_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "quantize_config.json",
    "quantization_config.json",
    "model.sig",
    "README.md",
    "params",
    "ollama-params.json",
    "ollama-template.txt",
    "ollama-system.txt",
];

/// Beginnings of names of terms, in lower case.
const TERMS: &[&str] = &[
    "license",
    "licence",
    "notice",
    "copying",
    "copyright",
    "use_policy",
    "usage_policy",
    "acceptable_use",
    "terms",
    "third_party",
    "third-party",
];

/// The quantizations llama.cpp's own tools prefer when none is named.
const PREFERRED: &[&str] = &[
    "Q4_K_M", "Q4_K_S", "Q4_0", "Q5_K_M", "Q8_0", "MXFP4", "Q6_K", "Q5_K_S", "Q3_K_M", "F16",
    "BF16", "F32",
];

/// All sets of weights a listing has: what can be put after the colon.
pub fn weight_sets(listing: &Listing) -> Vec<WeightSet> {
    let mut sets: BTreeMap<String, WeightSet> = BTreeMap::new();
    for file in &listing.files {
        let lower = file.path.to_ascii_lowercase();
        let name = lower.rsplit('/').next().unwrap_or_default();
        if !has_extension(&lower, "gguf")
            || name.starts_with("mmproj")
            || name.starts_with("imatrix")
            || name.contains(".imatrix.")
        {
            continue;
        }
        let set = sets.entry(set_of(&file.path)).or_insert_with(|| WeightSet {
            quant: quant_of(&file.path),
            kind: WeightsKind::Gguf,
            files: Vec::new(),
            bytes: 0,
        });
        set.files.push(file.path.clone());
        set.bytes = set.bytes.saturating_add(file.bytes);
    }
    let mut out: Vec<WeightSet> = safetensors_sets(listing);
    out.extend(sets.into_values());
    out
}

/// Safetensors at the top of the listing: by index, or one file alone, per variant.
fn safetensors_sets(listing: &Listing) -> Vec<WeightSet> {
    let top = |file: &&ListedFile| !file.path.contains('/');
    let tensors: Vec<&ListedFile> = listing
        .files
        .iter()
        .filter(top)
        .filter(|file| has_extension(&file.path, "safetensors"))
        .collect();
    let mut sets: BTreeMap<(String, Option<String>), WeightSet> = BTreeMap::new();
    for file in &tensors {
        let stem = file.path.trim_end_matches(".safetensors");
        let whole = shard(stem).map_or(stem, |(set, ..)| set);
        let (base, variant) =
            whole.split_once('.').map_or((whole, None), |(base, variant)| (base, Some(variant)));
        let set = sets.entry((base.to_owned(), variant.map(str::to_owned))).or_insert_with(|| {
            WeightSet {
                quant: variant.map(str::to_owned),
                kind: WeightsKind::Safetensors,
                files: Vec::new(),
                bytes: 0,
            }
        });
        set.files.push(file.path.clone());
        set.bytes = set.bytes.saturating_add(file.bytes);
    }
    // `consolidated` is the same weights again in their maker's own naming.
    let has_model = sets.keys().any(|(base, _)| base == "model");
    let mut out = Vec::new();
    for ((base, _), mut set) in sets {
        if has_model && base != "model" {
            continue;
        }
        set.files.sort();
        out.push(set);
    }
    out
}

/// Chooses the weights that `quant` names, or the ones that are meant when nothing is named.
///
/// Of safetensors in shards, the index has to be read before the shards are known to be all:
/// [`Selection::files`] has the index and every shard of the set.
pub fn select(listing: &Listing, quant: Option<&str>) -> Result<Selection, Error> {
    let name = listing.name.to_string();
    let sets = weight_sets(listing);
    if sets.is_empty() {
        return Err(nothing(listing, name));
    }
    let set = match quant {
        None => default_of(&sets, &name)?,
        Some(wanted) => wanted_of(&sets, wanted, &name)?,
    };
    check_whole(set)?;
    let index = index_of(listing, set);
    let mut files: Vec<String> = listing
        .files
        .iter()
        .filter(|file| beside(&file.path, &sets))
        .map(|file| file.path.clone())
        .chain(set.files.iter().cloned())
        .chain(index.clone())
        .collect();
    files.sort();
    files.dedup();
    let open = index.or_else(|| set.files.first().cloned()).unwrap_or_default();
    Ok(Selection { kind: set.kind, quant: set.quant.clone(), files, open, weight_bytes: set.bytes })
}

/// Takes exactly the shards that the index names; all of them have to be there.
pub(crate) fn follow_index(
    listing: &Listing,
    selection: &mut Selection,
    text: &[u8],
    limits: &weights::Limits,
) -> Result<(), Error> {
    let index = weights::safetensors::parse_index(text, limits)
        .map_err(|source| Error::Path { place: selection.open.clone(), source })?;
    let mut shards = Vec::new();
    for file in &index.files {
        let path = file.to_string_lossy().replace('\\', "/");
        let missing =
            || Error::MissingFile { named_by: selection.open.clone(), file: shown(&path) };
        let listed = listing.file(&path).ok_or_else(missing)?;
        if !has_extension(&path, "safetensors") {
            return Err(missing());
        }
        shards.push((path.clone(), listed.bytes));
    }
    let keep = |path: &String| {
        !has_extension(path, "safetensors")
            || path.contains('/')
            || path == "adapter_model.safetensors"
    };
    selection.files.retain(keep);
    selection.weight_bytes = shards.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes));
    selection.files.extend(shards.into_iter().map(|(path, _)| path));
    selection.files.sort();
    selection.files.dedup();
    Ok(())
}

/// A set of shards has to be all of them.
fn check_whole(set: &WeightSet) -> Result<(), Error> {
    for file in &set.files {
        let stem = file
            .strip_suffix(".gguf")
            .or_else(|| file.strip_suffix(".safetensors"))
            .unwrap_or(file);
        let Some((base, _, count)) = shard(stem) else { continue };
        let end = &file[stem.len()..];
        for number in 1..=count.min(100_000) {
            let wanted = format!("{base}-{number:05}-of-{count:05}{end}");
            if !set.files.contains(&wanted) {
                return Err(Error::MissingFile {
                    named_by: format!("the name of {file}"),
                    file: wanted,
                });
            }
        }
        break;
    }
    Ok(())
}

fn index_of(listing: &Listing, set: &WeightSet) -> Option<String> {
    if set.kind != WeightsKind::Safetensors {
        return None;
    }
    let first = set.files.first()?;
    let stem = first.trim_end_matches(".safetensors");
    let whole = shard(stem).map_or(stem, |(set, ..)| set);
    let (base, variant) =
        whole.split_once('.').map_or((whole, None), |(base, variant)| (base, Some(variant)));
    let candidates = [
        format!("{whole}.safetensors.index.json"),
        variant
            .map(|variant| format!("{base}.safetensors.index.{variant}.json"))
            .unwrap_or_default(),
    ];
    candidates.into_iter().find(|path| listing.file(path).is_some())
}

fn nothing(listing: &Listing, name: String) -> Error {
    let pickles: Vec<&str> = listing
        .files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| is_pickle(path))
        .collect();
    if pickles.is_empty() {
        let found = match listing.files.len() {
            0 => "no files at all".to_owned(),
            count => format!("{count} files, none of them GGUF or safetensors"),
        };
        Error::NoWeights { name, found }
    } else {
        Error::OnlyPickle { name, files: few(pickles.into_iter()) }
    }
}

fn default_of<'a>(sets: &'a [WeightSet], name: &str) -> Result<&'a WeightSet, Error> {
    let safetensors = || sets.iter().filter(|set| set.kind == WeightsKind::Safetensors);
    if let Some(plain) = safetensors().find(|set| set.quant.is_none()) {
        let several = safetensors().filter(|set| set.quant.is_none()).count() > 1;
        return if several { Err(ambiguous(sets, name, "no quantization")) } else { Ok(plain) };
    }
    if let [only] = sets {
        return Ok(only);
    }
    let preferred = PREFERRED.iter().find_map(|quant| {
        let mut fitting = sets.iter().filter(|set| set.quant.as_deref() == Some(*quant));
        fitting.next().filter(|_| fitting.next().is_none())
    });
    preferred.ok_or_else(|| ambiguous(sets, name, "no quantization"))
}

fn wanted_of<'a>(sets: &'a [WeightSet], wanted: &str, name: &str) -> Result<&'a WeightSet, Error> {
    let exact = |set: &&WeightSet| {
        set.files.iter().any(|file| file == wanted || file.rsplit('/').next() == Some(wanted))
    };
    let labelled = |set: &&WeightSet| {
        set.quant.as_deref().is_some_and(|quant| quant.eq_ignore_ascii_case(wanted))
    };
    for fits in [&exact as &dyn Fn(&&WeightSet) -> bool, &labelled] {
        match sets.iter().filter(fits).collect::<Vec<_>>().as_slice() {
            [] => {}
            [only] => return Ok(only),
            several => {
                let have =
                    few(several.iter().filter_map(|set| set.files.first()).map(String::as_str));
                return Err(Error::Ambiguous {
                    name: name.to_owned(),
                    wanted: shown(wanted),
                    have,
                });
            }
        }
    }
    Err(Error::NoSuchQuant { name: name.to_owned(), wanted: shown(wanted), have: labels(sets) })
}

fn ambiguous(sets: &[WeightSet], name: &str, wanted: &str) -> Error {
    Error::Ambiguous { name: name.to_owned(), wanted: wanted.to_owned(), have: labels(sets) }
}

fn labels(sets: &[WeightSet]) -> String {
    few(sets
        .iter()
        .filter_map(|set| set.quant.as_deref().or(set.files.first().map(String::as_str))))
}

fn few<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(shown).collect();
    let more = names.len().saturating_sub(24);
    let text = names[..names.len() - more].join(", ");
    if more == 0 { text } else { format!("{text} and {more} more") }
}

fn is_pickle(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    PICKLES.iter().any(|end| lower.ends_with(end))
}

/// Whether a file goes with any weights of the model.
fn beside(path: &str, sets: &[WeightSet]) -> bool {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    if is_pickle(path) {
        return false;
    }
    if folder.is_empty() {
        let lower = name.to_ascii_lowercase();
        let is_terms =
            TERMS.iter().any(|start| lower.starts_with(start)) && !has_extension(&lower, "py");
        return is_terms || BESIDE.contains(&name) || name == "adapter_model.safetensors";
    }
    // Templates by name, and the numbered modules of a sentence encoder.
    let numbered = folder.split_once('_').is_some_and(|(number, _)| {
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    });
    (folder == "additional_chat_templates" && has_extension(name, "jinja"))
        || (numbered
            && !folder.contains('/')
            && (name == "config.json" || name == "model.safetensors")
            && sets.iter().any(|set| set.kind == WeightsKind::Safetensors))
}

/// Whether a path ends with `.extension`, in any case.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    std::path::Path::new(path)
        .extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Base, number and count of `<base>-00001-of-00003`.
fn shard(stem: &str) -> Option<(&str, u32, u32)> {
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (set, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| {
        (text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
    };
    Some((set, digits(number)?, digits(count)?))
}

/// What a GGUF file and the shards beside it have in common.
fn set_of(path: &str) -> String {
    let stem = &path[..path.len() - ".gguf".len()];
    shard(stem).map_or_else(|| path.to_owned(), |(set, _, count)| format!("{set}-of-{count}"))
}

/// The quantization a file name or its folder states: the last such word.
pub fn quant_of(path: &str) -> Option<String> {
    let stem = path.strip_suffix(".gguf").or_else(|| path.strip_suffix(".GGUF")).unwrap_or(path);
    let stem = shard(stem).map_or(stem, |(set, ..)| set);
    let mut parts = stem.rsplit('/');
    let of_name = parts.next().and_then(word_in);
    of_name.or_else(|| parts.next().and_then(word_in))
}

fn word_in(text: &str) -> Option<String> {
    let word = text.split(['-', '.']).rev().find(|word| is_quant(word))?;
    let upper = word.to_ascii_uppercase();
    // Some publishers mark their own recipe with a prefix.
    let before = text.split(word).next().unwrap_or_default();
    Some(if before.to_ascii_uppercase().ends_with("UD-") { format!("UD-{upper}") } else { upper })
}

fn is_quant(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    if matches!(
        word.as_str(),
        "F16" | "BF16" | "F32" | "FP16" | "FP32" | "MXFP4" | "MXFP4_MOE" | "NVFP4"
    ) {
        return true;
    }
    let rest = word
        .strip_prefix("IQ")
        .or_else(|| word.strip_prefix("TQ"))
        .or_else(|| word.strip_prefix('Q'));
    let Some(rest) = rest else { return false };
    let mut parts = rest.split('_');
    let bits = parts.next().unwrap_or_default();
    matches!(bits, "1" | "2" | "3" | "4" | "5" | "6" | "8")
        && parts.clone().count() >= 1
        && parts.all(|part| {
            matches!(
                part,
                "0" | "1" | "K" | "S" | "M" | "L" | "XL" | "XS" | "XXS" | "NL" | "4" | "8"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{About, Digest, ModelName, listing::Bytes};

    fn listing(paths: &[&str]) -> Listing {
        let files = paths
            .iter()
            .map(|path| ListedFile {
                path: (*path).to_owned(),
                bytes: 10,
                digest: Digest::sha256_of(path.as_bytes()),
                origin: Bytes::Inline(Vec::new()),
            })
            .collect();
        let name = ModelName::parse("a/b").unwrap();
        Listing {
            name,
            revision: "main".into(),
            commit: "0".repeat(40),
            files,
            about: About::default(),
        }
        .checked()
        .unwrap()
    }

    #[test]
    fn quantizations_are_read_from_names() {
        for (path, quant) in [
            ("Qwen3-0.6B-Q8_0.gguf", Some("Q8_0")),
            ("m.q4_k_m.gguf", Some("Q4_K_M")),
            ("Q4_K_M/m-Q4_K_M-00001-of-00003.gguf", Some("Q4_K_M")),
            ("BF16/m-00001-of-00002.gguf", Some("BF16")),
            ("m-UD-Q2_K_XL.gguf", Some("UD-Q2_K_XL")),
            ("gpt-oss-20b-mxfp4.gguf", Some("MXFP4")),
            ("m-IQ2_XXS.gguf", Some("IQ2_XXS")),
            ("Q-model.gguf", None),
            ("model.gguf", None),
        ] {
            assert_eq!(quant_of(path).as_deref(), quant, "{path}");
        }
    }

    #[test]
    fn one_quantization_is_chosen_with_all_its_shards_and_what_goes_with_it() {
        let listing = listing(&[
            "README.md",
            "LICENSE.txt",
            "config.json",
            "run.py",
            "img/x.png",
            "m-Q4_K_M.gguf",
            "m-Q8_0-00001-of-00002.gguf",
            "m-Q8_0-00002-of-00002.gguf",
            "mmproj-F16.gguf",
        ]);
        let default = select(&listing, None).unwrap();
        assert_eq!(default.files, ["LICENSE.txt", "README.md", "config.json", "m-Q4_K_M.gguf"]);
        let split = select(&listing, Some("q8_0")).unwrap();
        assert_eq!(split.weight_bytes, 20);
        assert_eq!(split.open, "m-Q8_0-00001-of-00002.gguf");
        assert_eq!(split.files.len(), 5);
        assert_eq!(select(&listing, Some("m-Q4_K_M.gguf")).unwrap().open, "m-Q4_K_M.gguf");
        let fault = select(&listing, Some("Q2_K")).unwrap_err();
        assert!(
            matches!(&fault, Error::NoSuchQuant { have, .. } if have == "Q4_K_M, Q8_0"),
            "{fault}"
        );
    }

    #[test]
    fn safetensors_come_before_pickle_and_pickle_never() {
        let both = listing(&[
            "model.safetensors",
            "pytorch_model.bin",
            "tokenizer.model",
            "consolidated.safetensors",
        ]);
        assert_eq!(select(&both, None).unwrap().files, ["model.safetensors", "tokenizer.model"]);
        let shards = listing(&[
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        ]);
        let selection = select(&shards, None).unwrap();
        assert_eq!(
            (selection.open.as_str(), selection.files.len()),
            ("model.safetensors.index.json", 3)
        );
        let only = select(&listing(&["pytorch_model.bin"]), None).unwrap_err();
        assert!(matches!(only, Error::OnlyPickle { .. }) && only.is_refusal());
        assert!(matches!(select(&listing(&["README.md"]), None), Err(Error::NoWeights { .. })));
        let variants = listing(&["model.safetensors", "model.fp16.safetensors"]);
        assert_eq!(select(&variants, Some("fp16")).unwrap().open, "model.fp16.safetensors");
        assert_eq!(select(&variants, None).unwrap().open, "model.safetensors");
        let encoder = listing(&[
            "model.safetensors",
            "modules.json",
            "1_Pooling/config.json",
            "2_Dense/model.safetensors",
            "onnx/model.onnx",
        ]);
        assert_eq!(select(&encoder, None).unwrap().files.len(), 4);
    }

    #[test]
    fn what_is_not_clear_is_asked() {
        let twins = listing(&["a-Q4_K_M.gguf", "b-Q4_K_M.gguf"]);
        assert!(matches!(select(&twins, None), Err(Error::Ambiguous { .. })));
        assert!(matches!(select(&twins, Some("Q4_K_M")), Err(Error::Ambiguous { .. })));
        assert_eq!(select(&twins, Some("b-Q4_K_M.gguf")).unwrap().open, "b-Q4_K_M.gguf");
    }
}

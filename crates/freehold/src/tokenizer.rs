//! A checkpoint's tokenizer: from a GGUF's own vocabulary or from the files of a folder.

use serde_json::{Map, Value};
use text::tokenizer::{GgufVocab, Tokenizer};
use weights::{Checkpoint, Folder, FolderFile, GgufMetadata, gguf};

use crate::error::refused;

/// The tokenizer, with every end token the model's files name.
pub(crate) fn of(checkpoint: &Checkpoint) -> anyhow::Result<Tokenizer> {
    let metadata = checkpoint.metadata();
    if let Some(keys) = metadata.gguf() {
        return of_gguf(keys);
    }
    match metadata.folder() {
        Some(folder) => of_folder(folder),
        None => Err(none("a file of weights alone has no tokenizer")),
    }
}

fn none(what: &str) -> anyhow::Error {
    refused(
        what,
        "give the folder with tokenizer.json beside the weights, or a GGUF; or pass --ids",
    )
}

fn of_gguf(keys: &GgufMetadata) -> anyhow::Result<Tokenizer> {
    if !keys.has("tokenizer.ggml.model") {
        return Err(none("this GGUF has no vocabulary (tokenizer.ggml.model)"));
    }
    Ok(Tokenizer::from_gguf(&gguf_vocab(keys)?)?)
}

/// The vocabulary keys as they stand; a key of a wrong type is an error, a missing one is not.
fn gguf_vocab(keys: &GgufMetadata) -> Result<GgufVocab, weights::Error> {
    let name = |key: &str| format!("tokenizer.ggml.{key}");
    let has = |key: &str| keys.has(&name(key));
    let uint = |key: &str| has(key).then(|| keys.uint(&name(key))).transpose();
    let flag = |key: &str| has(key).then(|| keys.bool(&name(key))).transpose();
    let strings = |key: &str| -> Result<Vec<String>, weights::Error> {
        let bytes = keys.array_bytes(&name(key))?;
        Ok(bytes.into_iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect())
    };
    let mut ends = vec![];
    for key in ["eot_token_id", "eom_token_id"] {
        ends.extend(uint(key)?);
    }
    if has("eos_token_ids") {
        let ids = keys.array_i64(&name("eos_token_ids"))?;
        ends.extend(ids.into_iter().filter_map(|id| u64::try_from(id).ok()));
    }
    Ok(GgufVocab {
        model: keys.str(&name("model"))?.to_owned(),
        pre: has("pre").then(|| keys.str(&name("pre"))).transpose()?.map(str::to_owned),
        tokens: strings("tokens")?,
        scores: has("scores").then(|| keys.array_f32(&name("scores"))).transpose()?,
        types: has("token_type").then(|| keys.array_i32(&name("token_type"))).transpose()?,
        merges: has("merges").then(|| strings("merges")).transpose()?,
        bos: uint("bos_token_id")?,
        eos: uint("eos_token_id")?,
        unk: uint("unknown_token_id")?,
        sep: uint("seperator_token_id")?,
        pad: uint("padding_token_id")?,
        cls: uint("cls_token_id")?,
        mask: uint("mask_token_id")?,
        ends,
        add_bos: flag("add_bos_token")?,
        add_eos: flag("add_eos_token")?,
        add_space_prefix: flag("add_space_prefix")?,
        remove_extra_whitespaces: flag("remove_extra_whitespaces")?,
        lowercase: flag("normalizer.lowercase")?,
        precompiled_charsmap: has("precompiled_charsmap")
            .then(|| keys.value(&name("precompiled_charsmap")))
            .transpose()?
            .and_then(bytes_of),
    })
}

/// An array of 8-bit numbers as bytes.
fn bytes_of(value: gguf::Value) -> Option<Vec<u8>> {
    match value {
        gguf::Value::Array(gguf::Array::U8(bytes)) => Some(bytes),
        gguf::Value::Array(gguf::Array::I8(bytes)) => {
            Some(bytes.into_iter().map(i8::cast_unsigned).collect())
        }
        _ => None,
    }
}

fn of_folder(folder: &Folder) -> anyhow::Result<Tokenizer> {
    let config = serde_json::to_vec(&folder_config(folder))?;
    let config = Some(&config[..]);
    let text = |file: FolderFile| -> anyhow::Result<Option<String>> {
        let Some(bytes) = folder.bytes(file)? else { return Ok(None) };
        let unreadable = |_| refused(format!("{} is no UTF-8", file.name()), "download it again");
        String::from_utf8(bytes).map(Some).map_err(unreadable)
    };
    let mut tokenizer = if let Some(json) = folder.bytes(FolderFile::Tokenizer)? {
        Tokenizer::from_json(&json, config)?
    } else if let Some(model) = folder.bytes(FolderFile::TokenizerModel)? {
        Tokenizer::from_sentencepiece(&model, config)?
    } else if let (Some(vocab), Some(merges)) =
        (folder.bytes(FolderFile::VocabJson)?, text(FolderFile::Merges)?)
    {
        Tokenizer::from_vocab_and_merges(&vocab, &merges, config)?
    } else if let Some(vocab) = text(FolderFile::VocabText)? {
        Tokenizer::from_vocab_txt(&vocab, config)?
    } else {
        return Err(none(
            "the folder has neither tokenizer.json nor tokenizer.model nor a vocabulary",
        ));
    };
    let stated = folder.generation_config().filter(|map| map.contains_key("eos_token_id"));
    for map in stated.into_iter().chain([folder.config()]) {
        if map.contains_key("eos_token_id") {
            let ids = Map::from_iter([("eos_token_id".to_owned(), map["eos_token_id"].clone())]);
            tokenizer.add_generation_config(&serde_json::to_vec(&ids)?)?;
        }
    }
    Ok(tokenizer)
}

/// `tokenizer_config.json`, what it leaves out taken from `special_tokens_map.json`.
pub(crate) fn folder_config(folder: &Folder) -> Map<String, Value> {
    let mut config = folder.tokenizer_config().cloned().unwrap_or_default();
    for (name, token) in folder.special_tokens_map().into_iter().flatten() {
        if config.get(name).is_none_or(Value::is_null) {
            config.insert(name.clone(), token.clone());
        }
    }
    config
}

//! The tokenizer and the chat templates of a checkpoint, and what is odd about them.

use serde::{Deserialize, Serialize};
use text::template::{ChatTemplate, FindingKind, Specials};
use weights::{Checkpoint, FolderFile};

use super::{Finding, model};
use crate::chat;

/// What is known of a tokenizer.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tokenizer {
    /// How it works, and under which name the file states that.
    pub(super) kind: Option<String>,
    pub(super) vocab: Option<usize>,
    pub(super) begin: Option<String>,
    pub(super) ends: Vec<String>,
    /// Why it cannot be used.
    pub(super) error: Option<String>,
}

/// A chat template.
#[derive(Debug, Serialize)]
pub(super) struct Template {
    pub(super) name: String,
    pub(super) bytes: usize,
    pub(super) sha256: Option<String>,
    pub(super) tools: bool,
    pub(super) thinking: bool,
    /// Why it cannot be used.
    pub(super) error: Option<String>,
}

/// Reads the tokenizer; its oddities join the findings.
pub(super) fn tokenizer(
    checkpoint: &Checkpoint,
    model: Option<&model::Facts>,
    findings: &mut Vec<Finding>,
) -> Tokenizer {
    let kind = kind(checkpoint);
    let tokenizer = match crate::tokenizer::of(checkpoint) {
        Ok(tokenizer) => tokenizer,
        Err(error) => {
            let error = Some(format!("{error:#}"));
            return Tokenizer { kind, error, ..Tokenizer::default() };
        }
    };
    for finding in tokenizer.findings() {
        findings.push(Finding { about: "tokenizer", what: finding.to_string() });
    }
    let more = tokenizer.findings_total() - tokenizer.findings().len();
    if more > 0 {
        findings
            .push(Finding { about: "tokenizer", what: format!("and {more} more of these kinds") });
    }
    let misfit = model.and_then(|model| tokenizer.check_rows(model.vocab).err());
    let specials = tokenizer.specials();
    let name = |id: u32| tokenizer.token_text(id).unwrap_or_default().to_owned();
    Tokenizer {
        kind,
        vocab: Some(tokenizer.vocab_size()),
        begin: specials.bos.map(name),
        ends: specials.ends.iter().map(|id| name(*id)).collect(),
        error: misfit.map(|error| error.to_string()),
    }
}

/// How the tokenizer works, as the files name it.
fn kind(checkpoint: &Checkpoint) -> Option<String> {
    let metadata = checkpoint.metadata();
    if let Some(keys) = metadata.gguf() {
        let stated = keys.str("tokenizer.ggml.model").ok()?;
        let kind = match stated {
            "gpt2" => "byte-level BPE",
            "llama" => "SentencePiece BPE",
            "t5" => "Unigram",
            "bert" => "WordPiece",
            other => return Some(other.to_owned()),
        };
        return Some(match keys.str("tokenizer.ggml.pre") {
            Ok(pre) => format!("{kind} ({stated}, {pre})"),
            Err(_) => format!("{kind} ({stated})"),
        });
    }
    let folder = metadata.folder()?;
    if let Ok(Some(json)) = folder.bytes(FolderFile::Tokenizer) {
        let parsed = serde_json::from_slice::<TokenizerJson>(&json).ok()?;
        let kind = parsed.model.kind.unwrap_or_else(|| "BPE".to_owned());
        return Some(format!("{kind} ({})", FolderFile::Tokenizer.name()));
    }
    let beside = [
        (FolderFile::TokenizerModel, "SentencePiece"),
        (FolderFile::VocabJson, "byte-level BPE"),
        (FolderFile::VocabText, "WordPiece"),
    ];
    let there = beside.into_iter().find(|(file, _)| folder.has(file.name()))?;
    Some(format!("{} ({})", there.1, there.0.name()))
}

/// As much of a `tokenizer.json` as names its kind.
#[derive(Deserialize)]
struct TokenizerJson {
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct TokenizerModel {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Reads the templates; what a reviewer should see joins the findings.
pub(super) fn templates(checkpoint: &Checkpoint, findings: &mut Vec<Finding>) -> Vec<Template> {
    let set = match chat::templates(checkpoint) {
        Ok(set) => set,
        Err(error) => {
            findings
                .push(Finding { about: "template", what: format!("cannot be read: {error:#}") });
            return vec![];
        }
    };
    let names: Vec<String> = set.names().map(str::to_owned).collect();
    let request = text::template::RenderRequest::default();
    let one = |name: String| match set.template(Some(&name), &request, Specials::new()) {
        Ok(template) => {
            findings.extend(of_template(&template));
            Template {
                bytes: template.source().len(),
                sha256: Some(template.sha256()),
                tools: template.mentions("tools"),
                thinking: template.mentions("enable_thinking") || template.mentions("thinking"),
                error: None,
                name,
            }
        }
        Err(error) => {
            let error = Some(error.to_string());
            Template { name, bytes: 0, sha256: None, tools: false, thinking: false, error }
        }
    };
    names.into_iter().map(one).collect()
}

fn of_template(template: &ChatTemplate) -> Vec<Finding> {
    let finding = |finding: text::template::Finding| {
        let kind = match finding.kind {
            FindingKind::ContentCondition => "what it writes depends on words people say",
            FindingKind::Url => "it carries an address",
            FindingKind::LongLiteral => "it carries a long text",
        };
        let what =
            format!("{}, line {}: {kind}: {:?}", template.name(), finding.line, finding.excerpt);
        Finding { about: "template", what }
    };
    template.findings().into_iter().map(finding).collect()
}

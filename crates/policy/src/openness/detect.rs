//! What a repository shows of each component. Files are the best evidence, then what the card declares,
//! then what it links to; nothing is fetched and nothing is believed to be complete.

use super::component::{
    ARCHITECTURE, CHECKPOINTS, COMPONENTS, Component, DATA_CARD, DATASETS, EVALUATION_CODE,
    EVALUATION_DATA, INFERENCE_CODE, LIBRARIES, METADATA, MODEL_CARD, PAPER, PREPROCESSING, REPORT,
    RESULTS, SAMPLES, TRAINING_CODE, WEIGHTS,
};
use super::{Attestation, EvidenceLevel, Held};
use crate::licence::is_open_spdx;
use crate::{Card, Effective, Facts, Format, Known, Licences, shown};

/// Every component, and what was seen of it.
pub(super) fn all(
    facts: &Facts,
    effective: &Effective,
    licences: &Licences,
    attested: &[Attestation],
) -> Vec<Held> {
    let repository = Look { facts, card: facts.card.as_ref() };
    COMPONENTS
        .iter()
        .map(|component| {
            let mut held = repository.see(component);
            licence_of(&mut held, effective, licences);
            if let Some(word) = attested.iter().find(|word| word.component == component.id)
                && held.evidence != EvidenceLevel::Present
            {
                held.evidence = EvidenceLevel::Attested;
                held.places = vec![format!("{}: {}", shown(&word.by), shown(&word.note))];
                held.licence = word.licence.as_deref().map(shown);
                held.open = match &word.licence {
                    Some(id) if is_open_spdx(id) => Known::Yes,
                    Some(_) => Known::No,
                    None => Known::Unknown,
                };
            }
            held
        })
        .collect()
}

/// What lies in the repository carries what binds the repository; what is linked carries its own, unseen.
fn licence_of(held: &mut Held, effective: &Effective, licences: &Licences) {
    match held.evidence {
        EvidenceLevel::Present => {}
        EvidenceLevel::Declared
            if held.component.id == RESULTS || held.component.id == DATA_CARD => {}
        _ => return,
    }
    let parts = match held.component.id {
        // Weights carry what their ancestors carry; texts and code are the repository's own.
        WEIGHTS | CHECKPOINTS => &effective.parts[..],
        _ => effective.parts.get(..1).unwrap_or_default(),
    };
    let ids: Vec<String> = parts
        .iter()
        .map(|part| {
            let licence = licences.get(&part.resolution.licence);
            licence.spdx.unwrap_or(licence.id)
        })
        .collect();
    let closed = ids.iter().find(|id| !is_open_spdx(id));
    held.open = if closed.is_none() && !ids.is_empty() { Known::Yes } else { Known::No };
    let shown = closed.or(ids.first()).cloned();
    held.licence = shown.filter(|id| id != Licences::UNKNOWN);
}

struct Look<'a> {
    facts: &'a Facts,
    card: Option<&'a Card>,
}

/// Evidence found, and where.
type Seen = Option<(EvidenceLevel, Vec<String>)>;

impl Look<'_> {
    fn see(&self, component: &'static Component) -> Held {
        let (evidence, places) =
            self.find(component.id).unwrap_or((EvidenceLevel::Absent, Vec::new()));
        let note = match component.id {
            _ if evidence == EvidenceLevel::Absent => None,
            ARCHITECTURE if evidence == EvidenceLevel::Declared => {
                Some("counts where an open library implements this architecture")
            }
            DATASETS => Some("a name proves nothing about completeness: a person has to attest it"),
            PAPER => Some("papers are often under licences that are not open"),
            _ => None,
        };
        Held {
            component,
            evidence,
            places,
            licence: None,
            open: Known::Unknown,
            note: note.map(str::to_owned),
        }
    }

    fn find(&self, id: u8) -> Seen {
        use EvidenceLevel::{Declared, Linked};
        match id {
            ARCHITECTURE => self
                .files(|path, name| {
                    ends(name, &[".py"])
                        && (name.starts_with("modeling") || name.starts_with("modelling"))
                        || path.contains("/modeling")
                })
                .or_else(|| {
                    self.facts
                        .architecture
                        .as_ref()
                        .map(|a| (Declared, vec![format!("architecture {}", shown(a))]))
                }),
            WEIGHTS => {
                self.files(|path, _| Format::of_path(path).is_some() && !is_checkpoint(path))
            }
            REPORT => self
                .files(|_, name| name.contains("report") && (ends(name, &[".pdf", ".md"])))
                .or_else(|| self.paper())
                .or_else(|| {
                    self.links(Linked, &["/pdf", "technical report", "tech-report", "tech_report"])
                }),
            RESULTS => self
                .files(|path, name| {
                    path.starts_with(".eval_results/")
                        || ["eval_results.yaml", "all_results.json"].contains(&name)
                })
                .or_else(|| {
                    self.said(|card| card.results.then(|| "README.md: model-index".to_owned()))
                })
                .or_else(|| {
                    self.section(&["evaluation", "benchmark", "results", "performance"], 300)
                }),
            MODEL_CARD => self.model_card(),
            DATA_CARD => self
                .files(|_, name| ["data_card.md", "datacard.md", "data-card.md"].contains(&name))
                .or_else(|| {
                    self.section(
                        &[
                            "training data",
                            "dataset",
                            "data card",
                            "data source",
                            "data mix",
                            "pretraining data",
                        ],
                        300,
                    )
                })
                .or_else(|| self.datasets()),
            SAMPLES => self
                .files(|path, _| path.starts_with("samples/") || path.starts_with("examples/"))
                .or_else(|| {
                    self.said(|card| card.sample_outputs.then(|| "README.md: widget".to_owned()))
                }),
            TRAINING_CODE => self
                .files(|path, name| {
                    let code = ends(name, &[".py", ".sh", ".yaml", ".yml"]);
                    code && (name.starts_with("train")
                        || name.starts_with("pretrain")
                        || name.starts_with("finetune")
                        || path.contains("/recipes/")
                        || path.starts_with("recipes/"))
                })
                .or_else(|| {
                    self.said(|card| {
                        let library = card.library_name.as_deref()?;
                        ["trl", "axolotl", "unsloth"]
                            .contains(&library)
                            .then(|| format!("README.md: library_name {library}"))
                    })
                })
                .or_else(|| {
                    self.code_link(&["training code", "train", "pretrain", "finetun", "fine-tun"])
                }),
            INFERENCE_CODE => self
                .files(|_, name| {
                    ends(name, &[".py"])
                        && ["handler", "inference", "generate", "modeling_"]
                            .iter()
                            .any(|start| name.starts_with(start))
                })
                .or_else(|| {
                    self.said(|card| {
                        card.library_name
                            .as_ref()
                            .map(|library| format!("README.md: library_name {}", shown(library)))
                    })
                })
                .or_else(|| {
                    self.files(|path, _| ends(path, &[".gguf"]))
                        .map(|(_, places)| (Declared, places))
                })
                .or_else(|| {
                    self.said(|card| {
                        card.tags
                            .iter()
                            .any(|tag| tag == "gguf")
                            .then(|| "README.md: tag gguf".to_owned())
                    })
                }),
            EVALUATION_CODE => self
                .files(|path, name| {
                    ends(name, &[".py"]) && name.starts_with("eval") || path.contains("lm_eval")
                })
                .or_else(|| {
                    self.links(
                        Linked,
                        &[
                            "lm-evaluation-harness",
                            "olmes",
                            "lighteval",
                            "simple-evals",
                            "opencompass",
                            "evalplus",
                            "helm",
                        ],
                    )
                }),
            EVALUATION_DATA => self
                .files(|path, _| path.starts_with("eval") && path.contains("data"))
                .or_else(|| {
                    self.said(|card| {
                        (!card.result_datasets.is_empty()).then(|| {
                            format!(
                                "README.md: model-index names {}",
                                shown(&card.result_datasets.join(", "))
                            )
                        })
                    })
                }),
            LIBRARIES => self
                .files(|_, name| {
                    name.starts_with("requirements")
                        || ["environment.yml", "pyproject.toml"].contains(&name)
                })
                .or_else(|| {
                    self.said(|card| {
                        card.library_name
                            .as_ref()
                            .map(|library| format!("README.md: library_name {}", shown(library)))
                    })
                }),
            DATASETS => self
                .files(|path, _| {
                    path.starts_with("data/")
                        && ends(path, &[".jsonl", ".parquet", ".csv", ".arrow"])
                })
                .or_else(|| self.datasets())
                .or_else(|| self.links(Linked, &["huggingface.co/datasets/"])),
            PREPROCESSING => self
                .files(|path, name| {
                    ends(name, &[".py"])
                        && (path.starts_with("data/")
                            || ["preprocess", "dedup", "filter"]
                                .iter()
                                .any(|start| name.starts_with(start)))
                })
                .or_else(|| {
                    self.links(
                        Linked,
                        &["github.com/allenai/dolma", "datatrove", "nemo-curator", "data-prep-kit"],
                    )
                }),
            PAPER => self
                .files(|_, name| name.contains("paper") && ends(name, &[".pdf"]))
                .or_else(|| self.paper())
                .or_else(|| {
                    self.links(
                        Linked,
                        &[
                            "arxiv.org/abs",
                            "arxiv.org/pdf",
                            "doi.org/",
                            "openreview.net",
                            "aclanthology.org",
                        ],
                    )
                }),
            CHECKPOINTS => self.files(|path, _| is_checkpoint(path)).or_else(|| {
                let step = |name: &&String| {
                    let name = name.to_ascii_lowercase();
                    ["step", "checkpoint", "stage"].iter().any(|start| name.starts_with(start))
                        || name.ends_with("-tokens")
                };
                let names: Vec<String> = self
                    .facts
                    .refs
                    .iter()
                    .filter(step)
                    .take(3)
                    .map(|name| format!("revision {}", shown(name)))
                    .collect();
                (names.len() > 1).then_some((EvidenceLevel::Present, names))
            }),
            METADATA => self
                .files(|_, name| {
                    [
                        "trainer_state.json",
                        "training_args.bin",
                        "optimizer.pt",
                        "scheduler.pt",
                        "all_results.json",
                        "train_results.json",
                    ]
                    .contains(&name)
                })
                .or_else(|| {
                    self.said(|card| {
                        card.tags
                            .iter()
                            .any(|tag| tag == "generated_from_trainer")
                            .then(|| "README.md: tag generated_from_trainer".to_owned())
                    })
                })
                .or_else(|| self.links(Linked, &["wandb.ai"])),
            _ => None,
        }
    }

    /// Files whose path and name, in lower case, are of a kind.
    fn files(&self, is: impl Fn(&str, &str) -> bool) -> Seen {
        let mut found = Vec::new();
        for file in &self.facts.files {
            let path = file.path.to_ascii_lowercase();
            let name = path.rsplit('/').next().unwrap_or(&path);
            if is(&path, name) {
                found.push(shown(&file.path));
            }
            if found.len() == 4 {
                "…".clone_into(&mut found[3]);
                break;
            }
        }
        (!found.is_empty()).then_some((EvidenceLevel::Present, found))
    }

    fn said(&self, what: impl Fn(&Card) -> Option<String>) -> Seen {
        self.card.and_then(what).map(|place| (EvidenceLevel::Declared, vec![place]))
    }

    fn datasets(&self) -> Seen {
        self.said(|card| {
            (!card.datasets.is_empty())
                .then(|| format!("README.md: datasets {}", shown(&card.datasets.join(", "))))
        })
    }

    fn paper(&self) -> Seen {
        let paper = self.card?.papers().next()?;
        Some((EvidenceLevel::Linked, vec![format!("README.md: tag arxiv:{}", shown(paper))]))
    }

    /// A phrase that an address in the card's text holds.
    fn links(&self, level: EvidenceLevel, phrases: &[&str]) -> Seen {
        let body = self.card?.body.to_ascii_lowercase();
        let found = addresses(&body)
            .find(|address| phrases.iter().any(|phrase| address.contains(phrase)))?;
        Some((level, vec![format!("README.md links to {}", shown(found))]))
    }

    /// A link to a code host on a line that speaks of something.
    fn code_link(&self, words: &[&str]) -> Seen {
        let body = self.card?.body.to_ascii_lowercase();
        let line = body.lines().find(|line| {
            line.contains("github.com/") && words.iter().any(|word| line.contains(word))
        })?;
        let found = addresses(line).find(|address| address.contains("github.com/"))?;
        Some((EvidenceLevel::Linked, vec![format!("README.md links to {}", shown(found))]))
    }

    /// A section of the card by a word of its heading, at least so many characters long.
    fn section(&self, words: &[&str], least: usize) -> Seen {
        let found = sections(&self.card?.body).into_iter().find(|(heading, text)| {
            let heading = heading.to_ascii_lowercase();
            words.iter().any(|word| heading.contains(word)) && text.trim().chars().count() > least
        })?;
        Some((EvidenceLevel::Present, vec![format!("README.md: section \"{}\"", shown(&found.0))]))
    }

    /// A model card is a text of substance that speaks of at least three of the things one expects.
    fn model_card(&self) -> Seen {
        const TOPICS: [&[&str]; 4] = [
            &["intended use", "uses", "use case", "usage", "how to use", "quickstart"],
            &["limitation", "bias", "risk", "safety", "ethical"],
            &["training data", "dataset", "training", "pretraining"],
            &["evaluation", "benchmark", "results", "performance"],
        ];
        let body = &self.card?.body;
        if body.chars().count() < 1500 {
            return None;
        }
        let headings: Vec<String> =
            sections(body).into_iter().map(|(heading, _)| heading.to_ascii_lowercase()).collect();
        let about = |words: &&&[&str]| {
            headings.iter().any(|heading| words.iter().any(|word| heading.contains(word)))
        };
        let topics = TOPICS.iter().filter(about).count();
        (topics >= 3)
            .then(|| (EvidenceLevel::Present, vec![format!("README.md, {topics} of 4 topics")]))
    }
}

fn ends(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

/// `checkpoint-500/model.safetensors`, `step1000/…`, `x/iter_0001/…`.
fn is_checkpoint(path: &str) -> bool {
    let Some((folders, _)) = path.rsplit_once('/') else { return false };
    let marks = |part: &str| {
        let number = |rest: &str| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        ["checkpoint-", "step", "iter_"]
            .iter()
            .any(|start| part.strip_prefix(start).is_some_and(number))
    };
    folders.split('/').any(marks)
}

/// Addresses in a text.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("http")
        .map(|(at, _)| {
            let rest = &text[at..];
            let end = rest
                .find(|c: char| c.is_whitespace() || "()[]<>\"'".contains(c))
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|address| address.contains("://"))
}

/// Headings of a Markdown text with what stands below each, up to the next.
fn sections(body: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix('#') {
            if all.len() == 500 {
                break;
            }
            all.push((rest.trim_start_matches('#').trim().to_owned(), String::new()));
        } else if let Some((_, text)) = all.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    all
}

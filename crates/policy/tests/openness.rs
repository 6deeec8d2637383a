//! Openness against the Model Openness Tool's published expectations, and on what repositories show.

use policy::openness::{
    Attestation, COMPONENTS, Component, Content, Count, EvidenceLevel, Held, Level, MofClass,
    assess, evaluate,
};
use policy::{
    Card, Effective, Facts, FileFact, Gated, Known, Licences, Openness, Shelf, effective,
};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    licences: Globals,
    components: String,
    class: u8,
    percent: [f64; 3],
}

#[derive(Deserialize, Default)]
struct Globals {
    distribution: Option<String>,
    code: Option<String>,
    data: Option<String>,
    document: Option<String>,
}

impl Case {
    /// A component's licence is its own, else that of its kind, else that of the whole, else none.
    fn held(&self) -> Vec<Held> {
        let of = |part: &str| {
            let (id, own) = part.split_once('=').map_or((part, None), |(id, own)| (id, Some(own)));
            let component = Component::by_id(id.parse().expect("a number")).expect("a component");
            let kind = match component.content {
                Content::Code => &self.licences.code,
                Content::Data => &self.licences.data,
                Content::Document => &self.licences.document,
            };
            let licence =
                own.map(str::to_owned).or(kind.clone()).or(self.licences.distribution.clone());
            let open = licence.as_deref().is_some_and(policy::openness::is_open);
            Held {
                component,
                evidence: EvidenceLevel::Present,
                places: vec![],
                licence,
                open: if open { Known::Yes } else { Known::No },
                note: None,
            }
        };
        self.components.split_whitespace().map(of).collect()
    }
}

#[test]
fn the_model_openness_tools_27_models_get_its_classes_and_percentages() {
    let cases: Cases = toml::from_str(include_str!("data/mof.toml")).unwrap();
    assert_eq!(cases.case.len(), 27);
    for case in cases.case {
        for count in [Count::Possible, Count::Proven] {
            let found = evaluate(&case.held(), count);
            let class = match found.class {
                None => 0,
                Some(MofClass::OpenModel) => 3,
                Some(MofClass::OpenTooling) => 2,
                Some(MofClass::OpenScience) => 1,
            };
            assert_eq!(class, case.class, "{}: {found:?}", case.name);
            for (found, expected) in found.percent.iter().zip(case.percent) {
                assert!((found - expected).abs() < 0.01, "{}: {found} for {expected}", case.name);
            }
        }
    }
}

#[test]
fn the_framework_has_17_entries_and_14_required() {
    let required = |class| COMPONENTS.iter().filter(|c| c.required && c.class == class).count();
    assert_eq!(COMPONENTS.len(), 17);
    assert_eq!(
        [MofClass::OpenModel, MofClass::OpenTooling, MofClass::OpenScience].map(required),
        [6, 4, 4]
    );
}

fn files(paths: &[&str]) -> Vec<FileFact> {
    paths.iter().map(|path| FileFact { path: (*path).into(), bytes: 1, sha256: None }).collect()
}

fn look(facts: &Facts, attested: &[Attestation]) -> (Openness, Effective) {
    let bound = effective(facts, &Shelf::new(), Licences::shipped());
    (assess(facts, &bound, Licences::shipped(), attested), bound)
}

fn card(license: &str, body: &str) -> Card {
    let keys =
        json!({"license": license, "library_name": "transformers", "tags": ["arxiv:2501.00656"]});
    Card::new(keys.as_object().expect("an object"), body)
}

const GOOD_CARD: &str = "# Model\n\nText.\n\n## Intended use\n\nA.\n\n## Limitations and bias\n\nB.\n\n## Evaluation\n\n{long}\n\n## Training data\n\n{long}\n";

fn good_card() -> String {
    GOOD_CARD.replace("{long}", &"The quick brown fox jumps over the lazy dog. ".repeat(20))
}

#[test]
fn weights_under_an_open_licence_are_not_an_open_model() {
    let facts = Facts {
        id: "a/b".into(),
        card: Some(card("apache-2.0", "short")),
        files: files(&["model.safetensors", "README.md", "config.json"]),
        architecture: Some("LlamaForCausalLM".into()),
        ..Facts::default()
    };
    let (openness, _) = look(&facts, &[]);
    assert_eq!((openness.level, openness.class, openness.proven), (Level::Permissive, None, None));
    let next = openness.next.unwrap();
    assert_eq!(next.class, MofClass::OpenModel);
    let missing: Vec<&str> = next.missing.iter().map(|missing| missing.name).collect();
    assert!(missing.contains(&"model card") && missing.contains(&"data card"), "{missing:?}");
    assert_eq!(openness.osaid.verdict, Known::No, "no training code");
}

#[test]
fn a_good_card_could_reach_class_three_and_the_proof_needs_more() {
    let facts = Facts {
        id: "a/b".into(),
        card: Some(card("apache-2.0", &good_card())),
        files: files(&["model.safetensors", "README.md"]),
        architecture: Some("Olmo2ForCausalLM".into()),
        ..Facts::default()
    };
    let (openness, _) = look(&facts, &[]);
    assert_eq!(openness.class, Some(MofClass::OpenModel), "{openness:#?}");
    assert_eq!((openness.level, openness.proven), (Level::OpenModel, None));
    let word = |component, licence: &str| Attestation {
        component,
        by: "Ada".into(),
        note: "read it".into(),
        licence: Some(licence.into()),
    };
    let (openness, _) =
        look(&facts, &[word(9, "Apache-2.0"), word(11, "CC-BY-4.0"), word(21, "CC-BY-4.0")]);
    assert_eq!(openness.proven, Some(MofClass::OpenModel));
    let (openness, _) =
        look(&facts, &[word(9, "Apache-2.0"), word(11, "CC-BY-NC-4.0"), word(21, "CC-BY-NC-4.0")]);
    assert_eq!(
        (openness.class, openness.proven),
        (None, None),
        "a closed report counts for nothing"
    );
}

#[test]
fn the_same_card_under_a_closed_licence_is_unclassified() {
    let mut facts = Facts {
        id: "a/b".into(),
        card: Some(card("llama3.1", &good_card())),
        files: files(&["model.safetensors"]),
        architecture: Some("LlamaForCausalLM".into()),
        ..Facts::default()
    };
    let (openness, _) = look(&facts, &[]);
    assert_eq!((openness.level, openness.class), (Level::Conditional, None));
    assert_eq!(openness.osaid.verdict, Known::No);
    facts.gated = Gated::Manual;
    assert_eq!(look(&facts, &[]).0.level, Level::Restricted);
    facts.files.clear();
    assert_eq!(look(&facts, &[]).0.level, Level::Closed);
}

#[test]
fn everything_in_one_repository_is_fully_open() {
    let facts = Facts {
        id: "lab/open".into(),
        card: Some(card("apache-2.0", &good_card())),
        files: files(&[
            "model.safetensors",
            "modeling_open.py",
            "technical_report.pdf",
            "eval_results.yaml",
            "DATA_CARD.md",
            "train.py",
            "inference.py",
            "evaluate.py",
            "eval/data/questions.jsonl",
            "data/part.parquet",
            "preprocess.py",
            "research_paper.pdf",
            "checkpoint-500/model.safetensors",
            "trainer_state.json",
        ]),
        ..Facts::default()
    };
    let (openness, _) = look(&facts, &[]);
    assert_eq!(
        (openness.class, openness.proven),
        (Some(MofClass::OpenScience), Some(MofClass::OpenScience)),
        "{openness:#?}"
    );
    assert_eq!((openness.level.number(), openness.next), (6, None));
    assert_eq!(
        openness.osaid.verdict,
        Known::Unknown,
        "whether the data are told well enough, a person judges"
    );
}

#[test]
fn more_files_never_make_a_model_less_open() {
    let all = [
        "model.safetensors",
        "modeling_x.py",
        "report.pdf",
        "eval_results.yaml",
        "DATA_CARD.md",
        "train.py",
        "generate.py",
        "eval.py",
        "data/x.jsonl",
    ];
    let mut before: Option<Openness> = None;
    for count in 0..=all.len() {
        let facts = Facts {
            id: "a/b".into(),
            card: Some(card("mit", &good_card())),
            files: files(&all[..count]),
            ..Facts::default()
        };
        let now = look(&facts, &[]).0;
        if let Some(before) = before {
            assert!(
                now.class >= before.class
                    && now.level >= before.level
                    && now.proven >= before.proven
            );
        }
        before = Some(now);
    }
}

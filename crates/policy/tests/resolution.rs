//! Licence resolution: the traps of real repositories, and a table of real model cards.

use policy::{
    Basis, Card, Class, Effective, Facts, FindingKind, GgufFacts, Known, LicenceText, Licences,
    Ruling, Shelf, Train, effective, resolve,
};
use serde::Deserialize;
use serde_json::json;

const MIT: &str = include_str!("../../../LICENSE-MIT");
const APACHE: &str = include_str!("../../../LICENSE-APACHE");

/// Enough of a non-commercial licence to bear its marks, in our words otherwise.
fn non_commercial_text() -> String {
    let filler = "This passage stands for the conditions of the licence, none of which permits earning money. ".repeat(10);
    format!(
        "Creative Commons Attribution-NonCommercial 4.0 International Public License\n\n{filler}"
    )
}

fn unknown_text(limit: &str) -> String {
    let filler = "You may do with the model what this text says and nothing else, for as long as it says so. ".repeat(10);
    format!("THE HOUSE LICENCE OF SOMEBODY\n\n{filler}{limit}")
}

fn model(id: &str, front: serde_json::Value) -> Facts {
    let serde_json::Value::Object(keys) = front else { panic!("expected an object") };
    let card = Card::new(&keys, "");
    Facts { id: id.into(), card: Some(card), ..Facts::default() }
}

fn with(mut facts: Facts, path: &str, text: &str) -> Facts {
    facts.texts.push(LicenceText { path: path.into(), text: text.into() });
    facts
}

fn alone(facts: &Facts) -> Effective {
    effective(facts, &Shelf::new(), Licences::shipped())
}

fn kinds(found: &Effective) -> Vec<FindingKind> {
    let mut kinds: Vec<FindingKind> = found.findings.iter().map(|finding| finding.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[derive(Deserialize)]
struct Cards {
    card: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    license: Option<String>,
    license_name: Option<String>,
    license_link: Option<String>,
    #[serde(default)]
    base_model: Vec<String>,
    base_model_relation: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    own: String,
    basis: String,
    #[serde(default)]
    findings: Vec<String>,
    binds: Vec<String>,
}

#[test]
fn real_cards_resolve_with_evidence() {
    let cards: Cards = toml::from_str(include_str!("data/cards.toml")).unwrap();
    assert!(cards.card.len() >= 60, "{}", cards.card.len());
    let mut wrong = Vec::new();
    for row in &cards.card {
        let front = json!({
            "license": row.license, "license_name": row.license_name, "license_link": row.license_link,
            "base_model": row.base_model, "base_model_relation": row.base_model_relation, "tags": row.tags,
        });
        let found = alone(&model(&row.id, front));
        let own = found.own().unwrap();
        let findings: Vec<String> = kinds(&found).iter().map(name).collect();
        let mut expected = row.findings.clone();
        expected.sort();
        let mut told = findings.clone();
        told.sort();
        let binds: Vec<&String> = found.terms.licences.iter().collect();
        let mut expected_binds: Vec<&String> = row.binds.iter().collect();
        expected_binds.sort();
        let basis = name(&own.resolution.basis);
        if own.resolution.licence != row.own
            || basis != row.basis
            || told != expected
            || binds != expected_binds
        {
            wrong.push(format!(
                "{}: {} by {basis}, {told:?}, binds {binds:?}",
                row.id, own.resolution.licence
            ));
        }
        let shown =
            own.resolution.evidence.iter().any(|item| item.licence.as_ref() == Some(&row.own));
        if row.own != Licences::UNKNOWN && !shown {
            wrong.push(format!("{}: no evidence for {}", row.id, row.own));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        cards.card.len(),
        wrong.join("\n")
    );
}

/// The name a value serialises to.
fn name<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("a plain value");
    value.as_str().expect("a name").to_owned()
}

#[test]
fn i4_a_permissive_name_over_a_non_commercial_text() {
    let facts = with(model("a/b", json!({"license": "mit"})), "LICENSE", &non_commercial_text());
    let found = alone(&facts);
    assert_eq!(found.own().unwrap().resolution.licence, "cc-by-nc-4.0");
    assert!(kinds(&found).contains(&FindingKind::NameAndTextDisagree));
    assert_eq!(found.terms.commercial, Ruling::No);
}

#[test]
fn i4_a_permissive_license_name_with_a_non_commercial_file() {
    let front = json!({"license": "other", "license_name": "apache-2.0"});
    let found = alone(&with(model("a/b", front), "LICENSE.txt", &non_commercial_text()));
    assert_eq!(found.own().unwrap().resolution.licence, "cc-by-nc-4.0");
    assert!(kinds(&found).contains(&FindingKind::NameAndTextDisagree));
}

#[test]
fn i4_a_llama_copy_that_names_no_ancestor() {
    let mut facts =
        model("someone/great-model-GGUF", json!({"license": "apache-2.0", "tags": ["gguf"]}));
    facts.architecture = Some("llama".into());
    facts.vocabulary = Some(128_256);
    let found = alone(&facts);
    let finding = found.findings.iter().find(|f| f.kind == FindingKind::AncestorNotNamed).unwrap();
    assert!(finding.says.contains("Llama 3"), "{}", finding.says);
    facts.vocabulary = Some(32_000);
    assert!(!kinds(&alone(&facts)).contains(&FindingKind::AncestorNotNamed));
}

#[test]
fn a_permissive_name_over_a_text_nobody_knows_is_not_believed() {
    let found = alone(&with(model("a/b", json!({"license": "mit"})), "LICENSE", &unknown_text("")));
    assert_eq!(found.own().unwrap().resolution.licence, Licences::UNKNOWN);
    assert!(kinds(&found).contains(&FindingKind::NameAndTextDisagree));
    // A licence whose text we could not recognise anyway is believed, with a finding.
    let named = model("a/b", json!({"license": "other", "license_name": "lfm1.0"}));
    let found = alone(&with(named.clone(), "LICENSE", &unknown_text("")));
    assert_eq!(found.own().unwrap().resolution.licence, "lfm-1.0");
    assert!(kinds(&found).contains(&FindingKind::TextUnknown));
    let found = alone(&with(named, "LICENSE", &unknown_text("For research purposes only.")));
    assert_eq!(found.own().unwrap().resolution.licence, Licences::UNKNOWN);
    assert!(kinds(&found).contains(&FindingKind::TextLimitsUse));
}

#[test]
fn a_text_wins_over_an_old_name_as_with_yi() {
    let front = json!({"license": "other", "license_name": "yi-license"});
    let found =
        resolve(&with(model("01-ai/Yi-34B", front), "LICENSE", APACHE), Licences::shipped());
    assert_eq!((found.licence.as_str(), found.basis), ("apache-2.0", Basis::TextHash));
}

#[test]
fn a_permissive_text_with_a_limit_added_is_not_believed() {
    for (text, kind) in [
        (format!("\"Commons Clause\" License Condition\n\n{MIT}"), FindingKind::TextLimitsUse),
        (format!("{MIT}\nFor research purposes only."), FindingKind::TextLimitsUse),
    ] {
        let found = alone(&with(model("a/b", json!({"license": "mit"})), "LICENSE", &text));
        assert_eq!(found.own().unwrap().resolution.licence, Licences::UNKNOWN, "{text}");
        assert!(kinds(&found).contains(&kind));
    }
    let beside = with(
        with(model("a/b", json!({"license": "mit"})), "LICENSE", MIT),
        "LICENSE-EXTRA",
        &unknown_text("Non-commercial."),
    );
    assert_eq!(alone(&beside).own().unwrap().resolution.licence, Licences::UNKNOWN);
}

#[test]
fn what_people_are_asked_to_accept_counts_as_text() {
    let front = json!({"license": "apache-2.0", "extra_gated_prompt": "### LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\nLlama 3.1 Version"});
    let facts = model("a/b", front);
    assert_eq!(facts.card.as_ref().unwrap().gated_prompt_sha256().unwrap().len(), 64);
    let found = alone(&facts);
    assert_eq!(found.own().unwrap().resolution.licence, "llama-3.1-community");
    assert!(kinds(&found).contains(&FindingKind::NameAndTextDisagree));
}

#[test]
fn a_pointer_is_no_licence_text() {
    let facts = with(
        model("a/b", json!({"license": "mit"})),
        "LICENSE",
        "See https://opensource.org/license/mit",
    );
    assert_eq!(resolve(&facts, Licences::shipped()).licence, "mit");
}

#[test]
fn a_copy_that_names_an_old_licence_carries_what_it_copies_as_with_phi_2() {
    let front = json!({"license": "other", "license_name": "microsoft-research-license",
        "base_model": "microsoft/phi-2", "base_model_relation": "quantized"});
    let original = model("microsoft/phi-2", json!({"license": "mit"}));
    let shelf = Shelf::from_iter([original.clone()]);
    let found = effective(&model("TheBloke/phi-2-GGUF", front), &shelf, Licences::shipped());
    assert_eq!(
        (found.own().unwrap().resolution.licence.as_str(), found.terms.commercial),
        ("mit", Ruling::Yes)
    );
    assert!(kinds(&found).contains(&FindingKind::CopySaysOther));
    // A fine-tune is no mere copy: its own word stands.
    let front = json!({"license": "cc-by-nc-4.0", "base_model": "microsoft/phi-2", "base_model_relation": "finetune"});
    let found = effective(&model("a/phi-2-tuned", front), &shelf, Licences::shipped());
    assert_eq!(found.terms.commercial, Ruling::No);
}

#[test]
fn a_gap_in_a_family_is_seen_as_with_qwen_2_5() {
    for (id, name, commercial) in [
        ("Qwen/Qwen2.5-3B-Instruct", Some("qwen-research"), Ruling::No),
        ("Qwen/Qwen2.5-7B-Instruct", None, Ruling::Yes),
    ] {
        let front = match name {
            Some(name) => json!({"license": "other", "license_name": name}),
            None => json!({"license": "apache-2.0"}),
        };
        assert_eq!(alone(&model(id, front)).terms.commercial, commercial, "{id}");
    }
}

#[test]
fn a_name_without_a_file_stays_unknown_with_a_hint() {
    let found = alone(&model("a/b", json!({"license": "other", "license_name": "nvidia-license"})));
    assert_eq!(found.own().unwrap().resolution.licence, Licences::UNKNOWN);
    assert!(found.findings[0].says.contains("non-commercial"), "{}", found.findings[0].says);
}

#[test]
fn names_that_moved_are_read_as_they_stand_now() {
    let named =
        |name: &str| alone(&model("a/b", json!({"license": "other", "license_name": name})));
    assert_eq!(named("sai-nc-community").own().unwrap().resolution.licence, "stability-community");
    let eva = named("eva-llama3.3");
    assert_eq!(eva.own().unwrap().resolution.licence, Licences::UNKNOWN);
    assert!(eva.findings[0].says.contains("clause added"));
}

#[test]
fn an_unknown_name_beside_a_known_one_is_told() {
    let found =
        alone(&model("a/b", json!({"license": "apache-2.0", "license_name": "my-very-own-1.0"})));
    assert_eq!(found.own().unwrap().resolution.licence, "apache-2.0");
    assert_eq!(kinds(&found), [FindingKind::NameUnknown]);
}

#[test]
fn a_converted_file_carries_what_it_was_converted_from() {
    let gguf = GgufFacts::new([(
        "general.source.repo_url",
        "https://huggingface.co/google/gemma-2-9b-it",
    )]);
    let found = alone(&Facts { id: "x.gguf".into(), gguf: Some(gguf), ..Facts::default() });
    assert_eq!(found.own().unwrap().resolution.licence, "gemma-tou");
}

#[test]
fn other_without_a_name_is_an_ordinary_unknown() {
    let found = alone(&model("a/b", json!({"license": "other"})));
    assert_eq!(found.own().unwrap().resolution.licence, Licences::UNKNOWN);
    assert_eq!((found.terms.class, found.terms.commercial), (Class::Unknown, Ruling::Unknown));
    assert_eq!(kinds(&found), [FindingKind::NothingDeclared]);
}

#[test]
fn a_distil_on_a_llama_base_stays_under_the_llama_licence_as_with_r1() {
    let front = json!({"license": "mit", "base_model": "meta-llama/Llama-3.1-8B"});
    let base = model("meta-llama/Llama-3.1-8B", json!({"license": "llama3.1"}));
    let found = effective(
        &model("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", front),
        &Shelf::from_iter([base]),
        Licences::shipped(),
    );
    assert_eq!(found.terms.licences.iter().collect::<Vec<_>>(), ["llama-3.1-community", "mit"]);
    assert_eq!(
        (found.terms.commercial, found.terms.train),
        (Ruling::Conditional, Train::Conditional)
    );
    assert_eq!(found.terms.namings.len(), 1);
    assert!(kinds(&found).contains(&FindingKind::StricterThanDeclared));
}

#[test]
fn a_requantised_copy_of_a_copy_keeps_the_terms_of_the_first() {
    let shelf = Shelf::from_iter([
        model("b/tuned", json!({"base_model": "google/gemma-2-9b-it", "license": "apache-2.0"})),
        model("google/gemma-2-9b-it", json!({"license": "gemma"})),
    ]);
    let facts =
        model("c/tuned-GGUF", json!({"base_model": "b/tuned", "base_model_relation": "quantized"}));
    let found = effective(&facts, &shelf, Licences::shipped());
    assert_eq!(found.parts.iter().map(|part| part.depth).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(found.own().unwrap().resolution.basis, Basis::Ancestors);
    assert_eq!(found.terms.hosting_is_distribution, Known::Yes);
    assert_eq!(found.terms.train, Train::Derivative);
}

#[test]
fn a_merge_takes_the_strictest_of_all_and_the_duties_of_each() {
    let shelf = Shelf::from_iter([
        model("a/one", json!({"license": "llama3.3"})),
        model("b/two", json!({"license": "cc-by-nc-4.0"})),
    ]);
    let facts = model(
        "c/merge",
        json!({"license": "apache-2.0", "base_model": ["a/one", "b/two"], "base_model_relation": "merge"}),
    );
    let found = effective(&facts, &shelf, Licences::shipped());
    assert_eq!((found.terms.class, found.terms.commercial), (Class::NonCommercial, Ruling::No));
    assert_eq!((found.terms.displays.len(), found.terms.exclusions.len()), (1, 1));
}

#[test]
fn weights_go_by_the_model_licence_where_there_are_two() {
    let facts = with(
        with(model("deepseek-ai/DeepSeek-V3", json!({})), "LICENSE-CODE", MIT),
        "LICENSE-MODEL",
        &format!("DEEPSEEK LICENSE AGREEMENT\n\n{}", "Terms. ".repeat(100)),
    );
    let found = resolve(&facts, Licences::shipped());
    assert_eq!((found.licence.as_str(), found.basis), ("deepseek-1.0", Basis::TextMarkers));
}

#[test]
fn the_gguf_header_speaks_where_no_card_does() {
    let gguf = GgufFacts::new([
        ("general.license", "apache-2.0"),
        ("general.base_model.0.repo_url", "https://huggingface.co/google/gemma-2-2b"),
    ]);
    let facts = Facts { id: "model.gguf".into(), gguf: Some(gguf), ..Facts::default() };
    let found = alone(&facts);
    assert_eq!(found.own().unwrap().resolution.basis, Basis::Gguf);
    assert!(found.terms.licences.contains("gemma-tou"), "its ancestor is known by name");
}

#[test]
fn card_and_header_that_disagree_are_a_finding_and_the_stricter_counts() {
    let mut facts = model("a/b", json!({"license": "apache-2.0"}));
    facts.gguf = Some(GgufFacts::new([("general.license", "llama3.1")]));
    let found = alone(&facts);
    assert_eq!(kinds(&found), [FindingKind::HeaderDisagrees]);
    assert_eq!(found.own().unwrap().resolution.licence, "llama-3.1-community");
}

#[test]
fn cycles_and_endless_chains_end() {
    let shelf = Shelf::from_iter([
        model("a/a", json!({"license": "mit", "base_model": "b/b"})),
        model("b/b", json!({"license": "mit", "base_model": "a/a"})),
    ]);
    let found = effective(shelf.get("a/a").unwrap(), &shelf, Licences::shipped());
    assert!(kinds(&found).contains(&FindingKind::Cycle));
    assert_eq!(found.parts.len(), 2);

    let chain: Shelf = (0..100)
        .map(|n| {
            model(
                &format!("x/{n}"),
                json!({"license": "mit", "base_model": format!("x/{}", n + 1)}),
            )
        })
        .collect();
    let found = effective(chain.get("x/0").unwrap(), &chain, Licences::shipped());
    assert!(kinds(&found).contains(&FindingKind::TooDeep));
    assert_eq!(found.terms.class, Class::Unknown, "what was not followed is not known");

    let wide: Vec<String> = (0..5000).map(|n| format!("w/{n}")).collect();
    let found = alone(&model("x/wide", json!({"license": "mit", "base_model": wide})));
    assert!(found.parts.len() <= 66);
}

#[test]
fn the_walk_is_the_meet_whatever_the_order_of_ancestors() {
    let names = ["mit", "llama3.1", "gemma", "cc-by-nc-4.0", "bigcode-openrail-m", "llama3.3"];
    let shelf: Shelf =
        names.iter().map(|name| model(&format!("base/{name}"), json!({"license": name}))).collect();
    let terms = |order: &[&str]| {
        let bases: Vec<String> = order.iter().map(|name| format!("base/{name}")).collect();
        effective(
            &model("a/b", json!({"license": "mit", "base_model": bases})),
            &shelf,
            Licences::shipped(),
        )
        .terms
    };
    let forward = terms(&names);
    let mut back = names;
    back.reverse();
    assert_eq!(forward, terms(&back));
    for count in 0..names.len() {
        assert!(
            forward.at_most_as_free_as(&terms(&names[..count])),
            "an ancestor more is never more freedom"
        );
    }
}

#[test]
fn data_under_share_alike_or_non_commercial_terms_binds() {
    let data = model("datasets/some/corpus", json!({"license": "cc-by-sa-4.0"}));
    let free = model("datasets/other/corpus", json!({"license": "cc0-1.0"}));
    let facts =
        model("a/b", json!({"license": "apache-2.0", "datasets": ["some/corpus", "other/corpus"]}));
    let found = effective(&facts, &Shelf::from_iter([data, free]), Licences::shipped());
    assert_eq!(found.parts.len(), 2);
    assert_eq!(found.terms.class, Class::CopyleftData);
}

#[test]
fn hostile_names_and_texts_are_shown_harmless_and_end() {
    let mut facts = model(
        "a/b\n| evil \u{202e}x",
        json!({"license": "x\u{1b}[31m\ny".repeat(10_000), "license_name": "<script>"}),
    );
    facts
        .texts
        .push(LicenceText { path: "LICENSE".into(), text: "\u{0}\u{feff}é".repeat(500_000) });
    let found = alone(&facts);
    let all = serde_json::to_string(&found).unwrap();
    assert!(
        !all.contains("\\u001b") && !all.contains("\\n") && !all.contains('\u{202e}'),
        "control characters"
    );
    assert_eq!(found.own().unwrap().resolution.licence, Licences::UNKNOWN);
}

//! Laws of the gate, held over many policies and models by enumeration and by a seeded generator.

use super::*;
use crate::{Card, Class, Date, Effective, Facts, Known, Licences, Shelf, effective};

fn model(id: &str, license: &str, bases: &[&str]) -> Facts {
    let card = Card {
        license: vec![license.to_owned()],
        base_model: bases.iter().map(|&base| base.to_owned()).collect(),
        ..Card::default()
    };
    Facts { id: id.into(), card: Some(card), ..Facts::default() }
}

fn bound(license: &str) -> Effective {
    effective(&model("org/model", license, &[]), &Shelf::new(), Licences::shipped())
}

fn today() -> Date {
    Date::new(2026, 11, 21).unwrap()
}

fn ask(gate: Gate, effective: &Effective) -> Ask<'_> {
    Ask::new(gate, "org/model", "hf:org/model", effective, today())
}

fn ready(rules: &str) -> PolicyState {
    let state = PolicyState::of(&format!("schema = \"freehold-policy/1\"\n{rules}"));
    assert!(matches!(state, PolicyState::Ready(_)), "{state:?}");
    state
}

fn verdict(rules: &str, ask: &Ask<'_>) -> Verdict {
    decide(&ready(rules), ask, Licences::shipped()).verdict
}

/// Rules, each of which restricts; any set of them makes one policy.
const RULES: [(&str, &str); 22] = [
    ("sources", "allow = [\"hf:other/*\"]"),
    ("sources", "deny = [\"hf:org/*\"]"),
    ("formats", "allow = [\"safetensors\"]"),
    ("formats", "deny = [\"gguf\"]"),
    ("formats", "remote_code = \"deny\""),
    ("templates", "allow = [\"aa\"]"),
    ("templates", "deny = [\"bb\"]"),
    ("licence", "allow_classes = [\"open-source\"]"),
    ("licence", "ask_classes = [\"open-weight-conditional\", \"responsible-ai\"]"),
    ("licence", "deny_classes = [\"non-commercial\", \"unknown\"]"),
    ("licence", "deny = [\"gemma-tou\"]"),
    ("licence", "ask = [\"llama-3.1-community\"]"),
    ("licence", "require_osi = [\"export\", \"run\"]"),
    ("openness", "pull = 3"),
    ("openness", "run = 2"),
    ("memory", "memory_max = \"1GiB\""),
    ("memory", "download_max = 10"),
    ("defaults", "unknown_licence = \"deny\""),
    ("defaults", "unknown_term = \"ask\""),
    ("defaults", "finding = \"deny\""),
    ("organisation", "use = \"commercial\""),
    ("organisation", "military = \"yes\""),
];

/// A policy of the rules whose bit is set.
fn policy_of(set: u32) -> String {
    let mut text = String::new();
    let mut sections: Vec<&str> = RULES.iter().map(|(section, _)| *section).collect();
    sections.dedup();
    for section in sections {
        text.extend(["[", section, "]\n"]);
        for (index, (of, rule)) in RULES.iter().enumerate() {
            if *of == section && set & (1 << index) != 0 {
                text.push_str(rule);
                text.push('\n');
            }
        }
    }
    text
}

/// A small generator, seeded: the same cases every time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

const LICENSES: [&str; 9] = [
    "mit",
    "apache-2.0",
    "llama3.1",
    "llama3.2",
    "gemma",
    "cc-by-nc-4.0",
    "bigcode-openrail-m",
    "other",
    "gpl-3.0",
];

/// A model of some licences, by chance.
fn any_model(dice: &mut Dice) -> Effective {
    let pick = |dice: &mut Dice| LICENSES[dice.below(9) as usize];
    let shelf: Shelf = (0..3).map(|n| model(&format!("base/{n}"), pick(dice), &[])).collect();
    let bases: Vec<String> = (0..dice.below(4)).map(|n| format!("base/{n}")).collect();
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    effective(&model("org/model", pick(dice), &bases), &shelf, Licences::shipped())
}

/// A question about it, by chance.
fn any_ask<'a>(dice: &mut Dice, effective: &'a Effective) -> Ask<'a> {
    let gate = Gate::ALL[dice.below(5) as usize];
    let mut ask = ask(gate, effective);
    ask.formats = match dice.below(3) {
        0 => vec![],
        1 => vec![Format::Gguf],
        _ => vec![Format::Safetensors, Format::Pickle],
    };
    ask.remote_code =
        [RemoteCode::Present, RemoteCode::Absent, RemoteCode::Unknown][dice.below(3) as usize];
    ask.template = (dice.below(2) == 0)
        .then(|| TemplateFact { sha256: ["aa", "bb", "cc"][dice.below(3) as usize].into() });
    ask.multimodal = [None, Some(true), Some(false)][dice.below(3) as usize];
    ask.budget.memory_bytes = [None, Some(1), Some(1 << 40)][dice.below(3) as usize];
    ask.budget.download_bytes = [None, Some(1), Some(1 << 40)][dice.below(3) as usize];
    ask
}

#[test]
fn adding_a_rule_never_makes_a_decision_milder() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut denied = 0;
    for _ in 0..1500 {
        let effective = any_model(&mut dice);
        let ask = any_ask(&mut dice, &effective);
        let set = (dice.next() & dice.next() & dice.next()) as u32 & ((1 << RULES.len()) - 1);
        let state = ready(&policy_of(set));
        let before = decide(&state, &ask, Licences::shipped());
        denied += u32::from(before.verdict == Verdict::Deny);
        let rule = dice.below(RULES.len() as u64) as u32;
        let after = decide(&ready(&policy_of(set | 1 << rule)), &ask, Licences::shipped());
        // `use = "commercial"` settles for some licences what was not known before: then it may turn a
        // warning or a question into a yes, never a denial.
        let states_a_fact = RULES[rule as usize].0 == "organisation";
        if states_a_fact {
            assert!(before.verdict < Verdict::Deny || after.verdict == Verdict::Deny);
        } else {
            assert!(
                after.verdict >= before.verdict,
                "{:?}\n{}\n{}",
                RULES[rule as usize],
                before.summary(),
                after.summary()
            );
        }
        assert!(
            before.obligations.iter().all(|duty| after.obligations.contains(duty)),
            "a rule took a duty away"
        );
    }
    assert!((200..1300).contains(&denied), "the cases are one-sided: {denied} of 1500 denied");
}

#[test]
fn every_decision_explains_itself() {
    let mut dice = Dice(42);
    for _ in 0..600 {
        let effective = any_model(&mut dice);
        let ask = any_ask(&mut dice, &effective);
        let set = dice.next() as u32 & ((1 << RULES.len()) - 1);
        let decision = decide(&ready(&policy_of(set)), &ask, Licences::shipped());
        assert!(decision.because().count() >= 1, "{decision:?}");
        assert_eq!(decision.reasons.iter().map(|r| r.verdict).max(), Some(decision.verdict));
        for reason in &decision.reasons {
            assert!(
                reason.says.len() > 10 && reason.says.ends_with(['.', '…', '"', ')']),
                "{}",
                reason.says
            );
            assert!(super::file::RULES.contains(&reason.rule), "{} is on no list", reason.rule);
        }
        for duty in &decision.obligations {
            assert!(!duty.quote.source.is_empty() && !duty.quote.name.is_empty(), "{duty:?}");
        }
    }
}

#[test]
fn an_ancestor_more_only_adds_duties_and_strictness() {
    let licences = Licences::shipped();
    for first in LICENSES {
        for second in LICENSES {
            let shelf: Shelf = [model("base/x", second, &[])].into_iter().collect();
            let alone = effective(&model("org/model", first, &[]), &shelf, licences);
            let both = effective(&model("org/model", first, &["base/x"]), &shelf, licences);
            for gate in Gate::ALL {
                for rules in [
                    "",
                    "[licence]\ndeny_classes = [\"non-commercial\"]\nask_classes = [\"open-weight-conditional\"]\n[defaults]\nunknown_licence = \"deny\"\n",
                ] {
                    let state = ready(rules);
                    let (a, b) = (
                        decide(&state, &ask(gate, &alone), licences),
                        decide(&state, &ask(gate, &both), licences),
                    );
                    if first != "other" {
                        assert!(b.verdict >= a.verdict, "{first}+{second} at {}", gate.name());
                        let texts = |d: &Decision| {
                            d.obligations
                                .iter()
                                .map(|o| (o.kind, o.text.clone(), o.says.clone()))
                                .collect::<Vec<_>>()
                        };
                        let more = texts(&b);
                        assert!(
                            texts(&a).iter().all(|duty| more.contains(duty)),
                            "{first}+{second}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn two_policies_at_once_are_the_stricter() {
    let effective = bound("llama3.1");
    let ask = ask(Gate::Run, &effective);
    let both = |a: &str, b: &str| {
        decide(&ready(a), &ask, Licences::shipped()).and(decide(
            &ready(b),
            &ask,
            Licences::shipped(),
        ))
    };
    let deny = "[licence]\ndeny = [\"llama-3.1-community\"]";
    assert_eq!(both("", deny).verdict, Verdict::Deny);
    assert_eq!(both(deny, "").verdict, Verdict::Deny);
    assert_eq!(both("", "").verdict, verdict("", &ask));
}

#[test]
fn i11_a_policy_that_cannot_be_read_denies_with_its_line() {
    let effective = bound("mit");
    for (text, line) in [
        ("", "line 1"),
        ("schema = \"freehold-policy/1\"\nsurprise = 1", "line 2"),
        ("schema = \"freehold-policy/2\"", "line 1"),
        ("schema = \"freehold-policy/1\"\n\n[defaults]\nunknown_licence = \"maybe\"", "line 4"),
        ("schema = \"freehold-policy/1\"\n[sources\n", "line 2"),
        ("schema = \"freehold-policy/1\"\n[openness]\nrun = 7", "line 2"),
        ("schema = \"freehold-policy/1\"\n[memory]\nmemory_max = \"many\"", "line 3"),
    ] {
        let state = PolicyState::of(text);
        let decision = decide(&state, &ask(Gate::Run, &effective), Licences::shipped());
        assert_eq!(decision.verdict, Verdict::Deny, "{text}");
        assert!(decision.reasons[0].says.contains(line), "{text}: {}", decision.reasons[0].says);
    }
    let unreadable = PolicyState::Unreadable("permission denied".into());
    assert_eq!(
        decide(&unreadable, &ask(Gate::Pull, &effective), Licences::shipped()).verdict,
        Verdict::Deny
    );
    assert_eq!(unreadable.on_audit_failure(), Verdict::Deny);
    assert_eq!(
        decide(&PolicyState::Absent, &ask(Gate::Run, &effective), Licences::shipped()).verdict,
        Verdict::Allow
    );
}

#[test]
fn sizes_and_places_of_the_organisation_decide() {
    let llama = bound("llama3.2");
    let run = ask(Gate::Run, &llama);
    let who = |facts: &str| format!("[organisation]\n{facts}");
    assert_eq!(
        verdict(&who("monthly_active_users = 12_000\nregion = \"US\""), &run),
        Verdict::Allow
    );
    assert_eq!(
        verdict(&who("monthly_active_users = 800_000_000\nregion = \"US\""), &run),
        Verdict::Deny
    );
    assert_eq!(verdict(&who("region = \"US\""), &run), Verdict::Warn, "the number is not known");
    let mut pictures = run.clone();
    pictures.multimodal = Some(true);
    assert_eq!(
        verdict(&who("monthly_active_users = 1\nregion = \"DE\""), &pictures),
        Verdict::Deny
    );
    pictures.multimodal = Some(false);
    assert_eq!(
        verdict(&who("monthly_active_users = 1\nregion = \"DE\""), &pictures),
        Verdict::Allow
    );
    let nc = bound("cc-by-nc-4.0");
    assert_eq!(verdict(&who("use = \"commercial\""), &ask(Gate::Run, &nc)), Verdict::Deny);
    assert_eq!(verdict(&who("use = \"research\""), &ask(Gate::Run, &nc)), Verdict::Allow);
    assert_eq!(verdict("", &ask(Gate::Run, &nc)), Verdict::Warn);
    assert_eq!(
        verdict(
            &who("military = \"yes\"\nmonthly_active_users = 1"),
            &ask(Gate::Run, &bound("llama3.1"))
        ),
        Verdict::Deny
    );
}

#[test]
fn sources_cannot_climb_out_of_the_allowed_place() {
    let effective = bound("mit");
    let rules = "[sources]\nallow = [\"dir:/srv/models/*\", \"hf:Qwen/*\"]";
    for (source, expected) in [
        ("dir:/srv/models/a", Verdict::Allow),
        ("hf:qwen/Qwen3-8B", Verdict::Allow),
        ("dir:/srv/models/../../etc/passwd", Verdict::Deny),
        ("hf:other/Qwen", Verdict::Deny),
        ("https://hf:Qwen/x", Verdict::Deny),
        ("hf:Qwen/a\nb", Verdict::Deny),
    ] {
        let mut ask = ask(Gate::Pull, &effective);
        ask.source = source;
        assert_eq!(verdict(rules, &ask), expected, "{source}");
    }
}

#[test]
fn a_policy_with_a_slip_of_the_pen_denies() {
    let effective = bound("mit");
    assert_eq!(
        verdict("[licence]\ndeny = [\"gema-tou\"]", &ask(Gate::Run, &effective)),
        Verdict::Deny
    );
    assert_eq!(
        verdict("[licence]\ndeny = [\"gemma-tou\", \"spdx:GPL-3.0\"]", &ask(Gate::Run, &effective)),
        Verdict::Allow
    );
}

#[test]
fn pickles_are_never_loaded_and_unlisted_formats_not_guessed() {
    let effective = bound("mit");
    let mut ask = ask(Gate::Run, &effective);
    ask.formats = vec![Format::Pickle];
    assert_eq!(verdict("", &ask), Verdict::Deny);
    ask.formats = vec![];
    assert_eq!(verdict("[formats]\nallow = [\"gguf\"]", &ask), Verdict::Deny);
    assert_eq!(Format::of_path("x/pytorch_model.bin"), Some(Format::Pickle));
    assert_eq!(Format::of_path("tokenizer.json"), None);
}

fn waiver(rule: &str, scope: &str, until: &str) -> String {
    format!(
        "[licence]\ndeny_classes = [\"non-commercial\"]\n[[waiver]]\nid = \"W-7\"\nby = \"Ada\"\nreason = \"contract 12 with the licensor\"\nrule = \"{rule}\"\n{scope}\nfrom = \"2026-01-01\"\nuntil = \"{until}\"\n"
    )
}

#[test]
fn a_waiver_softens_one_rule_for_one_model_until_its_day_and_stays_visible() {
    let effective = bound("cc-by-nc-4.0");
    let run = ask(Gate::Run, &effective);
    let rule = "licence.deny_classes";
    let good = waiver(rule, "model = \"org/model\"", "2026-12-31");
    let decision = decide(&ready(&good), &run, Licences::shipped());
    assert_eq!(decision.verdict, Verdict::Warn);
    let waived = decision.reasons.iter().find(|reason| reason.waived.is_some()).unwrap();
    assert_eq!(waived.waived, Some(("W-7".to_owned(), Verdict::Deny)));
    assert!(waived.says.contains("Ada") && waived.says.contains("2026-12-31"), "{}", waived.says);

    for wrong in [
        waiver(rule, "model = \"org/model\"", "2026-11-20"),
        waiver(rule, "model = \"org/other\"", "2026-12-31"),
        waiver("licence.deny", "model = \"org/model\"", "2026-12-31"),
        waiver(rule, "licence = \"mit\"", "2026-12-31"),
        waiver(rule, "model = \"org/model\"\ngates = [\"pull\"]", "2026-12-31"),
        waiver(rule, "model = \"org/model\"\nrevision = \"abc\"", "2026-12-31"),
    ] {
        assert_eq!(verdict(&wrong, &run), Verdict::Deny, "{wrong}");
    }
    let ended = decide(
        &ready(&waiver(rule, "model = \"org/model\"", "2026-11-20")),
        &run,
        Licences::shipped(),
    );
    assert!(ended.reasons[0].says.contains("ended on 2026-11-20"), "{}", ended.reasons[0].says);
    assert_eq!(
        verdict(&waiver(rule, "licence = \"cc-by-nc-4.0\"", "2026-12-31"), &run),
        Verdict::Warn
    );
    assert_eq!(
        verdict(&waiver(rule, "model = \"org/model\"", "2026-11-21"), &run),
        Verdict::Warn,
        "its last day counts"
    );
}

#[test]
fn i5_outputs_of_a_licence_that_forbids_it_train_nothing_else() {
    let student = bound("apache-2.0");
    let tune = |teacher: &str, intent| {
        let mut ask = ask(Gate::Tune, &student);
        ask.tune = Some(TuneFacts {
            teachers: vec![bound(teacher)],
            intent,
            result_name: Some("Qwen-better".into()),
        });
        decide(&PolicyState::Absent, &ask, Licences::shipped())
    };
    let denied = tune("llama3", TuneIntent::Ability);
    assert_eq!(denied.verdict, Verdict::Deny);
    let why = denied.reasons.iter().find(|reason| reason.rule == "licence.outputs").unwrap();
    assert_eq!(why.quote.as_ref().unwrap().clause.as_deref(), Some("section 1.b.v"));
    let named = tune("llama3.1", TuneIntent::Ability);
    assert!(named.because().any(|reason| reason.rule == "licence.naming"), "{}", named.summary());
    assert!(named.obligations.iter().any(|duty| duty.text.as_deref() == Some("Llama")));
    assert_eq!(tune("gemma", TuneIntent::Ability).verdict, Verdict::Warn);
    assert_eq!(tune("mit", TuneIntent::Ability).verdict, Verdict::Allow);
}

#[test]
fn i5_weakening_safeguards_is_denied_where_the_licence_ends_by_it() {
    let facts = Facts {
        id: "org/model".into(),
        card: Some(Card {
            license: vec!["other".into()],
            license_name: Some("nvidia-open-model-license".into()),
            ..Card::default()
        }),
        ..Facts::default()
    };
    let nvidia = effective(&facts, &Shelf::new(), Licences::shipped());
    let mut ask = ask(Gate::Tune, &nvidia);
    let tune = |intent| TuneFacts { teachers: vec![], intent, result_name: None };
    ask.tune = Some(tune(TuneIntent::WeakenSafeguards));
    let decision = decide(&PolicyState::Absent, &ask, Licences::shipped());
    assert_eq!(decision.verdict, Verdict::Deny);
    assert!(
        decision
            .because()
            .any(|reason| reason.rule == "licence.guardrail" && reason.says.contains("guardrail"))
    );
    ask.tune = Some(tune(TuneIntent::Ability));
    assert!(decide(&PolicyState::Absent, &ask, Licences::shipped()).verdict < Verdict::Deny);
}

#[test]
fn i9_an_export_carries_notice_name_and_card_or_is_refused() {
    let llama = bound("llama3.1");
    let notice = llama.terms.notices.first().unwrap().what.text.clone();
    let export = |name: &str, files: &[(&str, &str)]| {
        let mut ask = ask(Gate::Export, &llama);
        let files =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        ask.export = Some(ExportFacts { name: name.into(), files, changed: Known::Yes });
        decide(&ready("[organisation]\nmonthly_active_users = 1"), &ask, Licences::shipped())
    };
    let good = export("Llama-better-8B", &[("NOTICE", &notice), ("README.md", "# Card")]);
    assert_eq!(good.verdict, Verdict::Allow, "{}", good.summary());
    assert!(good.obligations.iter().any(|duty| duty.kind == ObligationKind::Notice));
    let refused = |decision: &Decision, rule: &str| {
        decision.because().any(|reason| reason.rule == rule) && decision.verdict == Verdict::Deny
    };
    assert!(refused(
        &export("better-8B", &[("NOTICE", &notice), ("README.md", "# Card")]),
        "licence.naming"
    ));
    assert!(refused(&export("Llama-better-8B", &[("README.md", "# Card")]), "licence.notice"));
    assert!(refused(
        &export("Llama-better-8B", &[("NOTICE", "nothing"), ("README.md", "# Card")]),
        "licence.notice"
    ));
    assert_eq!(
        export("Llama-better-8B", &[("NOTICE", &notice)]).verdict,
        Verdict::Warn,
        "the card was dropped"
    );
    let starcoder = bound("bigcode-openrail-m");
    let mut dropped = ask(Gate::Export, &starcoder);
    dropped.export = Some(ExportFacts { name: "x".into(), ..ExportFacts::default() });
    assert!(refused(
        &decide(&PolicyState::Absent, &dropped, Licences::shipped()),
        "licence.model_card"
    ));
}

#[test]
fn i10_names_from_outside_cannot_write_lines() {
    let effective = effective(
        &model("a\n# evil", "mit\n", &["b\u{1b}[2Jc"]),
        &Shelf::new(),
        Licences::shipped(),
    );
    let mut ask = Ask::new(Gate::Pull, "a\n# evil", "hf:a\n# evil", &effective, today());
    ask.revision = Some("x\ny");
    let decision = decide(&PolicyState::Absent, &ask, Licences::shipped());
    let text = serde_json::to_string(&decision).unwrap();
    assert!(!text.contains("\\n") && !text.contains("\\u001b"), "{text}");
}

#[test]
fn serving_brings_the_duties_of_hosting() {
    let gemma = bound("gemma");
    let run = decide(&PolicyState::Absent, &ask(Gate::Run, &gemma), Licences::shipped());
    let serve = decide(&PolicyState::Absent, &ask(Gate::Serve, &gemma), Licences::shipped());
    let kinds =
        |decision: &Decision| decision.obligations.iter().map(|duty| duty.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&run), [ObligationKind::KeepUsePolicy]);
    assert!(
        kinds(&serve).contains(&ObligationKind::PassOnUsePolicy)
            && kinds(&serve).contains(&ObligationKind::Sharing)
    );
    let llama = bound("llama3.1");
    let serve = decide(&PolicyState::Absent, &ask(Gate::Serve, &llama), Licences::shipped());
    assert!(serve.obligations.iter().any(|duty| duty.text.as_deref() == Some("Built with Llama")));
    let pull = decide(&PolicyState::Absent, &ask(Gate::Pull, &llama), Licences::shipped());
    assert!(pull.obligations.is_empty());
}

#[test]
fn classes_are_ordered_as_they_are_listed() {
    let mut sorted = Class::ALL;
    sorted.sort();
    assert_eq!(sorted, Class::ALL);
    for class in Class::ALL {
        assert_eq!(serde_json::to_value(class).unwrap(), class.name());
    }
}

//! The questions people ask, answered in plain words with clause and source.

use policy::{
    Answer, Card, Facts, Known, Licences, Organisation, Question, Ruling, Shelf, Use, answers,
    effective,
};

fn ask_of(
    license: &str,
    name: Option<&str>,
    bases: &[(&str, &str)],
    who: &Organisation,
) -> Vec<Answer> {
    let model = |id: &str, license: &str, bases: Vec<String>| Facts {
        id: id.into(),
        card: Some(Card {
            license: vec![license.into()],
            license_name: name.map(str::to_owned).filter(|_| id == "org/model"),
            base_model: bases,
            ..Card::default()
        }),
        ..Facts::default()
    };
    let shelf: Shelf = bases.iter().map(|(id, license)| model(id, license, vec![])).collect();
    let bases = bases.iter().map(|(id, _)| (*id).to_owned()).collect();
    let bound = effective(&model("org/model", license, bases), &shelf, Licences::shipped());
    answers(&bound, Licences::shipped(), who)
}

fn ask(license: &str) -> Vec<Answer> {
    ask_of(license, None, &[], &Organisation::default())
}

fn of(answers: &[Answer], question: Question) -> &Answer {
    answers.iter().find(|answer| answer.question == question).expect("every question is answered")
}

fn text(answers: &[Answer], question: Question) -> String {
    of(answers, question).says.join(" ")
}

#[test]
fn every_question_is_answered_for_every_licence() {
    for licence in Licences::shipped().iter() {
        let name = licence.names.license_name.first();
        let license = licence.names.license.first().map_or("other", String::as_str);
        let all = ask_of(
            license,
            name.map(String::as_str).filter(|_| license == "other"),
            &[],
            &Organisation::default(),
        );
        assert_eq!(all.len(), Question::ALL.len(), "{}", licence.id);
        for answer in &all {
            assert!(!answer.says.is_empty(), "{}: {:?}", licence.id, answer.question);
            for line in &answer.says {
                let first = line.chars().next().unwrap();
                assert!(
                    !first.is_lowercase() && line.ends_with(['.', '"', '!', '?']),
                    "{}: {line}",
                    licence.id
                );
                assert!(line.len() < 700, "{}: {line}", licence.id);
            }
            for quote in &answer.quotes {
                assert!(!quote.source.is_empty() && !quote.models.is_empty(), "{}", licence.id);
            }
        }
    }
}

#[test]
fn apache_is_simple() {
    let all = ask("apache-2.0");
    for question in [
        Question::Sell,
        Question::Size,
        Question::Train,
        Question::Show,
        Question::Name,
        Question::Exclude,
        Question::Serve,
    ] {
        assert_eq!(
            of(&all, question).ruling,
            Ruling::Yes,
            "{question:?}: {}",
            text(&all, question)
        );
    }
    assert_eq!(text(&all, Question::Show), "Nothing.");
    assert!(text(&all, Question::Share).contains("NOTICE"));
    assert_eq!(of(&all, Question::Sell).quotes[0].clause.as_deref(), Some("section 2"));
}

#[test]
fn llama_names_size_words_name_and_place() {
    let who = Organisation {
        monthly_active_users: Some(12_000),
        region: Some("DE".into()),
        purpose: Some(Use::Commercial),
        ..Organisation::default()
    };
    let all = ask_of("llama3.2", None, &[], &who);
    assert_eq!(of(&all, Question::Sell).ruling, Ruling::Conditional);
    assert!(text(&all, Question::Size).contains("700 million monthly active users"));
    assert!(
        of(&all, Question::Size).for_you[0].contains("at 12,000 monthly active users"),
        "{:?}",
        of(&all, Question::Size).for_you
    );
    assert!(text(&all, Question::Show).contains("\"Built with Llama\""));
    assert!(text(&all, Question::Name).contains("begins with \"Llama\""));
    assert!(
        text(&all, Question::Exclude).starts_with("EU: people who live")
            && text(&all, Question::Exclude).contains("NOT in the licence body")
    );
    assert!(of(&all, Question::Exclude).for_you[0].contains("more than text"));
    let quote = &of(&all, Question::Size).quotes[0];
    assert_eq!((quote.clause.as_deref(), quote.known_by), (Some("section 2"), "its text was read"));
    assert!(quote.line().contains("meta-llama/llama-models"), "{}", quote.line());
}

#[test]
fn serving_gemma_is_passing_it_on_without_its_notice_file() {
    let all = ask("gemma");
    let serve = text(&all, Question::Serve);
    assert!(
        serve.contains("counts as passing it on") && serve.contains("Bind your users"),
        "{serve}"
    );
    assert!(!serve.contains("not for hosted service"), "{serve}");
    assert!(text(&all, Question::Train).contains("inherits its terms"));
}

#[test]
fn non_commercial_is_a_plain_no() {
    let who = Organisation { purpose: Some(Use::Commercial), ..Organisation::default() };
    let all = ask_of("cc-by-nc-4.0", None, &[], &who);
    assert_eq!(of(&all, Question::Sell).ruling, Ruling::No);
    assert_eq!(of(&all, Question::Sell).says[0], "No.");
    assert!(of(&all, Question::Sell).for_you[0].contains("commercial"));
    assert_eq!(of(&all, Question::Serve).ruling, Ruling::No);
    let all = ask_of("other", Some("exaone"), &[], &who);
    assert!(text(&all, Question::Train).contains("belong to the licensor"));
}

#[test]
fn what_was_not_read_is_said_to_be_unknown() {
    let all = ask_of("other", Some("jamba-open-model-license"), &[], &Organisation::default());
    assert_eq!(of(&all, Question::Show).ruling, Ruling::Unknown);
    assert!(of(&all, Question::Size).quotes[0].known_by.contains("memory"));
    let nothing = ask("other");
    for question in Question::ALL {
        let ruling = of(&nothing, question).ruling;
        assert!(ruling >= Ruling::Unknown, "{question:?}: {ruling:?} {}", text(&nothing, question));
    }
}

#[test]
fn an_ancestors_terms_are_named_with_the_ancestor() {
    let all =
        ask_of("mit", None, &[("meta-llama/Llama-3.1-8B", "llama3.1")], &Organisation::default());
    assert!(
        text(&all, Question::Show).contains("(of meta-llama/Llama-3.1-8B)"),
        "{}",
        text(&all, Question::Show)
    );
    assert_eq!(of(&all, Question::Name).quotes[0].models, ["meta-llama/Llama-3.1-8B"]);
}

#[test]
fn the_size_of_a_service_matters_only_to_those_who_sell_it() {
    let who = |model_service| Organisation {
        model_service,
        annual_revenue_usd: Some(60_000_000),
        ..Organisation::default()
    };
    let qwen = |who: &Organisation| ask_of("other", Some("qwen3.8-max"), &[], who);
    assert!(of(&qwen(&who(Known::No)), Question::Size).for_you[0].contains("you do not"));
    assert!(of(&qwen(&who(Known::Yes)), Question::Size).for_you[0].contains("another licence"));
    let kimi = ask_of(
        "other",
        Some("modified-mit"),
        &[],
        &Organisation { monthly_active_users: Some(200_000_000), ..Organisation::default() },
    );
    assert_eq!(of(&kimi, Question::Size).ruling, Ruling::Yes, "only a duty to show a name");
    assert!(of(&kimi, Question::Size).for_you[0].contains("duty"));
}

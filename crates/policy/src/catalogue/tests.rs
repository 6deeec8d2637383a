use super::*;

#[test]
fn every_shipped_entry_reads_and_names_a_known_licence() {
    let catalogue = Catalogue::parse(FILES).unwrap();
    let licences = Licences::shipped();
    let mut seen = std::collections::BTreeSet::new();
    for model in catalogue.models() {
        assert!(seen.insert(model.id.to_lowercase()), "{} stands twice", model.id);
        assert!(licences.find(&model.licence).is_some(), "{}: licence {}", model.id, model.licence);
        assert!(!model.tasks.is_empty() && !model.sources.is_empty(), "{}", model.id);
        assert!(
            model.active_parameters.is_none_or(|active| active < model.parameters),
            "{}",
            model.id
        );
        assert!(model.id.split('/').count() == 2, "{}", model.id);
    }
}

#[test]
fn choosing_by_task_size_licence_and_words() {
    let (catalogue, licences) = (Catalogue::shipped(), Licences::shipped());
    let ids = |query: &Query| {
        catalogue.find(query, licences).iter().map(|m| m.id.clone()).collect::<Vec<_>>()
    };
    assert!(catalogue.models().len() >= 50);
    let small = Query {
        tasks: vec![Task::Chat],
        parameters_max: Some(2_000_000_000),
        classes: vec![Class::OpenSource],
        ..Query::default()
    };
    assert_eq!(ids(&small), ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B"]);
    let words = Query { words: vec!["GRANITE".into(), "tiny".into()], ..Query::default() };
    assert_eq!(ids(&words), ["ibm-granite/granite-4.0-h-tiny"]);
    let science = Query {
        tasks: vec!["open-science".parse().unwrap()],
        context_min: Some(10_000),
        ..Query::default()
    };
    assert!(ids(&science).iter().all(|id| id.starts_with("allenai/")) && !ids(&science).is_empty());
    let research = Query { classes: vec![Class::NonCommercial], ..Query::default() };
    assert!(ids(&research).contains(&"Qwen/Qwen2.5-3B-Instruct".to_owned()));
    for task in Task::ALL {
        let any = ids(&Query { tasks: vec![task], ..Query::default() });
        assert!(!any.is_empty() || task == Task::Translation, "nothing for {}", task.name());
        assert_eq!(task.name().parse(), Ok(task));
    }
    assert!("dancing".parse::<Task>().is_err());
    assert!(catalogue.get("qwen/qwen3-8b").is_some());
}

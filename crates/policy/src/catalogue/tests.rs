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

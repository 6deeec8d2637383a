//! What is known of the house model: its card and licence as they ship, and the files that made it, which
//! lie in this program's source.

use policy::{Facts, FileFact, Gated, LicenceText};

const CARD: &str = include_str!("../../../../house/release/MODEL_CARD.md");
const LICENCE: &str = include_str!("../../../../house/release/LICENSE");

/// Under `house/` of the source, as one would publish them: there the model card is the README.
const FILES: &[&str] = &[
    "README.md",
    "release/DATA_CARD.md",
    "release/EVALUATION.md",
    "release/LICENSE",
    "release/MODEL_CARD.md",
    "release/evaluation.json",
    "release/freehold-house-q8_0.gguf",
    "release/log.jsonl",
    "release/recipe.json",
    "data/generate.py",
    "data/score.py",
    "train/export.py",
    "train/model.py",
    "train/prepare.py",
    "train/requirements.txt",
    "train/train.py",
    "train/verify.py",
];

/// Its facts.
pub(super) fn facts(id: &str) -> Facts {
    let read = |name: &str, _: u64| match name {
        "README.md" => Some(CARD.as_bytes().to_vec()),
        _ => None,
    };
    let file = |path: &&str| FileFact { path: (*path).to_owned(), ..FileFact::default() };
    let files = FILES.iter().map(file).collect();
    let facts = super::facts(id, None, files, &read, None);
    let texts = vec![LicenceText { path: "LICENSE".to_owned(), text: LICENCE.to_owned() }];
    Facts { texts, gated: Gated::No, ..facts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::Licences;

    #[test]
    fn every_file_lies_in_the_source_and_the_licence_is_known_by_its_text() {
        let house = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../house"));
        for file in FILES {
            assert!(house.join(file).exists(), "{file}");
        }
        let resolved = policy::resolve(&facts("house"), Licences::shipped());
        assert_eq!(
            (resolved.licence.as_str(), resolved.basis),
            ("apache-2.0", policy::Basis::TextHash)
        );
    }
}

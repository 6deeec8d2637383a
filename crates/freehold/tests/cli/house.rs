//! `freehold run` without a model.

use crate::support::{run, run_with};

#[test]
fn without_a_model_the_house_model_answers_or_says_how_to_get_one() {
    let house =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../house/release/freehold-house-q8_0.gguf");
    let done = run_with(b"Hello!", &["run", "-n", "4", "--temperature", "0"]);
    if std::path::Path::new(house).exists() {
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.err.contains("built-in model"), "{}", done.err);
        let named = run(&["run", "house", "Hello!", "-n", "4", "--temperature", "0"]);
        assert_eq!(named.out, done.out);
    } else {
        done.refused(1, &["no model of its own", "freehold run model.gguf"]);
    }
}

//! Which of a repository's licence files speaks of the weights, and what an unknown text smells of.

use crate::LicenceText;
use crate::plain::shown;

/// The files that may speak of the weights, the likeliest first. Where one names the model
/// (`LICENSE-MODEL`), one that names code (`LICENSE-CODE`) does not count.
pub(super) fn of_weights(texts: &[LicenceText]) -> Vec<&LicenceText> {
    let mut files: Vec<(u8, &LicenceText)> = texts
        .iter()
        .filter(|file| !is_for_code(&file.path) || texts.len() == 1)
        .map(|file| (rank(&file.path), file))
        .collect();
    files.sort_by_key(|(rank, file)| (*rank, file.path.matches('/').count(), file.path.clone()));
    files.into_iter().take(MAX_FILES).map(|(_, file)| file).collect()
}

/// More licence files than this are not looked at.
const MAX_FILES: usize = 16;

/// `LICENSE-MODEL` before `LICENSE` before anything else.
fn rank(path: &str) -> u8 {
    let name = name(path);
    let model = name.contains("model") || name.contains("weight");
    match (model, name.starts_with("licen") || name.starts_with("copying")) {
        (true, _) => 0,
        (false, true) if !name.contains(['-', '_']) => 1,
        _ => 2,
    }
}

/// `LICENSE-CODE` and `CODE_LICENSE` speak of code.
pub(super) fn is_for_code(path: &str) -> bool {
    name(path).split(['-', '_', '.']).any(|part| part == "code")
}

fn name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase()
}

/// The part of a text that is looked at.
pub(super) fn cut(text: &str) -> &str {
    let mut end = text.len().min(LicenceText::MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The first words of a text, safe to show.
pub(super) fn words(text: &str) -> String {
    let short: Vec<&str> = cut(text).split_whitespace().take(12).collect();
    shown(&short.join(" "))
}

/// Whether a text, in normal form, is long enough to be a licence and not a pointer to one.
pub(super) fn is_a_licence(text: &str) -> bool {
    text.len() >= 300
}

/// A phrase of a text, in normal form, that limits who may use something and for what.
pub(super) fn limits(text: &str) -> Option<&'static str> {
    const PHRASES: [&str; 12] = [
        "non-commercial",
        "noncommercial",
        "research purposes only",
        "for research use only",
        "research-only",
        "not for commercial use",
        "personal use only",
        "academic use only",
        "solely for research",
        "commons clause",
        "does not include the right to sell",
        "commercial use is prohibited",
    ];
    PHRASES.into_iter().find(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_licence_comes_first_and_the_code_licence_not_at_all() {
        let file = |path: &str| LicenceText { path: path.into(), text: String::new() };
        let all =
            [file("LICENSE-CODE"), file("docs/LICENSE.md"), file("LICENSE"), file("LICENSE-MODEL")];
        let paths: Vec<&str> = of_weights(&all).into_iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["LICENSE-MODEL", "LICENSE", "docs/LICENSE.md"]);
        assert_eq!(of_weights(&all[..1]).len(), 1, "a lone file is all there is");
    }
}

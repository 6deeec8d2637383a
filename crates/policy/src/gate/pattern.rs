//! Names with `*` for anything, as sources and models are listed in a policy.

/// Whether a text fits a pattern, letter case aside; `*` stands for any run of characters.
/// Takes time in proportion to the product of the lengths at worst, never more.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether a source leaves the place it names, by `..` or a hidden character.
pub(super) fn is_crooked(source: &str) -> bool {
    let climbs = source
        .split(['/', '\\', ':'])
        .any(|part| part == ".." || part.eq_ignore_ascii_case("%2e%2e"));
    climbs || source.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(fits("hf:Qwen/*", "hf:qwen/Qwen3-8B"));
        assert!(!fits("hf:Qwen/*", "hf:Qwenx/y"));
        assert!(fits("*", "") && fits("a*c*e", "abcde") && !fits("a*c", "abd"));
        assert!(fits("a", "a") && !fits("a", "ab") && !fits("", "a"));
        let long = "a".repeat(2000);
        assert!(!fits(&format!("{}b", "*a".repeat(50)), &long));
    }

    #[test]
    fn crooked_sources() {
        assert!(
            is_crooked("dir:/srv/models/../../etc")
                && is_crooked("hf:a/b\n")
                && is_crooked("dir:..\\x")
        );
        assert!(!is_crooked("hf:a/b..c"));
    }
}

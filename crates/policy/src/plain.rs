//! Texts for people: names from outside made harmless, numbers and lists as one reads them.

/// A name or text from outside, safe to print on one line: control characters and line ends become
/// spaces, marks that hide or reorder text are dropped, and what is long is cut with `…`.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == 200 {
            out.push('…');
            break;
        }
        match character {
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => {}
            '\u{2028}' | '\u{2029}' => out.push(' '),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// A count as people write it: `700 million`, `12,000`.
pub(crate) fn count(number: u64) -> String {
    for (unit, name) in [(1_000_000_000, "billion"), (1_000_000, "million")] {
        if number >= unit {
            let tenths = number / (unit / 10);
            return match tenths % 10 {
                0 => format!("{} {name}", tenths / 10),
                rest => format!("{}.{rest} {name}", tenths / 10),
            };
        }
    }
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            let most: Vec<&str> = most.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", most.join(", "), last.as_ref())
        }
    }
}

/// A number of bytes as people write it: `64 GiB`, `1.5 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    for (shift, name) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if number >> shift > 0 {
            let tenths = (u128::from(number) * 10 + (1 << (shift - 1))) >> shift;
            return match tenths % 10 {
                0 => format!("{} {name}", tenths / 10),
                rest => format!("{}.{rest} {name}", tenths / 10),
            };
        }
    }
    format!("{number} bytes")
}

/// A text as a sentence: a capital first, unless the first word is a name or an address; a full stop last.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let first = text.split(' ').next().unwrap_or_default();
    let word = first
        .trim_end_matches([',', ':', ';'])
        .chars()
        .all(|c| c.is_alphabetic() || c == '\'' || c == '-');
    let mut letters = text.chars();
    let Some(start) = letters.next() else { return String::new() };
    let mut out =
        if word { start.to_uppercase().chain(letters).collect() } else { text.to_owned() };
    if !out.trim_end_matches(['"', ')']).ends_with(['.', '!', '?', '…']) || out.ends_with(')') {
        out.push('.');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_a_line_or_hide_text() {
        assert_eq!(shown("a\nb\u{1b}[31mc\u{202e}d\u{200b}"), "a b [31mcd");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), 201);
    }

    #[test]
    fn numbers_and_lists_read_well() {
        assert_eq!(count(700_000_000), "700 million");
        assert_eq!(count(1_500_000), "1.5 million");
        assert_eq!(count(12_000), "12,000");
        assert_eq!(count(10_000_000_000), "10 billion");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(sentence("keep the notice"), "Keep the notice.");
        assert_eq!(sentence("org/model: it says \"Yes.\""), "org/model: it says \"Yes.\"");
        assert_eq!(sentence("hf:a/b is new (to us)"), "hf:a/b is new (to us).");
        assert_eq!(bytes(64 << 30), "64 GiB");
        assert_eq!(bytes(1_500_000), "1.4 MiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
        assert_eq!(bytes(999), "999 bytes");
    }
}

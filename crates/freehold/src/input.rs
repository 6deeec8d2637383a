//! Standard input as text, within a bound.

use std::io::{self, IsTerminal, Read};

use crate::error::{usage, usage_hint};

/// More than any context holds, in bytes.
const STDIN_MAX: u64 = 64 << 20;

/// All of standard input; `what` is for messages.
pub(crate) fn stdin(what: &str) -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        return Err(usage_hint(
            format!("{what} is missing"),
            "give it as an argument, or through a pipe",
        ));
    }
    let mut bytes = vec![];
    io::stdin().lock().take(STDIN_MAX + 1).read_to_end(&mut bytes)?;
    text(bytes, what)
}

fn text(bytes: Vec<u8>, what: &str) -> anyhow::Result<String> {
    if bytes.len() as u64 > STDIN_MAX {
        return Err(usage(format!("{what} is longer than {STDIN_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        usage(format!("{what} is no UTF-8: byte {at} begins no character"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_named_by_place() {
        assert_eq!(text(b"caf\xc3\xa9".to_vec(), "the text").unwrap(), "café");
        for bad in [&b"ab\xff"[..], b"ab\xc0\x80", b"ab\xed\xa0\x80", b"ab\xe2\x82"] {
            let error = text(bad.to_vec(), "the text").unwrap_err().to_string();
            assert_eq!(error, "the text is no UTF-8: byte 2 begins no character");
        }
    }
}

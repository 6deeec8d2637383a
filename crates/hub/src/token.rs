//! A secret that cannot be printed.

use std::fmt;

use crate::Error;

/// An access token. Neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token as a person pasted it: surrounding blanks go, anything else a header cannot
    /// carry is refused.
    pub fn new(text: &str) -> Result<Token, Error> {
        let text = text.trim();
        let sound = !text.is_empty()
            && text.len() <= 4096
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound {
            Ok(Token(text.to_owned()))
        } else {
            Err(Error::Setting {
                what: "token",
                why: "it is empty, too long or has characters no token has".to_owned(),
            })
        }
    }

    /// The value of the header that carries it.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The secret itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with every trace of the token taken out: servers may echo what they were sent.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "[token]")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h5_a_token_is_never_shown_and_never_splits_a_header() {
        let token = Token::new(" hf_secret\n").unwrap();
        assert_eq!(format!("{token:?} {:#?}", Some(&token)).matches("secret").count(), 0);
        assert_eq!(token.bearer(), "Bearer hf_secret");
        assert_eq!(token.redact("you sent hf_secret!"), "you sent [token]!");
        for text in ["", " ", "a b", "a\r\nX: y", "é"] {
            let error = Token::new(text).unwrap_err();
            assert!(text.trim().is_empty() || !error.to_string().contains(text));
        }
    }
}

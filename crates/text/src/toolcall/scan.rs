//! Finding the end of a JSON value without parsing it twice.

/// Deepest nesting followed.
const MAX_DEPTH: usize = 128;

/// Follows one JSON value through text that comes in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Inside,
    String,
    Escape,
    Scalar,
    Over,
}

/// How far a value goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of the text belongs to it and more may come.
    All,
    /// It ends after so many bytes.
    Ends(usize),
    /// It is no JSON value.
    Bad,
}

impl Scan {
    pub(super) fn feed(&mut self, text: &str) -> Reach {
        for (at, byte) in text.bytes().enumerate() {
            match (self.state, byte) {
                (State::Over, _) => return Reach::Ends(at),
                (State::Before | State::Inside, b'{' | b'[') => {
                    self.depth += 1;
                    self.state = State::Inside;
                    if self.depth > MAX_DEPTH {
                        return Reach::Bad;
                    }
                }
                (State::Before | State::Inside, b'"') | (State::Escape, _) => {
                    self.state = State::String;
                }
                (State::Before, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                    self.state = State::Scalar;
                }
                (State::Inside, b'}' | b']') => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.state = State::Over;
                        return Reach::Ends(at + 1);
                    }
                }
                (State::String, b'\\') => self.state = State::Escape,
                (State::String, b'"') => {
                    self.state = if self.depth == 0 { State::Over } else { State::Inside };
                    if self.depth == 0 {
                        return Reach::Ends(at + 1);
                    }
                }
                (State::Scalar, b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r' | b'<') => {
                    self.state = State::Over;
                    return Reach::Ends(at);
                }
                (State::Before, b' ' | b'\n' | b'\t' | b'\r')
                | (State::Inside | State::String | State::Scalar, _) => {}
                (State::Before, _) => return Reach::Bad,
            }
        }
        Reach::All
    }

    /// Whether nothing but white space came yet.
    pub(super) fn is_before(&self) -> bool {
        self.state == State::Before
    }
}

/// Whether a text is a JSON object; if not, why.
pub(super) fn object(text: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) if value.is_object() => Ok(()),
        Ok(_) => Err("the arguments are no JSON object".to_owned()),
        Err(error) => Err(format!("the arguments are no JSON: {error}")),
    }
}

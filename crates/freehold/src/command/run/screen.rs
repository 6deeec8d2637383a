//! Where an answer is shown as it comes.

use crate::{output::Colours, program::App};

/// A reader of the answer. Text of a model is untrusted: at a terminal, control characters that
/// could move the cursor or retitle the window are shown, not sent.
pub(super) struct Screen<'a> {
    app: Option<&'a App>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    Reasoning,
    /// Whether the last character shown was a newline.
    Answer {
        at_line_start: bool,
    },
}

impl<'a> Screen<'a> {
    /// Shows on stdout.
    pub(super) fn new(app: &'a App) -> Self {
        Screen { app: Some(app), state: State::Nothing }
    }

    /// Shows nothing.
    pub(super) fn silent() -> Self {
        Screen { app: None, state: State::Nothing }
    }

    /// Part of the answer.
    pub(super) fn answer(&mut self, text: &str) -> anyhow::Result<()> {
        let Some(app) = self.app.filter(|_| !text.is_empty()) else { return Ok(()) };
        if self.state == State::Reasoning {
            app.output.text("\n\n")?;
        }
        self.state = State::Answer { at_line_start: text.ends_with('\n') };
        app.output.text(safe(text, app.output.is_terminal()))
    }

    /// Part of the reasoning: dim at a terminal; elsewhere only the answer is wanted.
    pub(super) fn reasoning(&mut self, text: &str) -> anyhow::Result<()> {
        let Some(app) = self.app.filter(|app| app.output.is_terminal() && !text.is_empty()) else {
            return Ok(());
        };
        let styles = app.output.styles();
        if self.state == State::Nothing && styles == Colours::Off {
            app.output.text("(thinking) ")?;
        }
        self.state = State::Reasoning;
        app.output.text(styles.dim(&safe(text, true)))
    }

    /// Ends the last line.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        let Some(app) = self.app else { return Ok(()) };
        match self.state {
            State::Answer { at_line_start: true } => Ok(()),
            _ => app.output.text("\n"),
        }
    }
}

/// Text fit for a terminal.
fn safe(text: &str, terminal: bool) -> String {
    let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if !terminal || text.chars().all(harmless) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if harmless(c) { c.to_string() } else { c.escape_unicode().to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_cannot_steer_the_terminal() {
        assert_eq!(safe("a\x1b[2Jb\n", true), "a\\u{1b}[2Jb\n");
        assert_eq!(safe("a\x1b[2Jb\n", false), "a\x1b[2Jb\n");
        assert_eq!(safe("日本\t🦙", true), "日本\t🦙");
    }
}

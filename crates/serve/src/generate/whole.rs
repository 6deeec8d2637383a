//! Answers gathered until they are whole, for clients that want them at once.

use std::collections::BTreeMap;

use super::Answers;
use crate::{
    answer::{Finish, TokenInfo, Told, Usage, What},
    fault::Fault,
};

/// One whole choice.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    /// Calls by their place.
    pub(crate) calls: BTreeMap<usize, Call>,
    /// The tokens of the text, where log-probabilities were asked for.
    pub(crate) tokens: Vec<TokenInfo>,
    /// The first thing that opened like a call and was none: its text, and what is wrong with it.
    pub(crate) malformed: Option<(String, String)>,
    pub(crate) finish: Option<Finish>,
    pub(crate) usage: Usage,
}

/// A call of a tool.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    /// A JSON object.
    pub(crate) arguments: String,
}

impl Whole {
    fn take(&mut self, told: Told) -> Result<(), Fault> {
        self.tokens.extend(told.tokens);
        match told.what {
            What::Text(text) => self.text += &text,
            What::Reasoning(text) => self.reasoning += &text,
            What::CallStart { index, name, id } => {
                self.calls.insert(index, Call { id, name, arguments: String::new() });
            }
            What::CallArguments { index, delta } => {
                if let Some(call) = self.calls.get_mut(&index) {
                    call.arguments += &delta;
                }
            }
            What::CallEnd { .. } | What::PromptToken => {}
            What::Malformed { index, text, reason } => {
                if let Some(index) = index {
                    self.calls.remove(&index);
                }
                // The text stays in the answer: nothing a model wrote is lost.
                self.text += &text;
                self.malformed.get_or_insert((text, reason));
            }
            What::Finished { why, usage } => {
                self.finish = Some(why);
                self.usage = usage;
            }
            What::Failed(fault) => return Err(fault),
        }
        Ok(())
    }
}

/// All choices, or why there are none.
pub(crate) async fn gather(mut answers: Answers) -> Result<Vec<Whole>, Fault> {
    let mut choices: Vec<Whole> = (0..answers.choices).map(|_| Whole::default()).collect();
    while let Some(told) = answers.next().await {
        if let Some(choice) = choices.get_mut(told.choice as usize) {
            choice.take(told)?;
        }
    }
    if choices.iter().any(|choice| choice.finish.is_none()) {
        return Err(Fault::ours("the answer was cut off"));
    }
    if choices.iter().any(|choice| choice.finish == Some(Finish::Cancelled)) {
        return Err(cut_off());
    }
    Ok(choices)
}

/// The server ends before the answer does.
pub(crate) fn cut_off() -> Fault {
    Fault::unavailable("the answer was cut off: the server is shutting down", 5)
}

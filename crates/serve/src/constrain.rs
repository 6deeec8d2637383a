//! Grammars in the engine's loop: compiled on threads of their own under a budget of time, then
//! asked before each token.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use engine::{Allowed, Constraint, ConstraintError, sampler::TokenSet};
use text::{
    grammar::{Calls, Grammar, Matcher, Opening, Several, Vocabulary},
    reasoning::{Opened, ReasoningFormat},
    tokenizer::Tokenizer,
};
use tokio::sync::{Semaphore, oneshot};

use crate::{
    ask::{Parallel, ToolChoice},
    fault::Fault,
    model::Model,
    prompt::{Prepared, ToolCalls},
};

/// Grammars compiled at the same time.
const COMPILERS: usize = 2;
/// Stack of a compiling thread: grammars nest.
const STACK_BYTES: usize = 64 << 20;
/// How long a grammar may take.
const BUDGET: Duration = Duration::from_secs(5);

/// Compiles grammars, a few at a time.
#[derive(Debug)]
pub(crate) struct Compiler {
    places: Arc<Semaphore>,
}

impl Default for Compiler {
    fn default() -> Self {
        Compiler { places: Arc::new(Semaphore::new(COMPILERS)) }
    }
}

impl Compiler {
    /// What holds an answer to what was asked of it, if anything was.
    pub(crate) async fn constraint(
        &self,
        model: &Arc<Model>,
        shape: Option<Grammar>,
        prepared: &Prepared,
    ) -> Result<Option<Box<dyn Constraint>>, Fault> {
        let Some(plan) = Plan::of(shape, prepared)? else { return Ok(None) };
        let busy = || Fault::busy("too many grammars are being compiled", 1);
        let place = tokio::time::timeout(BUDGET, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| busy())?.map_err(|_| busy())?;
        let (tell, told) = oneshot::channel();
        let for_model = Arc::clone(model);
        let work = move || {
            let result =
                for_model.vocabulary().and_then(|vocabulary| plan.build(&vocabulary, &for_model));
            drop(tell.send(result));
            drop(place);
        };
        std::thread::Builder::new()
            .name("grammar".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(work)
            .map_err(|_| Fault::ours("no thread could be started"))?;
        match tokio::time::timeout(BUDGET, told).await {
            Ok(Ok(result)) => result.map(Some),
            Ok(Err(_)) => Err(Fault::invalid("the grammar is beyond what the compiler handles")
                .with_code("invalid_grammar")),
            Err(_) => {
                let message =
                    format!("the grammar took longer than {} s to compile", BUDGET.as_secs());
                Err(Fault::invalid(message).with_code("invalid_grammar"))
            }
        }
    }
}

/// What to compile and when it takes hold.
struct Plan {
    what: Source,
    when: When,
    param: &'static str,
}

enum Source {
    Shape(Grammar),
    Calls(Calls),
}

/// When a grammar takes hold.
#[derive(Clone, Copy)]
enum When {
    /// From the first token.
    AtOnce,
    /// When one of these marks has come.
    After(&'static [&'static str]),
    /// Each time this mark comes, with it.
    AtMark(&'static str),
}

impl Plan {
    fn of(shape: Option<Grammar>, prepared: &Prepared) -> Result<Option<Plan>, Fault> {
        match (shape, &prepared.calls) {
            (Some(_), Some(calls)) => {
                let _ = calls;
                let message = "response_format and tools cannot both hold for one answer; give one of them, or tool_choice none";
                Err(Fault::field("response_format", message).with_code("unsupported_parameter"))
            }
            (Some(shape), None) => Ok(Some(Plan {
                what: Source::Shape(shape),
                when: after_thinking(prepared.reasoning),
                param: "response_format",
            })),
            (None, Some(calls)) => Self::of_calls(calls, prepared),
            (None, None) => Ok(None),
        }
    }

    fn of_calls(calls: &ToolCalls, prepared: &Prepared) -> Result<Option<Plan>, Fault> {
        let known = Calls::are_known(calls.format);
        let plan = |tools: Vec<text::message::Tool>, opening, when| Plan {
            what: Source::Calls(Calls { format: calls.format, tools, opening }),
            when,
            param: "tools",
        };
        let several = if calls.parallel == Parallel::Yes { Several::Yes } else { Several::No };
        let tools = match &calls.choice {
            ToolChoice::None => return Ok(None),
            ToolChoice::Auto => {
                let Some(mark) = Calls::mark(calls.format) else { return Ok(None) };
                return Ok(Some(plan(calls.tools.clone(), Opening::AtMark, When::AtMark(mark))));
            }
            ToolChoice::Required => calls.tools.clone(),
            ToolChoice::Named(name) => {
                calls.tools.iter().filter(|tool| tool.name() == name).cloned().collect()
            }
        };
        if !known {
            let message = format!(
                "tool_choice cannot be held to in this model's notation ({}); use auto",
                calls.format.name
            );
            return Err(Fault::field("tool_choice", message).with_code("unsupported_parameter"));
        }
        let opening = Opening::AtOnce { after: None, several };
        Ok(Some(plan(tools, opening, after_thinking(prepared.reasoning))))
    }

    fn build(self, vocabulary: &Vocabulary, model: &Model) -> Result<Box<dyn Constraint>, Fault> {
        let compiled = match &self.what {
            Source::Shape(grammar) => vocabulary.compile(grammar),
            Source::Calls(calls) => vocabulary.compile_calls(calls),
        };
        let param = self.param;
        let fresh = compiled
            .map_err(|error| Fault::field(param, error.to_string()).with_code("invalid_grammar"))?;
        Ok(Box::new(Steer {
            active: matches!(self.when, When::AtOnce).then(|| fresh.fork()),
            fresh,
            free: endless(model),
            when: self.when,
            recent: Recent { tokens: VecDeque::new(), tokenizer: Arc::clone(model.tokenizer()) },
        }))
    }
}

/// Thinking that the prompt has opened goes free until it closes.
fn after_thinking(reasoning: Option<(&'static ReasoningFormat, Opened)>) -> When {
    match reasoning {
        Some((format, opened)) if opened == Opened::ByPrompt || format.has_channels() => {
            When::After(format.closes())
        }
        _ => When::AtOnce,
    }
}

fn endless(model: &Model) -> Arc<Vec<u32>> {
    let mut words = vec![u32::MAX; model.runner().vocab().div_ceil(32)];
    for end in &model.tokenizer().specials().ends {
        if let Some(word) = words.get_mut(*end as usize / 32) {
            *word &= !(1 << (end % 32));
        }
    }
    Arc::new(words)
}

/// A grammar over one answer.
struct Steer {
    fresh: Matcher,
    /// All tokens but those that end an answer: what may come before the grammar takes hold.
    free: Arc<Vec<u32>>,
    active: Option<Matcher>,
    when: When,
    recent: Recent,
}

/// The last tokens while none is steered, to see a mark come.
#[derive(Clone)]
struct Recent {
    tokens: VecDeque<(u32, Vec<u8>)>,
    tokenizer: Arc<Tokenizer>,
}

impl Recent {
    /// Takes a token; true when a mark ends in it.
    fn push(&mut self, id: u32, marks: &[&'static str]) -> Option<&'static str> {
        let tokenizer = &self.tokenizer;
        let bytes = if tokenizer.is_special(id) {
            tokenizer.token_text(id).unwrap_or_default().as_bytes().to_vec()
        } else {
            tokenizer.token_bytes(id).unwrap_or_default()
        };
        let last = bytes.len();
        self.tokens.push_back((id, bytes));
        let longest = marks.iter().map(|mark| mark.len()).max().unwrap_or(0);
        let mut held: usize = self.tokens.iter().map(|(_, bytes)| bytes.len()).sum();
        while let Some((_, first)) = self.tokens.front()
            && held - first.len() >= longest + last
            && self.tokens.len() > 1
        {
            held -= first.len();
            self.tokens.pop_front();
        }
        let text: Vec<u8> = self.tokens.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        let ends_in_last = |mark: &&&str| {
            let from = (text.len() - last + 1).saturating_sub(mark.len());
            text.get(from..)
                .is_some_and(|tail| tail.windows(mark.len()).any(|w| w == mark.as_bytes()))
        };
        marks.iter().find(ends_in_last).copied()
    }

    /// The tokens from the one in which the last `mark` begins.
    fn since(&self, mark: &str) -> Vec<u32> {
        let text: Vec<u8> = self.tokens.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        let at =
            text.windows(mark.len()).rposition(|window| window == mark.as_bytes()).unwrap_or(0);
        let mut end = 0;
        let reaches = |(_, bytes): &&(u32, Vec<u8>)| {
            end += bytes.len();
            end > at
        };
        let mut reaches = reaches;
        self.tokens.iter().skip_while(|token| !reaches(token)).map(|(id, _)| *id).collect()
    }
}

impl Steer {
    fn failed(error: text::grammar::GrammarError) -> ConstraintError {
        Box::new(error)
    }
}

impl Constraint for Steer {
    fn mask(&mut self, allowed: &mut TokenSet) -> Result<Allowed, ConstraintError> {
        let Some(matcher) = &mut self.active else {
            if let When::After(_) = self.when {
                allowed.copy_words(&self.free);
                return Ok(Allowed::These);
            }
            return Ok(Allowed::All);
        };
        allowed.copy_words(&matcher.allowed().map_err(Self::failed)?);
        Ok(Allowed::These)
    }

    fn accept(&mut self, token: u32) -> Result<(), ConstraintError> {
        if let Some(matcher) = &mut self.active {
            matcher.accept(token).map_err(Self::failed)?;
            if matches!(self.when, When::AtMark(_)) && matcher.is_over() {
                self.active = None;
                self.recent.tokens.clear();
            }
            return Ok(());
        }
        match self.when {
            When::AtOnce => {}
            When::After(marks) => {
                if self.recent.push(token, marks).is_some() {
                    self.active = Some(self.fresh.fork());
                }
            }
            When::AtMark(mark) => {
                if self.recent.push(token, &[mark]).is_some() {
                    let mut matcher = self.fresh.fork();
                    // What came with the mark in one token may be no call: then its reader says so.
                    if matcher.try_accept(&self.recent.since(mark)) && !matcher.is_over() {
                        self.active = Some(matcher);
                    }
                }
            }
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        !matches!(self.when, When::AtMark(_)) && self.active.as_ref().is_some_and(Matcher::is_over)
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(Steer {
            fresh: self.fresh.fork(),
            free: Arc::clone(&self.free),
            active: self.active.as_ref().map(Matcher::fork),
            when: self.when,
            recent: self.recent.clone(),
        })
    }
}

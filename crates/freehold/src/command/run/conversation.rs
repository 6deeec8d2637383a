//! A conversation at a terminal.

mod editor;
mod slash;

use anyhow::Context as _;
use engine::sampler::SamplerSettings;
use text::{
    message::Message,
    tokenizer::{Frame, Special},
};

use super::{
    Run,
    answer::{Answer, Limits, Prompt, Session},
    model::Talker,
    report,
    screen::Screen,
};
use crate::{chat::Think, error, program::App};
use editor::{Editor, Input};

/// Everything the conversation is made of.
struct Conversation<'a> {
    app: &'a App,
    session: Session,
    messages: Vec<Message>,
    limits: Limits,
    sampler: SamplerSettings,
    think: Think,
    raw: bool,
    stats: bool,
    /// The last answer and the seed it was drawn with.
    last: Option<(Answer, SamplerSettings)>,
    /// Answers given anew, so that each is another.
    again: u64,
}

/// What to do after a line.
enum Next {
    Go,
    Leave,
}

/// Talks until the user leaves.
pub(super) fn hold(run: &Run, app: &App) -> anyhow::Result<()> {
    let talker = Talker::open(run, app)?;
    if !run.raw {
        talker.require_template()?;
        if !talker.heeds(run.think)? {
            app.output.note("this model's template has no switch for thinking");
        }
    }
    let sampler = talker.sampling(&run.sampling)?;
    let limits = run.limits(&talker);
    let mut editor = Editor::new(app)?;
    let mut conversation = Conversation {
        app,
        session: talker.load(app)?,
        messages: run.system.iter().map(|text| Message::new("system", text.as_str())).collect(),
        limits,
        sampler,
        think: run.think,
        raw: run.raw,
        stats: run.stats,
        last: None,
        again: 0,
    };
    conversation.greet();
    loop {
        let line = match editor.read()? {
            Input::Line(line) => line,
            Input::Nothing => continue,
            Input::End => return Ok(()),
        };
        // What goes wrong with one answer is told, and the conversation goes on.
        match conversation.take(&line) {
            Ok(Next::Go) => {}
            Ok(Next::Leave) => return Ok(()),
            Err(failure) => {
                let _ = error::report(&failure, &app.output);
            }
        }
    }
}

impl Conversation<'_> {
    fn greet(&self) {
        let model = self.session.engine.model();
        self.app.output.note(format!(
            "{} ({}, {} tokens of context). /help lists commands, /bye or Ctrl-D leaves.",
            weights::shown(&self.session.talker.name),
            model.family,
            self.session.engine.context()
        ));
    }

    fn take(&mut self, line: &str) -> anyhow::Result<Next> {
        match line.strip_prefix('/') {
            Some(command) => self.command(command),
            None => {
                self.messages.push(Message::new("user", line));
                self.respond()?;
                Ok(Next::Go)
            }
        }
    }

    /// Answers the last message; a message that cannot be answered is taken back.
    fn respond(&mut self) -> anyhow::Result<()> {
        match self.generate() {
            Ok((answer, sampler)) => {
                let mut message = Message::new("assistant", answer.text.as_str());
                if !answer.reasoning.is_empty() {
                    message.reasoning_content = Some(answer.reasoning.clone());
                    message.name_reasoning_both_ways();
                }
                self.messages.push(message);
                if self.stats {
                    report::print(self.app, &answer, &self.session, &sampler);
                }
                self.last = Some((answer, sampler));
                Ok(())
            }
            Err(failure) => {
                self.messages.pop();
                Err(failure)
            }
        }
    }

    fn generate(&mut self) -> anyhow::Result<(Answer, SamplerSettings)> {
        let prompt = self.prompt()?;
        let mut screen = Screen::new(self.app);
        let sampler = SamplerSettings {
            seed: self.sampler.seed.wrapping_add(self.again),
            ..self.sampler.clone()
        };
        let answer = self.session.answer(self.app, prompt, &self.limits, &sampler, &mut screen)?;
        screen.end()?;
        if self.session.was_interrupted() {
            self.app.output.note("(stopped)");
        }
        Ok((answer, sampler))
    }

    fn prompt(&self) -> anyhow::Result<Prompt> {
        let talker = &self.session.talker;
        if !self.raw {
            return talker.chat_prompt(&self.messages, self.think);
        }
        // Without a template each line is a text of its own.
        let last = self.messages.last().context("there is nothing to continue")?;
        let text = last.content.text();
        Ok(Prompt::plain(talker.tokenizer.encode_framed(&text, Special::Parse, Frame::Once)?))
    }
}

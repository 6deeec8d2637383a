//! Tokens of one choice to what it says: text as soon as it is whole, reasoning apart, stop texts
//! heeded, calls read.

use std::ops::ControlFlow;

use text::{
    reasoning::{Piece, Splitter},
    stream::{Detokenizer, StopStrings, StreamStart},
    tokenizer::Tokenizer,
    toolcall::{CallParser, Event as Call},
};

use crate::{
    answer::{Finish, TokenInfo, Told, What},
    ask::Parallel,
    prompt::Prepared,
};

/// See the module.
pub(super) struct Decoder<'a> {
    words: Option<Detokenizer<'a>>,
    splitter: Option<Splitter>,
    stops: Option<StopStrings>,
    stop: Vec<String>,
    parser: Option<CallParser>,
    parallel: Parallel,
    /// Tokens whose text is not out yet.
    pending: Vec<TokenInfo>,
    ended: Option<Finish>,
    calls: usize,
    reasoning_tokens: usize,
    over: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, prepared: &Prepared, stop: &[String]) -> Self {
        let start =
            if prepared.is_turn { StreamStart::Beginning } else { StreamStart::Continuation };
        let calls = prepared.calls.as_ref();
        let splitter = match prepared.reasoning {
            None => Splitter::plain(),
            Some((format, opened)) => {
                let splitter = format.splitter(opened);
                match calls {
                    Some(calls) => splitter.ended_by(calls.format.marks()),
                    None => splitter,
                }
            }
        };
        Decoder {
            words: Some(Detokenizer::new(tokenizer, prepared.specials, start)),
            splitter: Some(splitter),
            stops: Some(StopStrings::new(stop.iter().cloned())),
            stop: stop.to_vec(),
            parser: calls.map(|calls| CallParser::new(calls.format, &calls.tools)),
            parallel: calls.map_or(Parallel::Yes, |calls| calls.parallel),
            pending: vec![],
            ended: None,
            calls: 0,
            reasoning_tokens: 0,
            over: false,
        }
    }

    /// Whether nothing more comes of it.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn end(&mut self) {
        self.over = true;
    }

    pub(super) fn reasoning_tokens(&self) -> usize {
        self.reasoning_tokens
    }

    /// Takes a token in; `Break` when the answer is complete by it.
    pub(super) fn push(
        &mut self,
        id: u32,
        info: Option<TokenInfo>,
        choice: u32,
        out: &mut Vec<Told>,
    ) -> ControlFlow<()> {
        if self.ended.is_some() {
            return ControlFlow::Continue(());
        }
        self.pending.extend(info);
        let text = self.words.as_mut().map(|words| words.push(id)).unwrap_or_default();
        let pieces =
            self.splitter.as_mut().map(|splitter| splitter.push(&text)).unwrap_or_default();
        let thought = pieces.iter().any(|piece| matches!(piece, Piece::Reasoning(_)));
        self.reasoning_tokens += usize::from(thought);
        self.pieces(pieces, choice, out);
        if self.ended.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The tokens are over: what was held back, and why it ended.
    pub(super) fn finish(&mut self, why: Finish, choice: u32, out: &mut Vec<Told>) -> Finish {
        self.over = true;
        if self.ended.is_none() {
            let rest = self.words.take().map(Detokenizer::finish).unwrap_or_default();
            let mut pieces = self.splitter.as_mut().map(|s| s.push(&rest)).unwrap_or_default();
            pieces.extend(self.splitter.take().map(Splitter::finish).unwrap_or_default());
            self.pieces(pieces, choice, out);
        }
        if self.ended.is_none()
            && let Some(stops) = self.stops.take()
        {
            let rest = stops.finish();
            self.answer(&rest, choice, out);
        }
        if let Some(parser) = self.parser.take() {
            let cut = why == Finish::Length;
            for event in parser.finish() {
                // A call that the length cut short is not the model's mistake.
                match event {
                    Call::Malformed { index: Some(_), .. } if cut => {}
                    Call::Malformed { index: None, text, .. } if cut => {
                        self.emit(What::Text(text), choice, out);
                    }
                    event => self.call(event, choice, out),
                }
            }
        }
        match self.ended.take() {
            Some(ended) => ended,
            None if self.calls > 0 && why == Finish::Stop => Finish::Calls,
            None => why,
        }
    }

    fn pieces(&mut self, pieces: Vec<Piece>, choice: u32, out: &mut Vec<Told>) {
        for piece in pieces {
            match piece {
                Piece::Reasoning(text) => self.emit(What::Reasoning(text), choice, out),
                Piece::Mark(_) => {}
                Piece::Answer(text) | Piece::Call(text) => {
                    let Some(stops) = &mut self.stops else { return };
                    let (text, stop) = stops.push(&text);
                    self.answer(&text, choice, out);
                    if let Some(stop) = stop {
                        let words = self.stop.get(stop.index).cloned().unwrap_or_default();
                        self.stops = None;
                        self.ended.get_or_insert(Finish::StopText(words));
                        return;
                    }
                }
            }
        }
    }

    fn answer(&mut self, text: &str, choice: u32, out: &mut Vec<Told>) {
        let Some(parser) = &mut self.parser else {
            self.emit(What::Text(text.to_owned()), choice, out);
            return;
        };
        for event in parser.push(text) {
            if self.ended.is_some() {
                return;
            }
            self.call(event, choice, out);
        }
    }

    fn call(&mut self, event: Call, choice: u32, out: &mut Vec<Told>) {
        let what = match event {
            Call::Text(text) => What::Text(text),
            Call::Reasoning(text) => What::Reasoning(text),
            Call::CallStart { index, name, id } => {
                let id = id.unwrap_or_else(|| crate::id::new("call_"));
                What::CallStart { index, name, id }
            }
            Call::CallArguments { index, delta } => What::CallArguments { index, delta },
            Call::CallEnd { index, .. } => {
                self.calls += 1;
                if self.parallel == Parallel::No {
                    self.ended = Some(Finish::Calls);
                }
                What::CallEnd { index }
            }
            Call::Malformed { index, text, reason } => What::Malformed { index, text, reason },
        };
        self.emit(what, choice, out);
    }

    fn emit(&mut self, what: What, choice: u32, out: &mut Vec<Told>) {
        let empty = matches!(&what, What::Text(text) | What::Reasoning(text) if text.is_empty());
        if empty {
            return;
        }
        // Log-probabilities are those of the answer's own text.
        let tokens = match what {
            What::Text(_) => std::mem::take(&mut self.pending),
            _ => {
                self.pending.clear();
                vec![]
            }
        };
        out.push(Told { choice, what, tokens });
    }
}

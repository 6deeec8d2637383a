//! Stop strings in a stream of text.

/// Watches a stream for stop strings.
///
/// Text that may yet turn out to begin a stop string is held back; everything else goes through
/// at once. The stop string that is complete first ends the stream, and of several complete at
/// the same place, the one that began first; so how the text was cut up does not matter.
#[derive(Clone, Debug)]
pub struct StopStrings {
    stops: Vec<String>,
    held: String,
}

/// The end of a stream at a stop string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopMatch {
    /// Which of the stop strings, counted as given.
    pub index: usize,
    /// Text that came after it in the same push.
    pub rest: String,
}

impl StopStrings {
    /// Watches for these; empty ones never match.
    pub fn new(stops: impl IntoIterator<Item = String>) -> Self {
        Self { stops: stops.into_iter().collect(), held: String::new() }
    }

    /// Takes text in and gives out what no stop string can claim any more; with a match, the
    /// text before it.
    pub fn push(&mut self, text: &str) -> (String, Option<StopMatch>) {
        self.held.push_str(text);
        if let Some((at, end, index)) = self.first_match() {
            let rest = self.held[end..].to_owned();
            let mut out = std::mem::take(&mut self.held);
            out.truncate(at);
            return (out, Some(StopMatch { index, rest }));
        }
        let keep = self.may_begin();
        let held = self.held.split_off(keep);
        (std::mem::replace(&mut self.held, held), None)
    }

    /// Ends the stream: what was held back was no stop string.
    pub fn finish(self) -> String {
        self.held
    }

    /// The match that ends first, and of those the longest: begin, end, which.
    fn first_match(&self) -> Option<(usize, usize, usize)> {
        let stops = self.stops.iter().enumerate().filter(|(_, stop)| !stop.is_empty());
        stops
            .filter_map(|(index, stop)| {
                self.held.find(stop.as_str()).map(|at| (at, at + stop.len(), index))
            })
            .min_by_key(|&(at, end, index)| (end, at, index))
    }

    /// Where the longest end of the held text that begins a stop string begins.
    fn may_begin(&self) -> usize {
        let longest = self.stops.iter().map(String::len).max().unwrap_or(0);
        let from = (self.held.len() + 1).saturating_sub(longest);
        let mut starts = (from..self.held.len()).filter(|&at| self.held.is_char_boundary(at));
        let begins = |&at: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..]));
        starts.find(begins).unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes in steps of `width` characters; text before the match and which matched.
    fn run(stops: &[&str], text: &str, width: usize) -> (String, Option<usize>) {
        let mut watch = StopStrings::new(stops.iter().map(|stop| (*stop).to_owned()));
        let mut out = String::new();
        let chars: Vec<char> = text.chars().collect();
        for part in chars.chunks(width) {
            let (free, hit) = watch.push(&part.iter().collect::<String>());
            out.push_str(&free);
            if let Some(hit) = hit {
                return (out, Some(hit.index));
            }
        }
        out.push_str(&watch.finish());
        (out, None)
    }

    #[test]
    fn however_the_text_arrives_the_same_stop_ends_it() {
        let cases: [(&[&str], &str, &str, Option<usize>); 8] = [
            (&["abac", "ba"], "abac", "a", Some(1)),
            (&["END"], "one END two", "one ", Some(0)),
            (&["aab"], "aaab", "a", Some(0)),
            (&["abac", "ba"], "abab", "a", Some(1)),
            (&["\n\n"], "a\nb\n\nc", "a\nb", Some(0)),
            (&["é!"], "caféé! x", "café", Some(0)),
            (&["", "never"], "neve", "neve", None),
            (&[], "free", "free", None),
        ];
        for (stops, text, before, index) in cases {
            for width in 1..=text.len() {
                let found = run(stops, text, width);
                assert_eq!(found, (before.to_owned(), index), "{stops:?} in {text:?} by {width}");
            }
        }
    }

    #[test]
    fn only_a_possible_beginning_is_held_back() {
        let mut watch = StopStrings::new(["</s>".to_owned()]);
        assert_eq!(watch.push("a < b"), ("a < b".to_owned(), None));
        assert_eq!(watch.push("c </"), ("c ".to_owned(), None));
        assert_eq!(watch.push("p>"), ("</p>".to_owned(), None));
    }
}

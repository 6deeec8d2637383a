//! The answer in a sentence: fits, fits as something smaller, or does not fit, and why.

use machine::Bytes;
use serde::Serialize;

use super::{Choice, forecast::Forecast};

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    answer: Answer,
    /// The quantization that would fit, where the file as it is does not.
    format: Option<String>,
    /// The context that would fit, where this one does not.
    context: Option<usize>,
    because: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Fits,
    FitsAs,
    FitsWithLessContext,
    DoesNotFit,
}

impl Verdict {
    /// From the options, of which the first is the file as it is and the others go from large to small.
    pub(super) fn of(options: &[Choice], forecast: &Forecast<'_>) -> Self {
        let free = forecast.free;
        let verdict =
            |answer, format, context, because| Verdict { answer, format, context, because };
        let Some((own, others)) = options.split_first() else {
            return verdict(Answer::DoesNotFit, None, None, "nothing is planned".to_owned());
        };
        let needs = |choice: &Choice| format!("{} of {free}", choice.memory.total);
        if own.fits {
            return verdict(Answer::Fits, None, None, format!("fits: {}", needs(own)));
        }
        let smaller = others.iter().filter(|option| option.bits_per_weight < own.bits_per_weight);
        if let Some(best) = smaller.clone().find(|option| option.fits) {
            let because = format!(
                "fits as {}: {}; as it is ({}) it needs {}",
                best.format,
                needs(best),
                own.format,
                own.memory.total
            );
            return verdict(Answer::FitsAs, Some(best.format.clone()), None, because);
        }
        // Nothing fits with this context: perhaps with less.
        let with_less = [own].into_iter().chain(smaller).find(|option| option.largest_context > 0);
        if let Some(best) = with_less {
            let context = best.largest_context;
            let format = (!best.as_is).then(|| best.format.clone());
            let because = format!(
                "does not fit with {} tokens for {}: {} needed, {free} available; as {} {context} tokens would fit",
                forecast.context,
                users(forecast.users),
                own.memory.total,
                best.format,
            );
            return verdict(Answer::FitsWithLessContext, format, Some(context), because);
        }
        let least = options.iter().map(|option| option.memory.weights).min().unwrap_or(Bytes::ZERO);
        let because = format!(
            "does not fit: the weights alone take {}, even the smallest quantization {least}; {free} available",
            own.memory.weights
        );
        verdict(Answer::DoesNotFit, None, None, because)
    }

    /// Whether the file as it is fits.
    pub(super) fn fits(&self) -> bool {
        self.answer == Answer::Fits
    }

    /// As people read it.
    pub(super) fn words(&self) -> &str {
        &self.because
    }
}

fn users(count: usize) -> String {
    if count == 1 { "1 user".to_owned() } else { format!("{count} users") }
}

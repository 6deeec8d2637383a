//! What owning a machine costs beside a price a token.
//!
//! A machine costs its price over its life whether or not it works, and power by whether it does.
//! Work is requests a day of so many tokens; the measured or foretold speed says how long a machine is
//! busy with them, and how many machines it takes when none shall be busy more than a given share of
//! the day. Renting costs by the token. Everything is in one currency; a month has 365.25 / 12 days.

use serde::Serialize;

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Days of a year.
const YEAR: f64 = 365.25;
/// Days of a month.
pub const MONTH_DAYS: f64 = YEAR / 12.0;

/// A machine one owns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Owned {
    /// What it cost.
    pub price: f64,
    /// Years it is used.
    pub life_years: f64,
    /// Watts it draws at work.
    pub watts_busy: f64,
    /// Watts it draws otherwise.
    pub watts_idle: f64,
    /// Price of a kilowatt-hour.
    pub kwh_price: f64,
    /// What else it costs a month: a place to stand, somebody's time.
    pub upkeep_month: f64,
    /// Share of the day it may be busy, 0 to 1: the rest is room for peaks.
    pub utilisation: f64,
    /// Tokens of prompts it reads a second.
    pub prompt_tokens_per_s: f64,
    /// Tokens of answers it writes a second, of all users together.
    pub generation_tokens_per_s: f64,
}

/// What one pays for a million tokens elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rented {
    /// Of prompts.
    pub input: f64,
    /// Of answers.
    pub output: f64,
}

/// The work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Load {
    /// Requests a day.
    pub requests_per_day: f64,
    /// Tokens of a request's prompt.
    pub tokens_in: f64,
    /// Tokens of its answer.
    pub tokens_out: f64,
}

/// What the work costs on machines of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Owning {
    /// Machines it takes.
    pub machines: u64,
    /// Share of the time they are busy, 0 to 1.
    pub busy: f64,
    /// Their price, by month of their life.
    pub hardware_month: f64,
    /// Power.
    pub power_month: f64,
    /// What else they cost.
    pub upkeep_month: f64,
    /// All of it.
    pub total_month: f64,
    /// All of it by million tokens, prompts and answers alike.
    pub per_million_tokens: f64,
}

impl Load {
    /// Tokens a month.
    pub fn tokens_month(&self) -> f64 {
        self.requests_per_day * MONTH_DAYS * (self.tokens_in + self.tokens_out)
    }

    /// The same requests in another number.
    pub fn with(&self, requests_per_day: f64) -> Load {
        Load { requests_per_day, ..*self }
    }
}

impl Rented {
    /// What the work costs a month.
    pub fn month(&self, load: &Load) -> f64 {
        load.requests_per_day * MONTH_DAYS * self.request(load)
    }

    /// A million tokens of this work's mixture.
    pub fn per_million_tokens(&self, load: &Load) -> f64 {
        1e6 * self.request(load) / (load.tokens_in + load.tokens_out)
    }

    fn request(&self, load: &Load) -> f64 {
        (self.input * load.tokens_in + self.output * load.tokens_out) / 1e6
    }
}

impl Owned {
    /// Seconds one request keeps a machine busy.
    pub fn request_seconds(&self, load: &Load) -> f64 {
        load.tokens_in / self.prompt_tokens_per_s + load.tokens_out / self.generation_tokens_per_s
    }

    /// Requests a day that one machine takes.
    pub fn capacity_per_day(&self, load: &Load) -> f64 {
        DAY * self.utilisation / self.request_seconds(load)
    }

    /// What the work costs.
    pub fn cost(&self, load: &Load) -> Owning {
        let needed = (load.requests_per_day / self.capacity_per_day(load)).ceil().max(1.0);
        let busy_seconds = load.requests_per_day * self.request_seconds(load);
        let idle_seconds = (DAY * needed - busy_seconds).max(0.0);
        let joules = busy_seconds * self.watts_busy + idle_seconds * self.watts_idle;
        let hardware_month = needed * self.price / (self.life_years * 12.0);
        let power_month = joules / 3.6e6 * self.kwh_price * MONTH_DAYS;
        let upkeep_month = needed * self.upkeep_month;
        let total_month = hardware_month + power_month + upkeep_month;
        Owning {
            machines: needed as u64,
            busy: busy_seconds / (DAY * needed),
            hardware_month,
            power_month,
            upkeep_month,
            total_month,
            per_million_tokens: 1e6 * total_month / load.tokens_month(),
        }
    }

    /// Requests a day from which on owning is no dearer than renting; `None` when it never is, not even
    /// with machines as busy as they may be.
    ///
    /// Both a machine's standing cost and its capacity grow with the number of machines, so whether
    /// there is such a number is decided by the first machine. Just beyond what some machines take
    /// the next one stands nearly idle, and owning may be dearer again for a while.
    pub fn break_even(&self, rented: &Rented, load: &Load) -> Option<f64> {
        let standing = self.cost(&load.with(0.0)).total_month / MONTH_DAYS;
        let each = self.request_seconds(load) * (self.watts_busy - self.watts_idle) / 3.6e6
            * self.kwh_price;
        let gain = rented.request(load) - each;
        let requests = standing / gain;
        (gain > 0.0 && requests <= self.capacity_per_day(load)).then_some(requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned() -> Owned {
        Owned {
            price: 1461.0,
            life_years: 4.0,
            watts_busy: 100.0,
            watts_idle: 100.0,
            kwh_price: 0.25,
            upkeep_month: 0.0,
            utilisation: 0.5,
            prompt_tokens_per_s: 1000.0,
            generation_tokens_per_s: 50.0,
        }
    }

    fn load(requests_per_day: f64) -> Load {
        Load { requests_per_day, tokens_in: 1000.0, tokens_out: 250.0 }
    }

    #[test]
    fn a_machine_costs_its_price_and_its_power() {
        // 6 s a request: 7200 requests in half a day. A day costs 1 for the machine and 0.60 for power.
        let cost = owned().cost(&load(7200.0));
        assert_eq!((cost.machines, cost.busy), (1, 0.5));
        assert!((cost.hardware_month / MONTH_DAYS - 1.0).abs() < 1e-9);
        assert!((cost.power_month / MONTH_DAYS - 0.6).abs() < 1e-9);
        assert!((cost.per_million_tokens - 1.6 / 9.0).abs() < 1e-9);
        assert_eq!(owned().cost(&load(7201.0)).machines, 2);
        assert_eq!(owned().cost(&load(0.0)).machines, 1);
    }

    #[test]
    fn at_break_even_both_cost_the_same_and_beyond_owning_is_cheaper() {
        let rented = Rented { input: 0.5, output: 2.0 };
        // 0.001 a request; 1.60 a day.
        let even = owned().break_even(&rented, &load(1.0)).unwrap();
        assert!((even - 1600.0).abs() < 1e-6);
        for (requests, cheaper) in [(even * 0.9, false), (even * 1.1, true)] {
            let (own, rent) =
                (owned().cost(&load(requests)).total_month, rented.month(&load(requests)));
            assert_eq!(own < rent, cheaper, "{requests}: {own} {rent}");
        }
        let cheap = Rented { input: 0.05, output: 0.2 };
        assert_eq!(owned().break_even(&cheap, &load(1.0)), None, "7200 requests cost 0.72 there");
        let thirsty = Owned { watts_busy: 1e6, watts_idle: 0.0, ..owned() };
        assert_eq!(
            thirsty.break_even(&rented, &load(1.0)),
            None,
            "a request's power alone is dearer"
        );
    }
}

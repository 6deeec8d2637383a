//! A chart of cost a month against requests a day, as SVG: both axes by powers of ten, one line for owning
//! and one for each price, a dot where owning becomes cheaper, a dashed line at the volume asked about.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 215.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 58.0;
/// Points of a line.
const POINTS: usize = 480;
/// Distance of labels at the right.
const LINE: f64 = 15.0;
/// Told apart by people who see colours differently (after Okabe and Ito).
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00"];

/// What is drawn.
pub(super) struct Chart<'a> {
    pub(super) title: String,
    pub(super) subtitle: String,
    pub(super) currency: &'a str,
    /// Requests a day asked about.
    pub(super) volume: f64,
    /// Cost a month of owning, by requests a day.
    pub(super) owning: &'a dyn Fn(f64) -> f64,
    pub(super) prices: Vec<Line<'a>>,
}

/// One price.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// Cost a month of a request a day.
    pub(super) each: f64,
    /// Requests a day from which on owning is cheaper.
    pub(super) break_even: Option<f64>,
}

impl Chart<'_> {
    /// The picture.
    pub(super) fn svg(&self) -> String {
        let (from, to) = self.volumes();
        let (low, high) = self.costs(from, to);
        let frame = Frame { x: (from, to), y: (low, high) };
        let mut svg = String::new();
        self.draw(&frame, &mut svg).expect("a string takes everything");
        svg
    }

    fn draw(&self, frame: &Frame, svg: &mut String) -> std::fmt::Result {
        writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="{LEFT}" y="26" font-size="16" font-weight="bold">{}</text>
<text x="{LEFT}" y="45" fill="#666">{}</text>"##,
            escaped(&self.title),
            escaped(&self.subtitle)
        )?;
        self.axes(frame, svg)?;
        let volume = frame.at_x(self.volume);
        writeln!(
            svg,
            r##"<line x1="{volume:.1}" y1="{TOP}" x2="{volume:.1}" y2="{:.1}" stroke="#999" stroke-dasharray="4 4"/>"##,
            HEIGHT - BOTTOM
        )?;
        let mut labels = vec![];
        for (at, line) in self.prices.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let dash = if at < COLOURS.len() { "" } else { r#" stroke-dasharray="6 3""# };
            let cost = |requests: f64| line.each * requests;
            let path = frame.path(&cost);
            writeln!(
                svg,
                r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>"#
            )?;
            if let Some(even) = line.break_even.filter(|even| frame.has_x(*even)) {
                let (x, y) = (frame.at_x(even), frame.at_y(cost(even)));
                writeln!(
                    svg,
                    r##"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}" stroke="#fff"/>"##
                )?;
            }
            labels.push((frame.at_y(cost(frame.x.1)), line.name, colour));
        }
        let path = frame.path(self.owning);
        writeln!(svg, r##"<path d="{path}" fill="none" stroke="#000" stroke-width="2.6"/>"##)?;
        labels.push((frame.at_y((self.owning)(frame.x.1)), "your own", "#000"));
        spread(&mut labels);
        for (y, name, colour) in labels {
            writeln!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" fill="{colour}">{}</text>"#,
                WIDTH - RIGHT + 8.0,
                y + 4.0,
                escaped(name)
            )?;
        }
        writeln!(svg, "</svg>")
    }

    fn axes(&self, frame: &Frame, svg: &mut String) -> std::fmt::Result {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for power in powers(frame.x) {
            let x = frame.at_x(power);
            writeln!(
                svg,
                r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}" stroke="#e8e8e8"/>
<text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="#666">{}</text>"##,
                bottom + 18.0,
                short(power)
            )?;
        }
        for power in powers(frame.y) {
            let y = frame.at_y(power);
            writeln!(
                svg,
                r##"<line x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#e8e8e8"/>
<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#666">{}</text>"##,
                LEFT - 8.0,
                y + 4.0,
                short(power)
            )?;
        }
        writeln!(
            svg,
            r##"<rect x="{LEFT}" y="{TOP}" width="{:.1}" height="{:.1}" fill="none" stroke="#bbb"/>
<text x="{:.1}" y="{:.1}" text-anchor="middle">requests a day (dashed: {})</text>
<text x="18" y="{:.1}" text-anchor="middle" transform="rotate(-90 18 {:.1})">{} a month</text>"##,
            right - LEFT,
            bottom - TOP,
            f64::midpoint(LEFT, right),
            HEIGHT - 14.0,
            short(self.volume),
            f64::midpoint(TOP, bottom),
            f64::midpoint(TOP, bottom),
            escaped(self.currency)
        )
    }

    /// Two powers of ten to each side, and every break-even.
    fn volumes(&self) -> (f64, f64) {
        let evens = self.prices.iter().filter_map(|line| line.break_even);
        let all: Vec<f64> = evens.chain([self.volume]).filter(|v| v.is_finite()).collect();
        let least = all.iter().fold(f64::INFINITY, |a, b| a.min(*b)).max(0.01);
        let most = all.iter().fold(0.0_f64, |a, b| a.max(*b)).max(least);
        (power_below(least / 10.0), power_above(most * 5.0))
    }

    fn costs(&self, from: f64, to: f64) -> (f64, f64) {
        let own = [(self.owning)(from), (self.owning)(to)];
        let ends = self.prices.iter().map(|line| line.each * to);
        let all: Vec<f64> = ends.chain(own).filter(|cost| *cost > 0.0).collect();
        let least = own[0].max(0.01) / 30.0;
        let most = all.into_iter().fold(least, f64::max);
        (power_below(least), power_above(most))
    }
}

/// From numbers to places.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at_x(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * share(value, self.x)
    }

    fn at_y(&self, value: f64) -> f64 {
        let top = HEIGHT - BOTTOM;
        top - (top - TOP) * share(value, self.y)
    }

    fn has_x(&self, value: f64) -> bool {
        (self.x.0..=self.x.1).contains(&value)
    }

    /// A line of `cost`; what lies below the frame is left out.
    fn path(&self, cost: &dyn Fn(f64) -> f64) -> String {
        let mut path = String::new();
        let (from, to) = (self.x.0.ln(), self.x.1.ln());
        for at in 0..=POINTS {
            let requests = (from + (to - from) * at as f64 / POINTS as f64).exp();
            let value = cost(requests);
            if value < self.y.0 {
                continue;
            }
            let letter = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{letter}{:.1} {:.1}", self.at_x(requests), self.at_y(value));
        }
        path
    }
}

/// Where between the ends a value lies by its logarithm, 0 to 1.
fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    ((value.max(1e-12) / low).ln() / (high / low).ln()).clamp(0.0, 1.0)
}

fn power_below(value: f64) -> f64 {
    10_f64.powf((value.log10() + 1e-9).floor())
}

fn power_above(value: f64) -> f64 {
    10_f64.powf((value.log10() - 1e-9).ceil())
}

fn powers((low, high): (f64, f64)) -> impl Iterator<Item = f64> {
    let (from, to) = (low.log10().round() as i32, high.log10().round() as i32);
    (from..=to).map(|power| 10_f64.powi(power))
}

/// Moves labels apart, from the bottom up, then back from the top down.
fn spread(labels: &mut [(f64, &str, &str)]) {
    labels.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut lowest = HEIGHT - BOTTOM + LINE;
    for label in labels.iter_mut() {
        label.0 = label.0.min(lowest - LINE);
        lowest = label.0;
    }
    let mut highest = TOP - LINE;
    for label in labels.iter_mut().rev() {
        label.0 = label.0.max(highest + LINE);
        highest = label.0;
    }
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", trimmed(v / 1e6)),
        v if v >= 1e4 => format!("{} k", trimmed(v / 1e3)),
        v => trimmed(v),
    }
}

fn trimmed(value: f64) -> String {
    let digits = if value >= 10.0 || value.fract() == 0.0 { 0 } else { 2 };
    format!("{value:.digits$}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_lies_within_the_frame_and_names_are_escaped() {
        let owning = |requests: f64| 40.0 + requests * 1e-3;
        let prices = (0..9).map(|at| Line {
            name: "a<b>&c",
            each: 0.01 * f64::from(at + 1),
            break_even: (at < 5).then_some(40.0 / (0.01 * f64::from(at + 1) - 1e-3)),
        });
        let chart = Chart {
            title: "t".to_owned(),
            subtitle: "s".to_owned(),
            currency: "USD",
            volume: 2000.0,
            owning: &owning,
            prices: prices.collect(),
        };
        let svg = chart.svg();
        assert!(!svg.contains("a<b>") && svg.contains("a&lt;b&gt;&amp;c"));
        assert_eq!(svg.matches("<path").count(), 10);
        assert_eq!(svg.matches("<circle").count(), 5);
        let numbers = svg.split("d=\"").skip(1).filter_map(|rest| rest.split('"').next());
        for path in numbers {
            for pair in path.split(['M', 'L']).filter(|pair| !pair.is_empty()) {
                let (x, y) = pair.split_once(' ').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((LEFT - 0.1..=WIDTH - RIGHT + 0.1).contains(&x), "{x}");
                assert!((TOP - 0.1..=HEIGHT - BOTTOM + 0.1).contains(&y), "{y}");
            }
        }
    }

    #[test]
    fn labels_do_not_lie_on_each_other() {
        let mut labels: Vec<(f64, &str, &str)> = (0..12).map(|_| (TOP + 5.0, "", "")).collect();
        spread(&mut labels);
        for pair in labels.windows(2) {
            assert!(pair[0].0 - pair[1].0 >= LINE - 1e-9, "{pair:?}");
        }
    }
}

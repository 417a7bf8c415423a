//! The axes of a plot: from where to where, and what is written beside which line.

use std::ops::Range;

use super::row::{Unit, shown};

/// Lines that a linear axis has, about.
const LINES: f64 = 4.0;
/// A logarithmic axis over fewer decades also has lines at 2 and 5.
const DECADES_FEW: f64 = 2.5;

/// Characters that fit below all things side by side, with a space between two.
const NAMES_WIDTH: usize = 36;
/// A longer tail names every other percentile only.
const TAIL_TICKS_CLOSE: f64 = 5.5;

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// From where to where, never empty.
    pub(super) range: Range<f64>,
    /// Where a line is, and what is written beside it.
    pub(super) ticks: Vec<(f64, String)>,
    /// What a value's place on it is.
    scale: Scale,
}

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// As they are.
    Linear,
    /// By their decimal logarithm.
    Logarithm,
    /// Percentiles by the decimal logarithm of what is beyond them: 90, 99 and 99.9 stand equally
    /// far apart.
    Tail,
}

impl Axis {
    /// From zero to at least `max`.
    pub(crate) fn linear(max: f64, label: impl Fn(f64) -> String) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let magnitude = 10_f64.powf((max / LINES).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
        let step = steps.into_iter().find(|step| max / step <= LINES + 1.0);
        let step = step.unwrap_or(10.0 * magnitude);
        let values = (0..).map(|number| f64::from(number) * step);
        let ticks = values.take_while(|value| *value <= max * 1.001);
        let ticks = ticks.map(|value| (value, label(value))).collect();
        Self { range: 0.0..max * 1.04, ticks, scale: Scale::Linear }
    }

    /// From the decade of `min` or a little below it to `max`, both positive.
    pub(crate) fn logarithmic(values: Range<f64>, label: impl Fn(f64) -> String) -> Self {
        let min = values.start.max(1e-9).log10();
        let max = values.end.max(1e-9).log10().max(min + 0.1);
        let factors: &[f64] = if max - min < DECADES_FEW { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let range = (min - 0.05)..(max + 0.05);
        let decades = (-9..=15)
            .flat_map(|decade| factors.iter().map(move |factor| factor * 10_f64.powi(decade)));
        let ticks = decades.filter(|value| range.contains(&value.log10()));
        let ticks = ticks.map(|value| (value.log10(), label(value))).collect();
        Self { range, ticks, scale: Scale::Logarithm }
    }

    /// Of percentiles up to `max`, below 100.
    pub(crate) fn tail(max: f64) -> Self {
        let end = Scale::Tail.place(max).clamp(1.0, 9.0);
        let percentiles =
            ["0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999", "99.999999"];
        let ticks = (0_u32..).map(f64::from).zip(percentiles);
        let ticks = ticks.filter(|(place, _)| *place <= end + 0.01);
        // more would be written over each other
        let step = if end > TAIL_TICKS_CLOSE { 2 } else { 1 };
        let ticks = ticks.step_by(step).map(|(place, name)| (place, name.to_owned())).collect();
        Self { range: 0.0..end + 0.05, ticks, scale: Scale::Tail }
    }

    /// Of things side by side, the first at 1; names are cut to what fits.
    pub(crate) fn names(names: &[String]) -> Self {
        let width = NAMES_WIDTH / names.len().max(1);
        let short = |name: &String| {
            if name.chars().count() <= width {
                return name.clone();
            }
            name.chars().take(width.saturating_sub(1)).chain(['…']).collect()
        };
        let places = (1_u32..).map(f64::from);
        let ticks: Vec<_> = places.zip(names.iter().map(short)).collect();
        let end = ticks.last().map_or(1.0, |tick| tick.0);
        Self { range: 0.4..end + 0.6, ticks, scale: Scale::Linear }
    }

    /// Where `value` stands, within the range.
    pub(super) fn place(&self, value: f64) -> f64 {
        self.scale.place(value).clamp(self.range.start, self.range.end)
    }

    /// What is written at a place.
    pub(super) fn label(&self, place: f64) -> String {
        let near = |tick: &&(f64, String)| (tick.0 - place).abs() < 1e-9;
        self.ticks.iter().find(near).map_or_else(String::new, |tick| tick.1.clone())
    }
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithm => value.max(1e-9).log10(),
            Self::Tail => -(1.0 - value / 100.0).max(1e-9).log10(),
        }
    }
}

/// Microseconds in the unit that makes them short.
pub(crate) fn time(microseconds: f64) -> String {
    let (value, unit) = match microseconds {
        0.0 => return "0".to_owned(),
        short if short < 1.0 => (short * 1e3, "ns"),
        middle if middle < 1e3 => (middle, "µs"),
        long if long < 1e6 => (long / 1e3, "ms"),
        very => (very / 1e6, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// A number with a sign for its thousands.
pub(crate) fn number(value: f64) -> String {
    match value {
        small if small < 1e3 => digits(small),
        middle if middle < 1e6 => format!("{} k", digits(middle / 1e3)),
        large if large < 1e9 => format!("{} M", digits(large / 1e6)),
        huge => shown(Unit::Count, huge),
    }
}

/// Without the noise of a float.
fn digits(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    #[test]
    fn lines_are_round_and_few() {
        assert_eq!(labels(&Axis::linear(1234.0, number)), ["0", "500", "1 k"]);
        assert_eq!(
            labels(&Axis::linear(2_000_000.0, number)),
            ["0", "500 k", "1 M", "1.5 M", "2 M"]
        );
        assert_eq!(labels(&Axis::linear(0.0, number)), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(
            labels(&Axis::logarithmic(90.0..2100.0, time)),
            ["100 µs", "200 µs", "500 µs", "1 ms", "2 ms"]
        );
        assert_eq!(labels(&Axis::logarithmic(5.0..2e6, time)).len(), 6);
        assert_eq!(labels(&Axis::tail(99.95)), ["0", "90", "99", "99.9"]);
    }

    #[test]
    fn names_are_cut_to_what_fits() {
        let names = ["before", "with a new allocator"].map(str::to_owned);
        assert_eq!(labels(&Axis::names(&names)), ["before", "with a new alloca…"]);
        assert_eq!(labels(&Axis::names(&[])), [""; 0]);
    }

    #[test]
    fn nothing_leaves_an_axis() {
        let axis = Axis::tail(99.0);
        assert!((axis.place(90.0) - 1.0).abs() < 1e-9);
        assert!((axis.place(100.0) - axis.range.end).abs() < 1e-9);
        let flat = Axis::logarithmic(7.0..7.0, time);
        assert!(flat.range.start < flat.range.end, "one value is an axis, too");
    }
}

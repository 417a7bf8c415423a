//! Bars side by side: one figure of several runs.

use super::Spread;
use super::axis::Axis;
use super::plot::{COLOURS, Line, Mark, Plot};

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    /// What it stands for.
    pub(crate) name: String,
    /// How long it is, with a whisker from the least to the most if there are several.
    pub(crate) value: Spread,
}

/// The plot of bars, each in the colour that lines of its number have; none without bars, and only
/// as many as there are colours. `label` writes a value with its unit.
pub(crate) fn bars(
    title: &str,
    caption: &str,
    bars: &[Bar],
    label: impl Fn(f64) -> String,
) -> Option<Plot> {
    let bars = &bars[..bars.len().min(COLOURS)];
    let most = bars.iter().map(|bar| bar.value.most).max_by(f64::total_cmp)?;
    let names: Vec<String> = bars.iter().map(|bar| bar.name.clone()).collect();
    let lines = bars.iter().zip(1_u32..).map(|(Bar { name, value }, place)| Line {
        name: format!("{name}: {}", label(value.median)),
        points: vec![(f64::from(place), value.median)],
        spread: if value.values > 1 { vec![(value.least, value.most)] } else { vec![] },
        mark: Mark::Bar,
    });
    let sentence = |bar: &Bar| format!("{}: {}.", bar.name, label(bar.value.median));
    Some(Plot {
        title: title.to_owned(),
        caption: caption.to_owned(),
        description: bars.iter().map(sentence).collect::<Vec<_>>().join(" "),
        x: Axis::names(&names),
        y: Axis::linear(most, &label),
        lines: lines.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bar_for_each_name() {
        let bar = |name: &str, values: &[f64]| Bar {
            name: name.to_owned(),
            value: Spread::of(values.to_vec()).unwrap(),
        };
        let label = |value: f64| format!("{value} µs");
        let all = [bar("a", &[1.0, 2.0, 4.0]), bar("b", &[3.0])];
        let plot = bars("CPU", "", &all, label).unwrap();
        assert_eq!(plot.description, "a: 2 µs. b: 3 µs.");
        assert_eq!(plot.lines[0].spread, [(1.0, 4.0)]);
        assert_eq!(plot.lines[1].spread, [], "one run has no spread");
        assert_eq!(plot.lines[1].points, [(2.0, 3.0)]);
        assert_eq!(bars("CPU", "", &[], label), None);
        assert_eq!(bars("CPU", "", &vec![all[0].clone(); 20], label).unwrap().lines.len(), COLOURS);
    }
}

//! A figure against the values of a setting: a curve with whiskers for each of what else is set.

use super::Spread;
use super::axis::Axis;
use super::plot::{COLOURS, Line, Mark, Plot};

/// Curves stand so far beside each other that their whiskers do not cover each other.
const APART: f64 = 0.06;

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    /// What it is of; empty if it is the only one.
    pub(crate) name: String,
    /// The number of a value of the setting, and the figure there.
    pub(crate) points: Vec<(usize, Spread)>,
}

/// The plot of curves over `values`; none without a point, and only as many as there are colours.
/// `label` writes a figure with its unit.
pub(crate) fn curves(
    title: &str,
    caption: &str,
    values: &[String],
    curves: &[Curve],
    label: impl Fn(f64) -> String,
) -> Option<Plot> {
    let curves = &curves[..curves.len().min(COLOURS)];
    let figures = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.1);
    let most = figures().map(|figure| figure.most).max_by(f64::total_cmp)?;
    let middle = (number(curves.len()) - 1.0) / 2.0;
    let line = |(at, curve): (usize, &Curve)| Line {
        name: curve.name.clone(),
        points: curve
            .points
            .iter()
            .map(|(value, figure)| {
                (number(*value) + 1.0 + (number(at) - middle) * APART, figure.median)
            })
            .collect(),
        spread: curve.points.iter().map(|(_, figure)| (figure.least, figure.most)).collect(),
        mark: Mark::Dots,
    };
    let told = |curve: &Curve| {
        let points = curve.points.iter().map(|(value, figure)| {
            format!("{} at {}", label(figure.median), values.get(*value).map_or("", String::as_str))
        });
        let points = points.collect::<Vec<_>>().join(", ");
        if curve.name.is_empty() {
            format!("{points}.")
        } else {
            format!("{}: {points}.", curve.name)
        }
    };
    Some(Plot {
        title: title.to_owned(),
        caption: caption.to_owned(),
        description: curves.iter().map(told).collect::<Vec<_>>().join(" "),
        x: Axis::names(values),
        y: Axis::linear(most, &label),
        lines: curves.iter().enumerate().map(line).collect(),
    })
}

/// Of things on a plot, which are few.
fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stand_beside_each_other() {
        let spread = |values: &[f64]| Spread::of(values.to_vec()).unwrap();
        let curve = |name: &str| Curve {
            name: name.to_owned(),
            points: vec![(0, spread(&[1.0, 2.0, 3.0])), (2, spread(&[5.0, 6.0, 9.0]))],
        };
        let values = ["1", "2", "4"].map(str::to_owned);
        let label = |value: f64| format!("{value} µs");
        let one = curves("CPU", "", &values, &[curve("")], label).unwrap();
        assert_eq!(one.lines[0].points, [(1.0, 2.0), (3.0, 6.0)]);
        assert_eq!(one.lines[0].spread, [(1.0, 3.0), (5.0, 9.0)]);
        assert_eq!(one.description, "2 µs at 1, 6 µs at 4.");
        let two = curves("CPU", "", &values, &[curve("a"), curve("b")], label).unwrap();
        let apart = two.lines[1].points[0].0 - two.lines[0].points[0].0;
        assert!((apart - APART).abs() < 1e-9);
        assert!(two.description.starts_with("a: 2 µs at 1"));
        assert_eq!(curves("CPU", "", &values, &[], label), None);
    }
}

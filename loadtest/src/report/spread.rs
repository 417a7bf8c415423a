//! What several runs of the same make of one figure: the median, and from where to where.

use serde::{Deserialize, Serialize};

/// The values of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// The least.
    pub(crate) least: f64,
    /// The one in the middle, or the mean of the two that are.
    pub(crate) median: f64,
    /// The most.
    pub(crate) most: f64,
    /// How many there were.
    pub(crate) values: usize,
}

impl Spread {
    /// Of finite values; none of no values.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { least, median, most, values: values.len() })
    }

    /// Both spread, and some of their values lie among the other's: nobody can say which is more.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.values > 1 && other.values > 1 && self.least <= other.most && other.least <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_both_ends() {
        let of = |values: &[f64]| Spread::of(values.to_vec());
        let odd = of(&[3.0, 1.0, 2.5]).unwrap();
        assert_eq!((odd.least, odd.median, odd.most, odd.values), (1.0, 2.5, 3.0, 3));
        assert!((of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median - 2.5).abs() < 1e-9);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn one_run_has_no_spread_to_lie_within() {
        let of = |values: &[f64]| Spread::of(values.to_vec()).unwrap();
        assert!(of(&[1.0, 3.0]).overlaps(&of(&[2.0, 9.0])));
        assert!(of(&[2.0, 9.0]).overlaps(&of(&[9.0, 10.0])));
        assert!(!of(&[1.0, 3.0]).overlaps(&of(&[3.1, 9.0])));
        assert!(!of(&[1.0]).overlaps(&of(&[1.0])));
    }
}

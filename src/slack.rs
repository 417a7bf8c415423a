//! What a collection keeps room for once its peak is over.

/// How many items a collection of `length` should keep room for, if it has room for far more.
/// Whoever asks after each item that leaves moves every other item at most once for it.
pub(crate) const fn kept(length: usize, capacity: usize) -> Option<usize> {
    if capacity > 4 * length + 4 { Some(2 * length) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_given_back_and_a_ripple_is_not() {
        assert_eq!(kept(0, 4), None);
        assert_eq!(kept(0, 5), Some(0));
        assert_eq!(kept(1000, 4004), None);
        assert_eq!(kept(1000, 4005), Some(2000));
    }
}

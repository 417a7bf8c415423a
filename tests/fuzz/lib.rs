//! What all fuzz targets share: each is a function that takes bytes and panics if they do harm.

use std::env::args_os;
use std::fs::read;

/// Makes a program of a function that takes bytes: the fuzzer, or one that replays files.
#[macro_export]
macro_rules! target {
    ($check:path) => {
        #[cfg(feature = "libfuzzer")]
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $check(input));

        #[cfg(not(feature = "libfuzzer"))]
        fn main() {
            $crate::replay($check);
        }
    };
}

/// Runs a target on each file that the command line names.
///
/// # Panics
/// When a file can't be read, or does harm.
pub fn replay(check: fn(&[u8])) {
    for path in args_os().skip(1) {
        let input = read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        check(&input);
    }
}

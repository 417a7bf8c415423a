//! Why the system said no, as a sentence ends; and sentences that stay one line.

use std::io;

/// An error of the system without its number: `no such file or directory`.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let first = words.chars().take(1).flat_map(char::to_lowercase);
    first.chain(words.chars().skip(1)).collect()
}

/// A sentence that may hold anything: control characters would break its line, or the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_left_out_and_the_rest_is_as_it_was() {
        let taken = io::Error::from_raw_os_error(rustix::io::Errno::ADDRINUSE.raw_os_error());
        assert_eq!(words(&taken), "address already in use");
        assert_eq!(words(&io::Error::other("It is larger than 1MiB")), "it is larger than 1MiB");
        assert_eq!(words(&io::Error::other("")), "");
    }
}

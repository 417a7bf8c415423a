//! What a misspelt word was meant to be.

/// Keys less alike than this are no slips of the keyboard.
const ALIKE_MIN: f64 = 0.8;

/// The word that is most like this one, if any is.
pub(super) fn nearest(word: &str, words: impl Iterator<Item = String>) -> Option<String> {
    let alike = words.map(|known| (strsim::jaro_winkler(&known, word), known));
    let best = alike.max_by(|one, other| one.0.total_cmp(&other.0));
    best.filter(|(likeness, _)| *likeness >= ALIKE_MIN).map(|(_, known)| known)
}

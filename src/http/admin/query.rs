//! What stands behind the `?` of an operator's request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::super::answer::{Denial, excerpt};
use crate::code::RefusalCode;
use crate::grouped::Grouped;
use crate::limits::{PAGE_ROWS, PAGE_ROWS_MAX};

/// What a value in a link is encoded of; RFC 3986 2.3 and 3.4 leave the others alone.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The parameters, decoded as topics in paths are: a `+` is itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a query that holds no others than the known parameters.
    pub(super) fn parse(query: Option<&str>, known: &[&'static str]) -> Result<Self, Denial> {
        let mut pairs = vec![];
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = known.iter().copied().find(|known| *known == name) else {
                let shown = excerpt(name);
                let known = known.join(", ");
                return Err(wrong(format!("unknown parameter '{shown}', there are {known}")));
            };
            match percent_decode_str(value).decode_utf8() {
                Ok(value) => pairs.push((name, value.into_owned())),
                Err(_) => return Err(wrong(format!("{name} is not UTF-8"))),
            }
        }
        Ok(Self(pairs))
    }

    /// A parameter's value; of several the last one counts.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev().filter(|(other, _)| *other == name);
        values.next().map(|(_, value)| value.as_str())
    }

    /// One of several words; the first one if none is said.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, Denial> {
        let Some(value) = self.value(name) else { return Ok(words[0].1) };
        let meant = words.iter().find(|(word, _)| *word == value);
        meant.map(|(_, meant)| *meant).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            wrong(format!("{name} is '{value}', not one of {}", words.join(", ")))
        })
    }

    /// How many rows a page should have.
    pub(super) fn rows(&self) -> Result<usize, Denial> {
        let Some(value) = self.value("limit") else { return Ok(PAGE_ROWS) };
        let rows = value.parse().ok().filter(|rows| (1..=PAGE_ROWS_MAX).contains(rows));
        rows.ok_or_else(|| {
            let most = Grouped(PAGE_ROWS_MAX);
            wrong(format!("limit is '{value}', not a number from 1 to {most}"))
        })
    }

    /// Where the page before ended, as [`Query::next`] said it.
    pub(super) fn after<T>(
        &self,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Denial> {
        let Some(value) = self.value("after") else { return Ok(None) };
        let wrong = || wrong(format!("after is '{value}', not what a page had in its next"));
        read(value).map(Some).ok_or_else(wrong)
    }

    /// The target of the next page, where this one ends after `after`.
    pub(super) fn next(&self, path: &str, after: &str) -> String {
        let mut next = format!("{path}?");
        let same = self.0.iter().filter(|(name, _)| *name != "after");
        for (name, value) in same.map(|(name, value)| (*name, value.as_str())) {
            next.extend([name, "="].into_iter().chain(utf8_percent_encode(value, ENCODED)));
            next.push('&');
        }
        next.extend(["after="].into_iter().chain(utf8_percent_encode(after, ENCODED)));
        next
    }
}

fn wrong(sentence: String) -> Denial {
    Denial::new(RefusalCode::Query, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["prefix", "limit", "sort", "after"];

    fn parse(query: &str) -> Query {
        Query::parse(Some(query), &KNOWN).unwrap()
    }

    fn sentence<T: std::fmt::Debug>(denied: Result<T, Denial>) -> String {
        let refusal = denied.unwrap_err().refusal;
        assert_eq!(refusal.code, RefusalCode::Query);
        refusal.message.into_owned()
    }

    #[test]
    fn what_is_wrong_is_named() {
        let unknown = Query::parse(Some("limit=1&size=2"), &KNOWN);
        let expected = "unknown parameter 'size', there are prefix, limit, sort, after";
        assert_eq!(sentence(unknown), expected);
        assert_eq!(sentence(Query::parse(Some("prefix=%ff"), &KNOWN)), "prefix is not UTF-8");
        for limit in ["", "0", "1001", "-1", "x", "99999999999999999999"] {
            let expected = format!("limit is '{limit}', not a number from 1 to 1,000");
            assert_eq!(sentence(parse(&format!("limit={limit}")).rows()), expected);
        }
        let sorts = [("name", 1), ("rate", 2)];
        let expected = "sort is \\'x\\n\\', not one of name, rate";
        assert_eq!(sentence(parse("sort=x%0a").word("sort", &sorts)), expected);
        let after = parse("after=x").after(|_| None::<()>);
        assert_eq!(sentence(after), "after is 'x', not what a page had in its next");
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let query = Query::parse(None, &KNOWN).unwrap();
        assert_eq!(query.rows(), Ok(PAGE_ROWS));
        assert_eq!(query.word("sort", &[("name", 1), ("rate", 2)]), Ok(1));
        assert_eq!(query.after(|_| Some(())), Ok(None));
        assert_eq!(parse("&limit=3&&limit=4&").rows(), Ok(4));
    }

    #[test]
    fn a_next_page_is_asked_for_in_the_same_words() {
        let query = parse("prefix=a%26b/%C3%BC+&limit=2&after=x");
        let next = query.next("/topics", "1.bus.\n&");
        assert_eq!(next, "/topics?prefix=a%26b/%C3%BC%2B&limit=2&after=1.bus.%0A%26");
        let again = parse(next.strip_prefix("/topics?").unwrap());
        assert_eq!(again.value("prefix"), Some("a&b/ü+"));
        assert_eq!(again.value("after"), Some("1.bus.\n&"));
    }
}

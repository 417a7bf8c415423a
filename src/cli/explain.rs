//! What `mercury explain` says about codes.

use std::fmt::Write as _;

use crate::cli::exit::Exit;
use crate::cli::nearest::nearest;
use crate::cli::settings;
use crate::code::{self, BARE, Entry};

/// All codes in a line each, those with this number, or all about one.
pub(super) fn explain(asked: Option<&str>) -> Result<String, Exit> {
    let Some(asked) = asked else { return Ok(list(code::all())) };
    if let Ok(number) = asked.parse::<u16>() {
        return numbered(number);
    }
    // the whole text of a Close will do
    let word = asked.split(':').next().unwrap_or(asked).trim().to_ascii_lowercase();
    if let Some(entry) = code::all().find(|entry| entry.name == word) {
        return Ok(whole(entry));
    }
    let names = code::all().map(|entry| entry.name.to_owned());
    let advice = match nearest(&word, names) {
        Some(nearest) => format!("did you mean {nearest}"),
        None => "see mercury explain".to_owned(),
    };
    Err(Exit::usage(format_args!("unknown code '{asked}', {advice}")))
}

/// Those with this status or close code.
fn numbered(number: u16) -> Result<String, Exit> {
    let mut text = list(code::all().filter(|entry| entry.number == number));
    for (_, means) in BARE.iter().filter(|(bare, _)| *bare == number) {
        text.push_str(&line("(no code)", number, means));
    }
    if text.is_empty() {
        return Err(Exit::usage(format_args!(
            "no code has the number {number}, see mercury explain"
        )));
    }
    Ok(text)
}

fn list<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    entries.map(|entry| line(entry.name, entry.number, entry.means)).collect()
}

fn line(name: &str, number: u16, means: &str) -> String {
    format!("{name:<22}  {number:<4}  {}\n", plain(means))
}

/// All that is known of a code.
fn whole(entry: &Entry) -> String {
    let Entry { name, number, means, cause, cure, flag, counter } = entry;
    let kind = if entry.is_close() { "close code" } else { "status" };
    let mut text = format!("{name}, {kind} {number}\n");
    for (title, words) in [("means", means), ("cause", cause), ("cure", cure)] {
        row(&mut text, title, &plain(words));
    }
    if let Some(name) = flag {
        let settings = settings::all().find(|setting| setting.name == *name);
        let help = settings.map_or("", |setting| setting.help);
        row(&mut text, "flag", &format!("--{name}: {help}"));
    }
    if let Some(tally) = counter {
        row(&mut text, "counter", tally.name);
    }
    text
}

fn row(text: &mut String, title: &str, words: &str) {
    writeln!(text, "  {title:<8} {words}").expect("a String takes all");
}

/// Without the marks that documents have.
fn plain(words: &str) -> String {
    words.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(asked: &str) -> String {
        let exit = explain(Some(asked)).unwrap_err();
        assert_eq!(exit.status, 2, "{asked}");
        exit.message
    }

    #[test]
    fn a_code_is_explained_with_its_cure_flag_and_counter() {
        let expected = "\
topic-too-long, status 414
  means    the topic has more bytes than --max-topic
  cause    a topic made of something that has no limit itself
  cure     a shorter name
  flag     --max-topic: Name of a topic, decoded
  counter  topic_too_long
";
        assert_eq!(explain(Some("topic-too-long")).unwrap(), expected);
        let text = "slow-consumer: more than 4,194,304 bytes behind (--max-outbound)";
        assert!(explain(Some(text)).unwrap().starts_with("slow-consumer, close code 1013\n"));
    }

    #[test]
    fn without_a_code_all_are_listed_and_with_a_number_its_own() {
        let all = explain(None).unwrap();
        assert_eq!(all.lines().count(), code::all().count());
        let closes = explain(Some("1013")).unwrap();
        assert!(closes.lines().count() > 3);
        assert!(closes.lines().all(|line| line.contains("  1013  ")), "{closes}");
        assert!(explain(Some("503")).unwrap().contains("backlog-full            503   no puller"));
        let bare = explain(Some("431")).unwrap();
        assert!(bare.starts_with("(no code)               431   the head has"), "{bare}");
    }

    #[test]
    fn what_is_no_code_is_told_the_nearest() {
        let message = wrong("topic-to-long");
        assert_eq!(message, "unknown code 'topic-to-long', did you mean topic-too-long");
        assert_eq!(wrong("going away"), "unknown code 'going away', did you mean going-away");
        assert_eq!(wrong("xyz"), "unknown code 'xyz', see mercury explain");
        assert_eq!(wrong("999"), "no code has the number 999, see mercury explain");
        assert_eq!(wrong("a\nb"), "unknown code 'a\\nb', see mercury explain");
    }

    #[test]
    fn every_flag_of_a_code_is_a_setting() {
        for Entry { name, flag, .. } in code::all() {
            let is_one = |flag: &str| settings::all().any(|setting| setting.name == flag);
            assert!(flag.is_none_or(is_one), "{name}");
        }
    }
}

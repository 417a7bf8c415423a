//! The settings of a sweep: every combination of the values of the options that are swept.

use std::slice::from_ref;

use mercury::config::cores;

use crate::cli::{SweepArgs, options};

/// Options that say how many receive, each scenario's own.
const RECEIVERS: [&str; 4] = ["subscribers", "peers", "pullers", "connections"];
/// The option that a choice is made of.
pub(super) const SHARDS: &str = "shards";

/// An option and the values that it takes in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dimension {
    /// Its name, without the dashes.
    pub(super) option: String,
    /// The values, as they are typed.
    pub(super) values: Vec<String>,
}

/// A value for each dimension.
pub(super) type Setting = Vec<String>;

/// What is swept, shards first; the error is a sentence.
pub(super) fn dimensions(args: &SweepArgs) -> Result<Vec<Dimension>, String> {
    let scenario = args.scenario.first().map_or("", String::as_str);
    let texts = |numbers: &[u32]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut shards = args.shards.clone();
    let is_all_left_out =
        args.pin.is_empty() && args.subscribers.is_empty() && args.sizes.is_empty();
    if shards.is_empty() && is_all_left_out {
        shards = powers(u32::try_from(cores::usable().get()).unwrap_or(u32::MAX));
    }
    shards.sort_unstable();
    let mut dimensions = vec![(SHARDS, texts(&shards)), ("pin", args.pin.clone())];
    if !args.subscribers.is_empty() {
        let names = options(scenario);
        let receivers = RECEIVERS.iter().find(|name| names.iter().any(|other| other == *name));
        let receivers = receivers.ok_or_else(|| {
            format!("'{scenario}' has no number of subscribers that --subscribers could vary")
        })?;
        dimensions.push((*receivers, texts(&args.subscribers)));
    }
    dimensions.push(("size", args.sizes.iter().map(ToString::to_string).collect()));
    let given = dimensions.into_iter().filter(|(_, values)| !values.is_empty());
    given
        .map(|(option, values)| match twice(&values) {
            Some(value) => Err(format!("--{option} {value} is there twice")),
            None => Ok(Dimension { option: option.to_owned(), values }),
        })
        .collect()
}

/// Every combination; the last dimension changes fastest.
pub(super) fn settings(dimensions: &[Dimension]) -> Vec<Setting> {
    dimensions.iter().fold(vec![vec![]], |settings, dimension| {
        let with_each = |setting: &Setting| {
            let longer =
                dimension.values.iter().map(|value| [&setting[..], from_ref(value)].concat());
            longer.collect::<Vec<_>>()
        };
        settings.iter().flat_map(with_each).collect()
    })
}

/// The words of a command line that a setting stands for.
pub(super) fn words(dimensions: &[Dimension], setting: &[String]) -> Vec<String> {
    let pairs = dimensions.iter().zip(setting);
    pairs
        .flat_map(|(dimension, value)| [format!("--{}", dimension.option), value.clone()])
        .collect()
}

/// 1, 2, 4 and so on, and `most`.
fn powers(most: u32) -> Vec<u32> {
    let powers = (0..u32::BITS).map(|power| 1 << power).take_while(|power| *power < most);
    powers.chain([most]).collect()
}

/// The first value that is there again.
fn twice(values: &[String]) -> Option<&String> {
    values.iter().enumerate().find(|(at, value)| values[..*at].contains(value)).map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Task};

    fn found(words: &str) -> Result<Vec<(String, String)>, String> {
        let words = ["loadtest", "sweep"].into_iter().chain(words.split_whitespace());
        let Task::Sweep(args) = Cli::try_parse_from(words).unwrap().task else { panic!("a sweep") };
        let named = |dimension: Dimension| (dimension.option, dimension.values.join(" "));
        dimensions(&args).map(|found| found.into_iter().map(named).collect())
    }

    #[test]
    fn options_that_are_swept() {
        let pair = |option: &str, values: &str| (option.to_owned(), values.to_owned());
        assert_eq!(
            found("--sizes 128,1024 --shards 4,1 --pin none,0+2-3 bus --topics 4 --size 64"),
            Ok(vec![pair("shards", "1 4"), pair("pin", "none 0,2-3"), pair("size", "128 1024")])
        );
        for (scenario, option) in [
            ("fanout", "subscribers"),
            ("bus", "peers"),
            ("pushpull", "pullers"),
            ("mixed", "subscribers"),
            ("idle", "connections"),
        ] {
            let found = found(&format!("--subscribers 10,20 {scenario}"));
            assert_eq!(found, Ok(vec![pair(option, "10 20")]), "{scenario}");
        }
        assert!(found("--subscribers 10,20 roundtrip").unwrap_err().contains("'roundtrip' has no"));
        assert_eq!(found("--shards 2,4,2 fanout").unwrap_err(), "--shards 2 is there twice");
        let shards = &found("fanout").unwrap()[0];
        assert!(shards.0 == "shards" && shards.1.starts_with('1'), "{shards:?}");
    }

    #[test]
    fn every_combination_is_there_once() {
        let dimension = |option: &str, values: &[&str]| Dimension {
            option: option.to_owned(),
            values: values.iter().map(ToString::to_string).collect(),
        };
        let dimensions = [dimension("shards", &["1", "2"]), dimension("pin", &["auto", "none"])];
        let settings = settings(&dimensions);
        assert_eq!(settings, [["1", "auto"], ["1", "none"], ["2", "auto"], ["2", "none"]]);
        assert_eq!(words(&dimensions, &settings[3]), ["--shards", "2", "--pin", "none"]);
    }

    #[test]
    fn powers_end_with_all() {
        assert_eq!(powers(1), [1]);
        assert_eq!(powers(2), [1, 2]);
        assert_eq!(powers(6), [1, 2, 4, 6]);
    }
}

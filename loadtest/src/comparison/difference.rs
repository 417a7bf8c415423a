//! What runs were told to do, and where: settings that differ make figures differ, too.

use std::collections::BTreeSet;

use crate::report::Document;

/// Options that say where a report goes, or which process is looked at, and nothing of the load.
const IRRELEVANT: [&str; 3] = ["json", "report", "pid"];

/// A sentence for each setting that is not the same in all of these named runs.
pub(super) fn differences(runs: &[(&str, &Document)]) -> Vec<String> {
    let mut found = vec![];
    let scenario = difference("scenario", runs, |run| run.scenario.clone());
    let is_one_scenario = scenario.is_none();
    found.extend(scenario);
    let names: BTreeSet<&String> = runs.iter().flat_map(|(_, run)| run.parameters.keys()).collect();
    for name in names {
        let is_everywhere = runs.iter().all(|(_, run)| run.parameters.contains_key(name));
        // scenarios have options that others lack, which says nothing
        if IRRELEVANT.contains(&name.as_str()) || !(is_one_scenario || is_everywhere) {
            continue;
        }
        found.extend(difference(&format!("--{}", name.replace('_', "-")), runs, |run| {
            let values = run.parameters.get(name).map(|values| values.join(","));
            values.unwrap_or_else(|| "none".to_owned())
        }));
    }
    found.extend(difference("machine", runs, |run| run.machine.sentence()));
    found.extend(difference("version", runs, |run| run.version.clone()));
    found
}

/// That `what` is not the same everywhere.
fn difference(
    what: &str,
    runs: &[(&str, &Document)],
    value: impl Fn(&Document) -> String,
) -> Option<String> {
    let values: Vec<String> = runs.iter().map(|(_, run)| value(run)).collect();
    if values.iter().all(|value| *value == values[0]) {
        return None;
    }
    let told = runs.iter().zip(&values).map(|((name, _), value)| format!("{value} ({name})"));
    Some(format!("differs: {what} {}", told.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::tests::document;

    #[test]
    fn says_what_is_not_the_same() {
        let mut one = document(&[1.0]);
        one.parameters.insert("window".to_owned(), vec!["1".to_owned()]);
        one.parameters.insert("json".to_owned(), vec!["one.json".to_owned()]);
        let mut other = one.clone();
        other.parameters.insert("json".to_owned(), vec!["other.json".to_owned()]);
        assert_eq!(differences(&[("a", &one), ("b", &other)]), [""; 0]);
        other.parameters.insert("window".to_owned(), vec!["16".to_owned()]);
        other.parameters.insert("rate".to_owned(), vec!["5".to_owned()]);
        assert_eq!(
            differences(&[("a", &one), ("b", &other)]),
            ["differs: --rate none (a), 5 (b)", "differs: --window 1 (a), 16 (b)"]
        );
        other.scenario = "bus".to_owned();
        other.machine.cores += 1;
        let told = differences(&[("a", &one), ("b", &other)]);
        assert_eq!(
            told[..2],
            ["differs: scenario fanout (a), bus (b)", "differs: --window 1 (a), 16 (b)"]
        );
        assert!(told[2].starts_with("differs: machine ") && told.len() == 3, "{told:?}");
    }
}

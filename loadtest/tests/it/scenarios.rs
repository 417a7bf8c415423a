//! Each scenario against a broker: what it counts, and that it finds no fault.

use crate::program::run;

/// Runs `words` without a fault, and returns the JSON document.
pub(crate) fn expect_fine(words: &str) -> String {
    let ended = run(&format!("{words} --json -"));
    assert_eq!(ended.status, Some(0), "{words}: {}", ended.errors);
    ended.output
}

/// The value of the row of this name in its group.
pub(crate) fn value(document: &str, group: &str, name: &str) -> f64 {
    let row = format!(r#"{{"group":"{group}","name":"{name}","unit":""#);
    let (_, behind) = document.split_once(&row).unwrap_or_else(|| panic!("{name}: {document}"));
    let (_, behind) = behind.split_once(r#""value":"#).unwrap();
    behind[..behind.find('}').unwrap()].parse().unwrap()
}

/// The value of that row is this number.
pub(crate) fn expect_count(document: &str, group: &str, name: &str, expected: u32) {
    let value = value(document, group, name);
    assert!((value - f64::from(expected)).abs() < 0.5, "{name} is {value}, not {expected}");
}

#[test]
fn fanout_reaches_the_ancestors() {
    // publishers at 0/0/0, 0/0/1, 0/1/0, 0/1/1; subscribers at 0, 0/0, 0/0/0, 0, 0/1, 0/0/1, 0
    let document = expect_fine("fanout --depth 2 --subscribers 7 --messages 400 --window 4");
    expect_count(&document, "load", "connections", 11);
    expect_count(&document, "load", "deliveries", 3 * 400 + 2 * 200 + 2 * 100);
    let words = "fanout --depth 3 --branching 3 --subscribers-at 0,2 --subscribers 8";
    let document =
        expect_fine(&format!("{words} --topics 2 --publishers 2 --rate 1000 --messages 300"));
    assert!(value(&document, "load", "deliveries") > 0.0);
}

#[test]
fn roundtrip_has_one_message_of_each_pair_under_way() {
    for pattern in ["bus", "pubsub", "pushpull"] {
        let words = format!("roundtrip --pattern {pattern} --pairs 2 --messages 100");
        expect_count(&expect_fine(&words), "load", "deliveries", 100);
    }
}

#[test]
fn pullers_share_the_jobs_though_they_think() {
    for think in ["constant", "exponential"] {
        let words = format!("pushpull --pullers 4 --think-time 1ms --think {think}");
        let document = expect_fine(&format!("{words} --messages 200 --window 2"));
        expect_count(&document, "load", "deliveries", 200);
        let [fewest, most] =
            ["fewest jobs", "most jobs"].map(|name| value(&document, "pullers", name));
        assert!(fewest > 0.0 && most < 200.0, "{fewest} to {most}");
        // Four at work for 200 ms altogether.
        assert!(think != "constant" || value(&document, "load", "time") >= 0.048);
    }
}

#[test]
fn who_thinks_can_be_called_off() {
    let words = "pushpull --pullers 2 --pushers 1 --think-time 1m --messages 2 --window 2";
    expect_count(&expect_fine(words), "pullers", "fewest jobs", 1);
}

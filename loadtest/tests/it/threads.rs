//! Several client threads share one load.

use crate::program::run;

#[test]
fn every_delivery_is_in_one_report() {
    let words = "--topics 5 --publishers 6 --subscribers 13 --messages 600 --threads 3 --window 4";
    let ended = run(&format!("fanout {words} --shards 2 --json -"));
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
    // 100 messages each to 3, 3, 3, 2, 2 and again 3 subscribers
    for (name, value) in [("messages", 600), ("deliveries", 1600), ("connections", 19)] {
        let row = format!(r#""name":"{name}","unit":"count","value":{value}}}"#);
        assert!(ended.output.contains(&row), "{row}: {}", ended.output);
    }
    assert!(ended.output.contains(r#""name":"client-2","percent""#), "{}", ended.output);
    for pattern in ["bus --peers 8", "pushpull --pushers 4"] {
        let ended = run(&format!("{pattern} --topics 2 --threads 2 --messages 50"));
        let expected = if pattern.starts_with("bus") { Some(2) } else { Some(0) };
        assert_eq!(ended.status, expected, "{pattern}: {}", ended.errors);
    }
    let ended = run("bus --peers 8 --senders 2 --topics 2 --threads 2 --rate 500 --seconds 0.5");
    assert_eq!(ended.status, Some(0), "{}", ended.errors);
}

#[test]
fn a_thread_without_a_topic_is_refused() {
    let ended = run("fanout --threads 2");
    assert_eq!(ended.status, Some(2));
    assert!(ended.errors.contains("2 client threads for 1 topics: "), "{}", ended.errors);
}

#[test]
fn a_thread_that_cannot_connect_ends_all() {
    let ended = run("pushpull --topics 4 --threads 2 --broker=--max-topics=3");
    assert_eq!(ended.status, Some(1));
    assert!(ended.errors.contains("with status 503"), "{}", ended.errors);
}

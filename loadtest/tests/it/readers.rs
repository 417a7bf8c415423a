//! Our own reader against that of a library: the same loads, read by each.

use serde_json::Value;

use crate::program::run;

#[test]
fn both_readers_get_every_delivery() {
    let loads = [
        ("fanout --subscribers 20 --publishers 3 --topics 3 --messages 600 --window 8", 4000),
        ("fanout --subscribers 3 --messages 60 --size 100000 --binary", 180),
        ("bus --peers 6 --senders 2 --messages 400 --window 16", 2000),
        ("pushpull --pushers 2 --pullers 3 --messages 500 --window 16", 500),
    ];
    for (load, deliveries) in loads {
        for client in ["lean", "fastwebsockets"] {
            let ended = run(&format!("{load} --client {client} --json -"));
            assert_eq!(ended.status, Some(0), "{load} by {client}: {}", ended.errors);
            let document: Value = serde_json::from_str(&ended.output).unwrap();
            let rows = document["reports"][0]["rows"].as_array().unwrap();
            let row = rows.iter().find(|row| row["name"] == "deliveries").unwrap();
            assert_eq!(row["value"].as_f64(), Some(f64::from(deliveries)), "{load} by {client}");
        }
    }
}

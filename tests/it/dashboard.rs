//! The dashboard of `docs/grafana-dashboard.json` shows what a broker counts.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::admin::{administered, ask};
use crate::server::TestServer;

const DASHBOARD: &str = include_str!("../../docs/grafana-dashboard.json");

/// Every text of this name, however deep.
fn texts<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name).and_then(Value::as_str));
            fields.values().for_each(|field| texts(field, name, found));
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, name, found)),
        _ => {}
    }
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|next: char| !next.is_ascii_alphanumeric() && next != '_');
    words.filter(|word| word.starts_with("mercury_"))
}

#[tokio::test]
async fn every_metric_of_the_dashboard_is_one_of_a_broker() {
    let server = TestServer::with(administered);
    let page = ask(server.admin_port(), "/metrics").await.body;
    let series = page.lines().filter(|line| !line.starts_with('#'));
    let series: BTreeSet<_> = series.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let (mut expressions, mut definitions) = (vec![], vec![]);
    texts(&dashboard, "expr", &mut expressions);
    texts(&dashboard, "definition", &mut definitions);
    assert!(expressions.len() > 20 && definitions.len() == 1);
    for expression in expressions.into_iter().chain(definitions) {
        assert!(names(expression).next().is_some(), "{expression}");
        for name in names(expression) {
            assert!(series.contains(name), "{name} of {expression}");
        }
    }
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["schemaVersion"].as_u64() >= Some(36), "too old to be imported");
    let mut sources = vec![];
    texts(&dashboard, "uid", &mut sources);
    assert!(sources.iter().all(|uid| ["mercury", "${datasource}"].contains(uid)), "{sources:?}");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let places = panels.iter().map(|panel| &panel["gridPos"]);
    let right = places.map(|place| place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap());
    assert!(right.max() == Some(24));
}

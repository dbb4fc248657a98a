//! The description of the API, as it is committed and served. `tests/clients/test_openapi.py` holds the answers to it.

use crate::restock::Restock;
use serde_json::Value;
use std::collections::BTreeSet;

const COMMITTED: &str = include_str!("../../docs/openapi.json");
const TEMPLATE: &str = include_str!("../../template.yaml");

#[test]
fn the_committed_description_is_what_the_code_says() {
    let stale = restock_openapi::document() != COMMITTED;

    assert!(!stale, "run: cargo openapi > target/openapi.json && mv target/openapi.json docs/openapi.json");
}

#[test]
fn the_description_has_every_route_of_the_template_and_no_other() {
    let routes = TEMPLATE.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: "));
    let routed: BTreeSet<String> =
        routes.filter(|route| *route != "$default").map(|route| route.replace("/api/{version}", "")).collect();

    let description: Value = serde_json::from_str(COMMITTED).unwrap();
    let described = description["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().filter(|key| *key != "servers");
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });

    assert_eq!(described.collect::<BTreeSet<_>>(), routed);
}

#[test]
fn the_description_is_served_without_a_key() {
    let restock = Restock::start();
    let client = restock_local::client::Client::new(&restock.stack.ready.api);

    for version in ["v2", "v3"] {
        let answer = client.get(&format!("/api/{version}/openapi.json")).unwrap();
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        assert_eq!(answer.text, COMMITTED);
    }
}

//! The description of the API, as it is committed and served. `tests/clients/test_openapi.py` holds the answers to it.

use crate::restock::Restock;
use restock_api::documents::DOCUMENTS;
use restock_api::{KeyScope, KeySet};
use serde_json::Value;
use strum::IntoEnumIterator;

const COMMITTED: &str = include_str!("../../docs/openapi.json");
const TEMPLATE: &str = include_str!("../../template.yaml");

#[test]
fn what_is_printed_from_the_contract_is_up_to_date() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    let stale = DOCUMENTS.iter().filter(|document| {
        let text = std::fs::read_to_string(format!("{root}{}", document.path)).unwrap();
        (document.print)(&text).unwrap() != text
    });
    let stale: Vec<&str> = stale.map(|document| document.path).collect();

    assert_eq!(stale, Vec::<&str>::new(), "run: cargo openapi");
}

#[test]
fn the_template_has_a_route_for_every_endpoint_and_no_other() {
    let mut routed = restock_local::template::routes(TEMPLATE).unwrap();
    for endpoint in restock_api::endpoints() {
        let (route, function) = (format!("{} {}", endpoint.method, endpoint.route()), endpoint.function);

        assert_eq!(routed.remove(&route).as_deref(), Some(function), "add to template.yaml: {route}, to {function}");
    }
    assert_eq!(routed.into_keys().collect::<Vec<_>>(), Vec::<String>::new(), "in template.yaml, but no endpoint");
}

#[test]
fn an_endpoint_that_needs_no_key_has_a_limit_of_its_own() {
    for endpoint in restock_api::endpoints().iter().filter(|endpoint| endpoint.scope.is_none()) {
        let route = format!("{} {}", endpoint.method, endpoint.route());

        let limited = TEMPLATE.contains(&format!("\"{route}\": {{ThrottlingRateLimit: "));
        assert!(limited, "add to RouteSettings in template.yaml: {route}");
    }
}

#[test]
fn every_parameter_of_a_query_is_read_by_the_function() {
    let sources_of = |folder: &str| -> String {
        let files = std::fs::read_dir(format!("{}/../{folder}/src", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let source = |file: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            text.split("#[cfg(test)]").next().unwrap().to_owned()
        };
        files.map(source).collect()
    };
    // What several functions read, they read by a helper.
    let of_all = sources_of("shared/http");
    for endpoint in restock_api::endpoints() {
        let own = sources_of(&format!("functions/{}", endpoint.function));
        for name in endpoint.query {
            let quoted = format!("\"{name}\"");
            let is_read = own.contains(&quoted) || of_all.contains(&quoted);
            assert!(is_read, "functions/{} ignores the parameter {name} of {}", endpoint.function, endpoint.path);
        }
    }
}

#[test]
fn an_operators_key_has_every_scope() {
    assert_eq!(KeyScope::of_word(KeySet::Operator.as_str()), KeyScope::iter().collect::<Vec<_>>());
}

#[test]
fn every_endpoint_is_served_by_its_function() {
    let restock = Restock::start();
    let client = restock_local::client::Client::new(&restock.stack.ready.api);

    for endpoint in restock_api::endpoints() {
        let path = endpoint.route().replace("{version}", "v3").replace(['{', '}'], "");
        let answer = client.send(endpoint.method.into(), &path, b"").unwrap();

        // Without a key, an endpoint that needs one says so; one that nobody serves says RouteNotFound.
        let says = answer.json()["errorCode"].clone();
        let expected = endpoint.scope.map_or(Value::Null, |_| "MissingApiKey".into());
        assert_eq!(says, expected, "functions/{} does not serve {} {path}", endpoint.function, endpoint.method);
    }
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

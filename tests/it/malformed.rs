//! No request, however malformed, gets a 5xx or stops a function.

use crate::restock::Restock;
use restock_local::client::Client;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;

const ENDPOINTS: [(&str, &str); 11] = [
    ("POST", "/inventory/backinstock/subscriptions"),
    ("DELETE", "/inventory/backinstock/subscriptions/x"),
    ("GET", "/contacts/x/backinstock/subscriptions"),
    ("PUT", "/inventory/stock-levels"),
    ("PUT", "/inventory/stock-levels/batch"),
    ("POST", "/contacts"),
    ("GET", "/contacts/x"),
    ("GET", "/contacts/id"),
    ("PUT", "/feeds/sv-SE"),
    ("POST", "/feeds/sv-SE/imports"),
    ("GET", "/inventory/backinstock/log"),
];

fn bodies() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "{",
        "[",
        "null",
        "true",
        "0",
        "\"x\"",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        "{\"\":\"\"}",
        "nul\u{0}l",
        "\u{feff}{}",
        r#"{"sku":null,"quantity":null,"locale":null,"contactId":null,"email":null}"#,
        r#"{"sku":[],"quantity":{},"locale":7,"contactId":true,"email":[],"url":{}}"#,
        r#"{"sku":"a","quantity":1e999,"locale":"xx","contactId":"x","email":"x","url":"x"}"#,
        r#"{"sku":"\ud800","quantity":99999999999999999999}"#,
        r#"{"sku":"a","sku":"b","SKU":"c","quantity":1}"#,
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.push(vec![0xff, 0xfe, 0x00, 0xd8, b'{', b'}']);
    bodies.push(b"{\"sku\":\"\xc3\x28\",\"quantity\":1}".to_vec());
    bodies.push("[".repeat(100_000).into_bytes());
    bodies.push(format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)).into_bytes());
    bodies.push(vec![b'x'; 6 * 1024 * 1024]);
    bodies.push(vec![0xff; 5 * 1024 * 1024]);
    bodies
}

#[test]
fn no_body_makes_an_endpoint_fail() {
    let restock = Restock::start();

    for body in bodies() {
        for (method, path) in ENDPOINTS {
            for content_type in ["application/json", "text/plain", "application/xml", "text/csv", "nonsense"] {
                // A large body says the same whatever it is called.
                if body.len() > 1_000_000 && content_type != "application/json" {
                    continue;
                }
                let answer = restock.api.header("content-type", content_type).send(method, path, &body).unwrap();
                let start = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
                assert!(
                    answer.status < 500,
                    "{method} {path} with {content_type} {start}: {} {}",
                    answer.status,
                    answer.text
                );
                assert!(answer.json().is_object() || answer.json().is_array(), "{method} {path}: {}", answer.text);
            }
        }
    }
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["a"], "everything works afterwards");
}

#[test]
fn no_path_query_or_header_makes_the_api_fail() {
    let restock = Restock::start();
    let root = Client::new(&restock.stack.ready.api).header("apikey", &restock.stack.ready.api_key);
    let paths = [
        "/",
        "//",
        "/api",
        "/api/v3",
        "/api/v3/",
        "/api/v3/contacts/",
        "/api/v3/contacts/%00",
        "/api/v3/contacts/%ff%fe",
        "/api/v3/contacts/..%2f..%2fetc",
        "/api/v3/contacts/id?email=%ff",
        "/api/v3/contacts/id?email=a&email=b",
        "/api/v3/contacts/id?&&=",
        "/api/v3/feeds/%F0%9F%98%80",
        "/api/v3/inventory/backinstock/log?sku=%00&cursor=%ff",
        "/unsubscribe/",
        "/unsubscribe/x?lang=%ff",
        "/unsubscribe/%00",
        "/api/v3/inventory/backinstock/subscriptions/%2e%2e",
    ];
    let long = format!("/api/v3/contacts/{}", "x".repeat(8_000));

    for path in paths.into_iter().chain([long.as_str()]) {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "NONSENSE"] {
            let answer = root.send(method, path, b"").unwrap();
            assert!((400..500).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text);
        }
    }
    for (header, value) in [("host", "["), ("x-forwarded-proto", ":"), ("x-forwarded-port", "x")] {
        let answer = root.header(header, value).get("/api/v3/feeds").unwrap();
        assert_eq!(answer.status, 200, "{header}: {value}: {}", answer.text);
    }
    let long = "MjAyNi0xMS0yM1QwMDowMDowMFoj".to_owned() + &"eHh4".repeat(400);
    assert_eq!(root.get(&format!("/api/v3/inventory/backinstock/log?cursor={long}")).unwrap().status, 422);
    let huge =
        root.json("POST", "/api/v3/contacts", &json!({"email": "a@b.se", "attributes": {"x": 1e300, "": 1}})).unwrap();
    assert_eq!(huge.status, 422, "{}", huge.text);
    for key in ["", " ", "é", &"k".repeat(6_000)] {
        let answer = Client::new(&restock.stack.ready.api).header("apikey", key).get("/api/v3/feeds").unwrap();
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
}

#[test]
fn what_is_not_http_is_refused_by_the_gateway() {
    let restock = Restock::start();
    let address = restock.stack.ready.api.trim_start_matches("http://");

    for request in [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PUT /api/v3/feeds/sv-SE HTTP/1.1\r\nhost: x\r\ncontent-length: nonsense\r\n\r\n",
    ] {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        // The connection may be reset instead of answered.
        let _ = connection.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 5"), "{request:?}");
    }
    assert_eq!(restock.get("/feeds").status, 200);
}

/// Stores a document past the API.
fn store_document(restock: &Restock, kind: &str, id: &str, document: &Value) {
    let document = document.to_string();
    let item = json!({"kind": {"S": kind}, "id": {"S": id}, "version": {"N": "3"}, "document": {"S": document}});
    restock.dynamodb("PutItem", json!({"TableName": restock.stack.ready.tables["configuration"], "Item": item}));
}

#[test]
fn a_document_that_can_not_be_read_can_be_replaced_and_deleted() {
    let restock = Restock::start();
    let documents = [
        ("automation", "a", "/automations/a", json!({"name": "A"})),
        ("template", "t", "/templates/t", json!({"html": "<a href=\"{{ unsubscribe_url }}\">{{ title }}</a>"})),
        ("wave-policy", "shop", "/waves", json!({"perUnit": 1})),
    ];
    for (kind, id, path, body) in documents {
        store_document(&restock, kind, id, &json!(null));
        let replaced = restock.put(path, &body);
        assert_eq!((replaced.status, &replaced.json()["version"]), (200, &json!(4)), "{kind}: {}", replaced.text);
        store_document(&restock, kind, id, &json!(null));
        assert_eq!(restock.delete(path).status, 200, "{kind}");
        assert_eq!(restock.get(path).status, 404, "{kind}");
    }
}

#[test]
fn an_automation_that_callers_may_not_write_any_more_goes_on_deciding() {
    let restock = Restock::start();
    let deep = "product.a.b.c.d.e.f.g";
    let automation = json!({
        "name": "Deep", "enabled": true, "priority": 1, "requiresConsent": true,
        "conditions": [{"not": {"field": deep, "operator": "equals", "value": "x"}}],
        "email": {"template": "back-in-stock"}, "updatedOn": "2026-11-01T00:00:00Z",
    });
    store_document(&restock, "automation", "deep", &automation);

    let shown = restock.get("/automations/deep");

    assert_eq!(shown.status, 200, "{}", shown.text);
    assert_eq!(shown.json()["conditions"][0]["not"]["field"], deep);
}

#[test]
fn a_policy_for_waves_that_callers_may_not_write_any_more_can_be_read() {
    let restock = Restock::start();
    let quiet = json!({"from": "22:00", "to": "22:00", "zone": "Europe/Stockholm"});
    let policy = json!({
        "perUnit": "80", "intervalSeconds": 3600, "minimum": 1, "holdDownSeconds": 0, "trigger": "level",
        "quietHours": quiet, "updatedOn": "2026-11-01T00:00:00Z",
    });
    store_document(&restock, "wave-policy", "shop", &policy);

    let shown = restock.get("/waves");

    assert_eq!(shown.status, 200, "{}", shown.text);
    assert_eq!((&shown.json()["perUnit"], &shown.json()["quietHours"]), (&json!(80), &quiet));
}

//! Files of stock levels that are fetched from a URL.

use crate::api::assert_problem;
use crate::restock::{Restock, eventually};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

const IMPORTS: &str = "/inventory/stock-levels/imports";

impl Restock {
    /// Starts the import of a file, and returns how it ended.
    fn stock_file(&self, url: &str) -> Value {
        let started = self.post(IMPORTS, &json!({"url": url}));
        assert_eq!(started.status, 202, "{}", started.text);
        self.stock_import(started.json()["importId"].as_str().unwrap())
    }

    /// Waits until an import has ended, and returns it.
    fn stock_import(&self, id: &str) -> Value {
        eventually(|| {
            let import = self.get(&format!("{IMPORTS}/{id}")).json();
            (import["status"] != "running").then_some(import)
        })
    }
}

impl Restock {
    /// Waits until an import has succeeded, which is shown as failed while it is tried for the last time.
    fn stock_import_succeeded(&self, id: &str) -> Value {
        eventually(|| {
            let import = self.get(&format!("{IMPORTS}/{id}")).json();
            (import["status"] == "succeeded").then_some(import)
        })
    }
}

/// Answers each request with the next of these bodies, and with the last one from then on. Returns the URL.
fn serve(bodies: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stock", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut bodies = bodies.into_iter().peekable();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 8192]).unwrap();
            let body = if bodies.len() > 1 { bodies.next().unwrap() } else { bodies.peek().unwrap().clone() };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            connection.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    url
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_levels_of_a_file_that_is_fetched_mail_who_waits_and_its_bad_lines_are_told() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    for (name, sku) in [("a", "A"), ("b", "B")] {
        restock.subscribe(&restock.contact(name), sku, "sv-SE", None);
    }
    // Three parts, of which the first and the last have somebody.
    let rows: String = (0..25_000).map(|n| format!("no-{n};0\n")).collect();

    let import = restock.stock_file(&serve(vec![packed(&format!("SKU;Quantity\nA;5\nA;x\n;7\n{rows}B;2\nA;9\n"))]));

    let counts = ["status", "lines", "accepted", "rejected"].map(|name| import[name].clone());
    assert_eq!(counts, [json!("succeeded"), json!(25_005), json!(25_002), json!(3)], "{import}");
    let errors: Vec<_> =
        import["errors"].as_array().unwrap().iter().map(|error| [&error["line"], &error["errorCode"]]).collect();
    assert_eq!(json!(errors), json!([[3, "WrongType"], [4, "Required"], [25_006, "Duplicate"]]));
    restock.settle();
    assert_eq!(restock.mailed(), ["a", "b"]);
}

#[test]
fn a_file_that_can_not_be_taken_says_why_and_changes_nothing() {
    let restock = Restock::start();
    let broken_off = packed(&"A,10\n".repeat(1_000));
    for (file, code) in [
        (b"sku,quantity\nA,x\n".to_vec(), "NoValidStockLevel"),
        (b"id,stock\nA,1\n".to_vec(), "Required"),
        (b"<html>Please log in</html>".to_vec(), "Required"),
        (b"".to_vec(), "NoValidStockLevel"),
        (broken_off[..broken_off.len() - 10].to_vec(), "UnexpectedEnd"),
        ("\n{}".repeat(1_000_002).into_bytes(), "PayloadTooLarge"),
    ] {
        let import = restock.stock_file(&serve(vec![file]));

        assert_eq!((&import["status"], &import["accepted"]), (&json!("failed"), &json!(0)), "{code}: {import}");
        assert_eq!((&import["errors"][0]["line"], &import["errors"][0]["errorCode"]), (&json!(0), &json!(code)));
    }
    let import = restock.stock_file("http://127.0.0.1:1/stock.csv");
    assert_eq!(import["errors"][0]["errorCode"], "FetchFailed", "{import}");
    assert_problem(&restock.get(&format!("{IMPORTS}/unknown")), 404, "ImportNotFound");
    assert_problem(&restock.post(IMPORTS, &json!({"url": "ftp://shop.example/stock"})), 422, "ValidationFailed");
    assert_problem(&restock.post(IMPORTS, &json!({})), 422, "ValidationFailed");
}

#[test]
fn the_same_call_again_starts_no_second_import() {
    let restock = Restock::start();
    let url = serve(vec![b"{\"sku\":\"A\",\"quantity\":1}\n".to_vec()]);
    let client = restock.api.header("idempotency-key", "file-1");
    let start = |url: &str| client.json("POST", IMPORTS, &json!({"url": url})).unwrap();

    let first = start(&url);
    let again = start(&url);

    assert_eq!((first.status, first.json()), (202, again.json()));
    let import = restock.stock_import(first.json()["importId"].as_str().unwrap());
    assert_eq!((&import["status"], &import["accepted"]), (&json!("succeeded"), &json!(1)));
    assert_problem(&start("http://127.0.0.1:1/other"), 422, "IdempotencyKeyReused");
}

#[test]
fn an_import_whose_function_is_killed_goes_on_where_it_stopped() {
    let restock = Restock::start();
    let rows: String = (0..100_000).map(|n| format!("no-{n},0\n")).collect();
    let file = |rows: &str| format!("sku,quantity\n{rows}A,x\n").into_bytes();
    // What was sent already is not read again.
    let url = serve(vec![file(&rows), file(&rows.replacen(",0", ",x", 10_000))]);

    let started = restock.post(IMPORTS, &json!({"url": url}));
    let id = started.json()["importId"].as_str().unwrap().to_owned();
    eventually(|| {
        let import = restock.get(&format!("{IMPORTS}/{id}")).json();
        (import["lines"].as_u64() >= Some(10_000)).then_some(())
    });
    restock.stack.kill("import-feed");

    let import = restock.stock_import_succeeded(&id);
    let counts = ["lines", "accepted", "rejected"].map(|name| import[name].clone());
    assert_eq!(counts, [json!(100_001), json!(100_000), json!(1)], "{import}");
}

#[test]
fn an_import_that_was_given_up_goes_on_by_a_redrive() {
    let restock = Restock::start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/stock.csv", server.local_addr().unwrap());
    let started = restock.post(IMPORTS, &json!({"url": url}));
    let id = started.json()["importId"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        let _waiting = server.accept().unwrap();
        restock.stack.kill("import-feed");
    }
    assert_eq!(restock.stock_import(&id)["errors"][0]["errorCode"], "InternalError");
    eventually(|| (restock.on_queue("feed-imports-dead-letters") == 1).then_some(()));

    std::thread::spawn(move || {
        let (mut connection, _) = server.accept().unwrap();
        let _ = connection.read(&mut [0; 8192]).unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\nsku,quantity\nA,1\r\n\n").unwrap();
    });
    restock.redrive("feed-imports-dead-letters");

    let import = restock.stock_import_succeeded(&id);
    assert_eq!((&import["accepted"], &import["errors"]), (&json!(1), &json!([])));
}

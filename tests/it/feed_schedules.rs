//! Feeds that are fetched by themselves, only if their file has changed, and what is told of those that fail.

use crate::api::{errors, field_errors};
use crate::restock::{Restock, eventually};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A web server with one file, which knows conditional requests.
struct FeedServer {
    url: String,
    /// The file and its version; nothing for a server that fails.
    file: Arc<Mutex<Option<(String, String)>>>,
    /// The requests so far, in lower case.
    requests: Arc<Mutex<Vec<String>>>,
}

impl FeedServer {
    /// Starts one that names versions by `ETag`.
    fn start() -> Self {
        Self::start_with("etag", "if-none-match")
    }

    /// Starts one that names versions by a header, as a caller has them by another, and compresses the file for whoever
    /// takes that.
    fn start_with(version: &'static str, known_by: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/feed.csv", listener.local_addr().unwrap());
        let server = Self { url, file: Arc::default(), requests: Arc::default() };
        let (file, requests) = (server.file.clone(), server.requests.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut request = [0; 8192];
                let length = connection.read(&mut request).unwrap();
                let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
                let (status, head, body) = match &*file.lock().unwrap() {
                    None => ("503 Unavailable", String::new(), Vec::new()),
                    Some((rows, tag)) => {
                        let known = request.contains(&format!("{known_by}: {}", tag.to_lowercase()));
                        let head = format!("{version}: {tag}\r\ncontent-type: text/csv\r\n");
                        let takes_gzip =
                            request.lines().any(|line| line.starts_with("accept-encoding") && line.contains("gzip"));
                        match (known, takes_gzip) {
                            (true, _) => ("304 Not Modified", head, Vec::new()),
                            (false, true) => ("200 OK", head + "content-encoding: gzip\r\n", gzipped(rows)),
                            (false, false) => ("200 OK", head, rows.clone().into_bytes()),
                        }
                    }
                };
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\n{head}content-length: {length}\r\nconnection: close\r\n\r\n");
                requests.lock().unwrap().push(request);
                connection.write_all(&[head.as_bytes(), &body].concat()).unwrap();
            }
        });
        server
    }

    /// Serves rows of id, title and price from now on.
    fn serve(&self, tag: &str, rows: &[&str]) {
        let rows: String = rows.iter().map(|row| format!("{row},https://shop.example/a\n")).collect();
        *self.file.lock().unwrap() = Some((format!("id,title,price,link\n{rows}"), format!("\"{tag}\"")));
    }

    fn fail(&self) {
        *self.file.lock().unwrap() = None;
    }

    fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Restock {
    /// Sends what EventBridge Scheduler sends every 15 minutes.
    fn quarter_of_an_hour(&self) {
        let (queue, at) = (self.queue("feed-imports"), jiff::Timestamp::now());
        let body = json!({"v": 1, "type": "import-due-feeds", "at": at});
        let order = ("schedule", at.to_string());
        let request = json!({
            "QueueUrl": queue, "MessageBody": body.to_string(), "MessageGroupId": order.0, "MessageDeduplicationId": order.1,
        });
        self.sqs("SendMessage", request);
        self.settle();
    }

    /// Lets a feed look as if its last import had begun so many hours ago.
    fn age_feed(&self, locale: &str, hours: i64) {
        let began = restock_domain::time::sortable(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours));
        let table = &self.stack.ready.tables["configuration"];
        let request = json!({
            "TableName": table,
            "Key": {"kind": {"S": "feed"}, "id": {"S": locale.to_lowercase()}},
            "UpdateExpression": "SET lastImport.startedAt = :began, lastImportStartedAt = :began",
            "ExpressionAttributeValues": {":began": {"S": began}},
        });
        self.dynamodb("UpdateItem", request);
    }

    fn shown_feed(&self, locale: &str) -> Value {
        self.get(&format!("/feeds/{locale}")).json()
    }

    /// Returns the numbers of the last import: items, imported, unchanged and rejected.
    fn last_import(&self, locale: &str) -> [u64; 4] {
        let import = self.shown_feed(locale)["lastImport"].clone();
        assert_eq!(import["status"], "succeeded", "{import}");
        ["items", "imported", "unchanged", "rejected"].map(|name| import[name].as_u64().unwrap())
    }
}

#[test]
fn a_feed_with_a_url_is_fetched_hourly_unless_told_otherwise() {
    let restock = Restock::start();
    let url = "https://shop.example/feed.xml";
    let schedule = |body: Value| restock.put("/feeds/sv-SE", &body).json()["schedule"].clone();

    assert_eq!(schedule(json!({ "url": url })), "PT1H");
    assert_eq!(schedule(json!({"url": url, "schedule": "15 minutes"})), "PT15M");
    assert_eq!(schedule(json!({"url": url, "schedule": "P1D"})), "PT24H");
    assert_eq!(schedule(json!({"url": url, "schedule": "none"})), "none");
    assert_eq!(schedule(json!({})), "none");
    for body in [
        json!({"url": url, "schedule": "5 minutes"}),
        json!({"url": url, "schedule": "hourly"}),
        json!({"schedule": "PT1H"}),
    ] {
        let refused = restock.put("/feeds/sv-SE", &body);
        assert_eq!(field_errors(&refused), errors(&[("/schedule", "InvalidSchedule")]), "{body}");
    }
}

#[test]
fn a_feed_that_is_due_is_fetched_and_one_that_is_not_is_left_alone() {
    let restock = Restock::start();
    let server = FeedServer::start();
    server.serve("1", &["A,Mug,10.00 EUR"]);
    restock.put("/feeds/sv-SE", &json!({"url": server.url}));

    restock.quarter_of_an_hour();
    assert_eq!(restock.last_import("sv-SE"), [1, 1, 0, 0], "it never was before");
    server.serve("2", &["A,Mug,9.00 EUR"]);
    restock.quarter_of_an_hour();
    assert_eq!(restock.last_import("sv-SE"), [1, 1, 0, 0], "an hour is not over");
    restock.age_feed("sv-SE", 1);
    restock.quarter_of_an_hour();

    assert_eq!(server.requests.lock().unwrap().len(), 2);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    let text = restock.mails()[0]["text"].as_str().unwrap().replace('\u{a0}', " ");
    assert!(text.contains("9,00 €"), "{text}");
}

#[test]
fn a_file_that_has_not_changed_is_not_read_again_and_its_report_stays() {
    let restock = Restock::start();
    let server = FeedServer::start();
    server.serve("1", &["A,Mug,10.00 EUR", "B,,5.00 EUR", "C,Cup,5.00 EUR"]);
    restock.put("/feeds/sv-SE", &json!({"url": server.url}));
    restock.quarter_of_an_hour();
    let first = restock.shown_feed("sv-SE")["lastImport"].clone();
    let again = || {
        restock.age_feed("sv-SE", 1);
        restock.quarter_of_an_hour();
        server.last_request().contains("if-none-match")
    };

    assert!(again());
    let second = restock.shown_feed("sv-SE")["lastImport"].clone();
    assert_ne!(second["id"], first["id"]);
    assert_eq!((restock.last_import("sv-SE"), &second["errors"]), ([3, 0, 2, 1], &first["errors"]));

    // Prices are read anew with another currency, and after an upload the products are no longer the file's.
    restock.put("/feeds/sv-SE", &json!({"url": server.url, "currency": "SEK"}));
    assert!(!again());
    assert!(again(), "the file is known again");
    restock.import("sv-SE", "text/csv", b"id,title,price,link\nA,Mug,1.00 EUR,https://shop.example/a\n");
    assert!(!again());
    assert_eq!(restock.last_import("sv-SE"), [3, 2, 0, 1]);
    // Who asks for an import gets one.
    let started = restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();
    restock.imported("sv-SE", &started);
    assert!(!server.last_request().contains("if-none-match"));
}

#[test]
fn a_file_that_is_compressed_on_its_way_and_has_only_a_date_is_read_once() {
    let restock = Restock::start();
    let server = FeedServer::start_with("last-modified", "if-modified-since");
    server.serve("", &["A,Mug,10.00 EUR"]);
    server.file.lock().unwrap().as_mut().unwrap().1 = "Sat, 28 Nov 2026 08:00:00 GMT".into();
    restock.put("/feeds/sv-SE", &json!({"url": server.url}));

    restock.quarter_of_an_hour();
    assert!(server.last_request().contains("accept-encoding: gzip"), "{}", server.last_request());
    assert_eq!(restock.last_import("sv-SE"), [1, 1, 0, 0]);
    restock.age_feed("sv-SE", 1);
    restock.quarter_of_an_hour();
    assert!(
        server.last_request().contains("if-modified-since: sat, 28 nov 2026 08:00:00 gmt"),
        "{}",
        server.last_request()
    );
    assert_eq!(restock.last_import("sv-SE"), [1, 0, 1, 0]);
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_feed_that_fails_three_times_has_a_warning_until_it_succeeds() {
    let restock = Restock::start();
    let server = FeedServer::start();
    restock.put("/feeds/sv-SE", &json!({"url": server.url}));
    let fail = |times: u64| {
        server.fail();
        restock.age_feed("sv-SE", 1);
        restock.quarter_of_an_hour();
        let feed = restock.shown_feed("sv-SE");
        assert_eq!((&feed["failures"], &feed["lastImport"]["status"]), (&json!(times), &json!("failed")), "{feed}");
        feed["warning"].clone()
    };

    // There is no import yet that could look older.
    restock.quarter_of_an_hour();
    assert_eq!((fail(2), fail(3)), (Value::Null, json!("failing")));
    assert_eq!(restock.said("A feed needs attention"), 0);
    restock.quarter_of_an_hour();
    // What functions print comes by a pipe.
    eventually(|| (restock.said("A feed needs attention") == 1).then_some(()));

    server.serve("1", &["A,Mug,10.00 EUR"]);
    restock.age_feed("sv-SE", 1);
    restock.quarter_of_an_hour();
    let feed = restock.shown_feed("sv-SE");
    assert_eq!((&feed["failures"], &feed["warning"]), (&json!(0), &Value::Null));
    assert!(feed["lastSucceededOn"].is_string());
}

#[test]
fn a_scheduled_file_that_says_the_same_as_before_costs_no_look_at_products() {
    let restock = Restock::start();
    // It names no versions that an import knows.
    let server = FeedServer::start_with("x-version", "x-known");
    restock.put("/feeds/sv-SE", &json!({"url": server.url}));
    let queries_of_import = |rows: &[&str]| {
        let queries = || {
            let usage = restock.stack.observer().unwrap().usage();
            usage.get(&("import-feed".to_owned(), "Query".to_owned())).map_or(0, |used| used.requests)
        };
        server.serve("1", rows);
        if restock.shown_feed("sv-SE")["lastImport"].is_object() {
            restock.age_feed("sv-SE", 2);
        }
        let before = queries();
        restock.quarter_of_an_hour();
        queries() - before
    };
    let (mug, cup, dear) = ("A,Mug,10.00 EUR", "B,Cup,5.00 EUR", "B,Cup,6.00 EUR");

    let first = queries_of_import(&[mug, cup]);
    let same = queries_of_import(&[cup, mug]);
    assert_eq!(restock.last_import("sv-SE"), [2, 0, 2, 0]);
    let changed = queries_of_import(&[mug, dear]);
    assert_eq!(restock.last_import("sv-SE"), [2, 1, 1, 0]);

    assert!(same < first && first == changed, "the look at products: {first}, {same}, {changed}");
}

//! Importing product feeds, real ones and broken ones.

use crate::restock::{Restock, eventually, item, rss};
use restock_local::faults::Spec;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// Returns the numbers of an import.
fn counts(import: &Value) -> [u64; 5] {
    ["items", "imported", "unchanged", "removed", "rejected"].map(|name| import[name].as_u64().unwrap())
}

fn codes(import: &Value) -> Vec<(u64, &str)> {
    let errors = import["errors"].as_array().unwrap();
    errors.iter().map(|error| (error["position"].as_u64().unwrap(), error["errorCode"].as_str().unwrap())).collect()
}

#[test]
fn real_feeds_import_completely() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/feeds");
    if !folder.exists() {
        println!("The real feeds may not be published, so they are not everywhere; nothing was tested.");
        return;
    }
    let restock = Restock::start();
    let feeds = [
        ("sv-avernas.xml", "application/xml", "sv-SE", 36),
        ("pl-skoda.xml", "application/xml", "pl-PL", 2),
        ("ro-marsupiu.xml", "application/xml", "ro-RO", 14),
        ("fr-pallmann.xml", "application/xml", "fr-FR", 305),
        ("en-lakeerie.tsv", "text/tab-separated-values", "en-US", 160),
        ("en-jollyes.csv", "text/csv", "en-GB", 3),
        ("ar-m5zoon.xml", "application/xml", "ar-AE", 263),
        ("es-leder.xml", "application/xml", "es-AR", 426),
        ("pl-dagra.csv", "text/csv", "csb-PL", 10),
        ("sv-prisjakt.xml", "application/xml", "sv-FI", 1),
        ("fr-mariannedenis.xml", "application/xml", "fr-BE", 289),
        ("en-campers4sale.tsv", "text/tab-separated-values", "en-IE", 807),
    ];

    for (file, content_type, locale, items) in feeds {
        let file = std::fs::read(folder.join(file)).unwrap();
        let import = restock.import(locale, content_type, &file);
        assert_eq!(
            (import["status"].as_str(), counts(&import)),
            (Some("succeeded"), [items, items, 0, 0, 0]),
            "{import}"
        );
        let again = restock.import(locale, content_type, &file);
        assert_eq!(counts(&again), [items, 0, items, 0, 0]);
    }

    let ceneo = std::fs::read(folder.join("pl-kompre-ceneo.xml")).unwrap();
    let refused = restock.import("de-PL", "application/xml", &ceneo);
    assert_eq!(refused["status"], "failed", "a format of its own: {refused}");

    // The facts that a careless reader gets wrong (INDEX.md): a nested price, quotes in a table, and the first item.
    let expected = [
        (
            "fr-FR",
            "7f8b2c81-25aa-4424-a9a5-7783225be410",
            "Disque Ø150 - Grain 80 Carbure Silicium (Réf: 041060)",
            "1,27\u{a0}€",
        ),
        (
            "en-US",
            "98650bd8-5981-4055-8e14-5e144a04a23a",
            "\"Lake Erie Loot Crew\" Women's Spaghetti Strap Pirate Fest Tank Top",
            "$28.00",
        ),
        ("sv-SE", "f80818e8-800a-448e-b7e4-ea13c9d8198b", "LOVE", "750,00\u{a0}kr"),
        ("pl-PL", "64287", "ŠKODA FABIA COMBI CLASSIC", "793,07\u{a0}zł"),
        (
            "ro-RO",
            "1",
            "Marsupiu bebe ergonomic cu scaunel - fara dureri de spate, 6 pozitii, Cute4Babies , 0-36 luni, 100% Bumbac,",
            "159,00\u{a0}lei",
        ),
    ];
    let contact = restock.contact("a");
    for (locale, sku, _, _) in expected {
        restock.subscribe(&contact, sku, locale, None);
        restock.level(json!({"sku": sku, "quantity": 1}));
    }
    for (mail, (locale, _, title, price)) in restock.mails().iter().zip(expected) {
        assert!(mail["subject"].as_str().unwrap().ends_with(title), "{locale}: {}", mail["subject"]);
        assert!(mail["text"].as_str().unwrap().contains(price), "{locale}: {}", mail["text"]);
    }
}

#[test]
fn an_import_writes_what_changed_and_removes_what_is_gone() {
    let restock = Restock::start();
    let feed = |items: &[(&str, &str)]| {
        let items: String =
            items.iter().map(|(sku, price)| item(sku, &format!("<g:price>{price} SEK</g:price>"))).collect();
        counts(&restock.import("sv-SE", "application/xml", rss(&items).as_bytes()))
    };

    assert_eq!(feed(&[("A", "1.00"), ("B", "2.00"), ("C", "3.00")]), [3, 3, 0, 0, 0]);
    assert_eq!(feed(&[("A", "1.00"), ("B", "9.00"), ("D", "4.00")]), [3, 2, 1, 1, 0]);

    let contact = restock.contact("a");
    for sku in ["B", "C"] {
        restock.subscribe(&contact, sku, "sv-SE", None);
        restock.level(json!({"sku": sku, "quantity": 1}));
    }
    assert!(restock.mails()[0]["text"].as_str().unwrap().contains("9,00"));
    assert_eq!(restock.log_entry("C")["skipped"], json!({"noProductData": 1}));
}

#[test]
fn broken_items_are_reported_and_the_rest_is_imported() {
    let restock = Restock::start();
    let items = [
        item("A", ""),
        "<item><title>no id</title><link>https://a.example</link></item>".to_owned(),
        item("B", "<g:price>1 299,00 kr</g:price>"),
        item("A", "<g:brand>the later one counts</g:brand>"),
        item("C", "<g:title>wrong</title>"),
    ];

    let import = restock.import("sv-SE", "application/xml", rss(&items.concat()).as_bytes());

    // B is imported without its price.
    assert_eq!(import["incomplete"], 1);
    assert_eq!((import["status"].as_str(), counts(&import)), (Some("succeeded"), [5, 2, 0, 0, 3]));
    assert_eq!(codes(&import), [(1, "DuplicateId"), (2, "MissingId"), (3, "InvalidPrice"), (5, "MismatchedTags")]);
    assert_eq!(import["errors"][2]["sku"], "B");
}

#[test]
fn a_mail_never_shows_what_the_feed_no_longer_says() {
    let restock = Restock::start();
    let feed = |fields: [&str; 6]| {
        let items: String = fields
            .iter()
            .enumerate()
            .map(|(n, fields)| format!("<item><g:id>S{n}</g:id><link>https://shop.example/{n}</link>{fields}</item>"))
            .collect();
        restock.import("sv-SE", "application/xml", rss(&items).as_bytes())
    };
    let old = "<title>Old</title><g:price>199.00 SEK</g:price><g:sale_price>99.00 SEK</g:sale_price>";
    feed([old; 6]);
    let import = feed([
        "<title>New</title><g:price>12,00 kr</g:price>",
        "<title>New</title><g:price>150.00 SEK</g:price><g:sale_price>N/A</g:sale_price>",
        "<title>New</title><g:price>0.00 SEK</g:price>",
        "<title>New</title><g:price>1.299,00 EUR</g:price>",
        "<title>New</title><g:price>150.00 SEK</g:price><g:sale_price>99.00 SEK</g:sale_price><g:sale_price_effective_date>2020-01-01T00:00:00/2020-01-31T23:59:59</g:sale_price_effective_date>",
        "<title> </title><g:price>150.00 SEK</g:price>",
    ]);

    assert_eq!(counts(&import), [6, 5, 0, 1, 1]);
    assert_eq!(codes(&import), [(1, "InvalidPrice"), (2, "InvalidPrice"), (3, "InvalidPrice"), (6, "MissingTitle")]);
    let contact = restock.contact("a");
    let shown: Vec<Option<String>> = (0..6)
        .map(|n| {
            restock.subscribe(&contact, &format!("S{n}"), "sv-SE", None);
            let before = restock.mails().len();
            restock.level(json!({"sku": format!("S{n}"), "quantity": 1}));
            let mails = restock.mails();
            let text = mails.iter().skip(before).map(|mail| mail["text"].as_str().unwrap().to_owned()).next()?;
            assert!(
                text.contains("New") && !text.contains("Old") && !text.contains("199") && !text.contains("99,00 kr\n")
            );
            Some(
                text.lines()
                    .find(|line| line.contains(':') && line.contains(",00"))
                    .unwrap_or_default()
                    .replace('\u{a0}', " "),
            )
        })
        .collect();
    let price = |text: &str| Some(text.to_owned());
    assert_eq!(
        shown,
        [price(""), price("Pris: 150,00 kr"), price(""), price("Pris: 1 299,00 €"), price("Pris: 150,00 kr"), None]
    );
}

#[test]
fn a_feed_whose_only_item_can_not_be_used_any_more_removes_it() {
    let restock = Restock::start();
    let feed = |title: &str, link: &str| {
        let item = format!(
            "<item><g:id>S1</g:id><title>{title}</title><link>{link}</link><g:price>10.00 EUR</g:price></item>"
        );
        restock.import("sv-SE", "application/xml", rss(&item).as_bytes())
    };
    for (title, link, code) in [(" ", "https://shop.example/1", "MissingTitle"), ("Socks", "/x", "InvalidLink")] {
        feed("Wool socks", "https://shop.example/1");

        let import = feed(title, link);

        assert_eq!((import["status"].as_str(), counts(&import)), (Some("succeeded"), [1, 0, 0, 1, 1]), "{import}");
        assert_eq!(codes(&import), [(1, code)]);
    }
    restock.subscribe(&restock.contact("a"), "S1", "sv-SE", None);
    restock.level(json!({"sku": "S1", "quantity": 1}));
    assert!(restock.mails().is_empty());
}

#[test]
fn a_feed_in_which_most_links_broke_has_not_shrunk() {
    let restock = Restock::start();
    let feed = |price: &str, broken: usize| {
        let rows: String = (0..12)
            .map(|n| format!("S{n},T {n},{},{price} EUR\n", if n < broken { "shop" } else { "https://shop.example" }))
            .collect();
        restock.import("sv-SE", "text/csv", format!("id,title,link,price\n{rows}").as_bytes())
    };
    feed("10.00", 0);

    let import = feed("12.00", 7);

    assert_eq!((import["status"].as_str(), counts(&import)), (Some("succeeded"), [12, 5, 0, 7, 7]), "{import}");
}

#[test]
fn prices_without_a_currency_are_in_the_feeds() {
    let restock = Restock::start();
    let wrong = restock.put("/feeds/sv-SE", &json!({"currency": "kronor"}));
    let feed = restock.put("/feeds/sv-SE", &json!({"currency": "sek"}));
    let items = [item("A", "<g:price>199.00</g:price>"), item("B", "<g:price>1 299,00 kr</g:price>")];
    let import = restock.import("sv-SE", "application/xml", rss(&items.concat()).as_bytes());
    let contact = restock.contact("a");
    for sku in ["A", "B"] {
        restock.subscribe(&contact, sku, "sv-SE", None);
        restock.level(json!({"sku": sku, "quantity": 1}));
    }

    assert_eq!((wrong.status, &wrong.json()["errors"][0]["errorCode"]), (422, &json!("InvalidCurrency")));
    assert_eq!((feed.status, &feed.json()["currency"]), (200, &json!("SEK")));
    assert_eq!(codes(&import), []);
    let texts: Vec<String> =
        restock.mails().iter().map(|mail| mail["text"].as_str().unwrap().replace('\u{a0}', " ")).collect();
    assert!(texts[0].contains("199,00 kr") && texts[1].contains("1 299,00 kr"), "{texts:?}");
}

#[test]
fn identifiers_are_trimmed_at_every_door() {
    let restock = Restock::start();
    restock.import("sv-SE", "application/xml", rss(&item(" A ", "")).as_bytes());
    restock.import("sv_SE", "text/csv", b"id,title,link\n A ,Product A,https://shop.example/a\n");

    restock.subscribe(&restock.contact("a"), "A ", "sv_SE", Some(" north"));
    restock.level(json!({"sku": " A", "quantity": 5.0, "externalId": "north "}));

    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn a_packed_feed_that_breaks_off_is_imported_as_far_as_it_goes_and_zeros_behind_it_are_nothing() {
    let restock = Restock::start();
    let table = |price: &str| {
        let row = |n: u32| format!("A{n},T {n} {:x},https://shop.example/{n},{price}\n", n.wrapping_mul(2_654_435_761));
        format!("id,title,link,price\n{}", (0..2_000).map(row).collect::<String>())
    };
    let pack = |text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    restock.put("/feeds/sv-SE", &json!({}));

    let padded = [pack(&table("1.00 SEK")), vec![0; 512]].concat();
    let whole = restock.import("sv-SE", "text/csv", &padded);
    assert_eq!((&whole["status"], &whole["items"]), (&json!("succeeded"), &json!(2_000)), "{whole}");

    let packed = pack(&table("2.00 SEK"));
    let cut = restock.import("sv-SE", "text/csv", &packed[..packed.len() - 20]);
    let imported = cut["imported"].as_u64().unwrap();
    assert!(cut["status"] == "succeeded" && cut["removed"] == 0 && imported > 1_900, "{cut}");
}

#[test]
fn a_feed_that_is_packed_by_gzip_is_unpacked_whatever_it_is_called() {
    let restock = Restock::start();
    let file = "id,title,link\nA,Kaffe,https://shop.example/a\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(file.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for (locale, content_type, name) in [("sv-SE", "application/gzip", "feed.csv.gz"), ("da-DK", "text/csv", "feed")] {
        let url = serve_once(content_type, &packed);
        restock.put(&format!("/feeds/{locale}"), &json!({"url": format!("{url}/{name}")}));
        let started = restock.api.send("POST", &format!("/feeds/{locale}/imports"), &[]).unwrap();
        let import = restock.imported(locale, &started);
        assert_eq!((import["status"].as_str(), counts(&import)), (Some("succeeded"), [1, 1, 0, 0, 0]), "{import}");
    }
    let upload = restock.import("nb-NO", "text/csv", &packed);
    let broken = restock.import("fi-FI", "text/csv", &packed[..12]);

    assert_eq!(counts(&upload), [1, 1, 0, 0, 0]);
    assert_eq!(broken["status"], "failed", "{broken}");
}

#[test]
fn a_feed_that_is_cut_off_imports_what_it_has_and_removes_nothing() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let whole = rss(&(item("A", "<g:brand>new</g:brand>") + &item("B", "")));
    let cut = &whole[..whole.find("Product B").unwrap()];

    let import = restock.import("sv-SE", "application/xml", cut.as_bytes());

    assert_eq!((import["status"].as_str(), counts(&import)), (Some("succeeded"), [2, 1, 0, 0, 1]));
    assert_eq!(codes(&import), [(0, "UnexpectedEnd"), (2, "UnexpectedEnd")]);
}

#[test]
fn a_feed_that_can_not_be_read_or_that_shrank_changes_nothing() {
    let restock = Restock::start();
    let skus: Vec<String> = (0..20).map(|n| format!("S{n}")).collect();
    restock.feed("sv-SE", &skus.iter().map(String::as_str).collect::<Vec<_>>());
    let small = rss(&item("S1", "<g:price>199.00 SEK</g:price>"));

    let html = restock.import("sv-SE", "application/xml", b"<html><body>Maintenance</body></html>");
    for useless in [&b"<rss"[..], b"<rss><channel><item"] {
        let import = restock.import("sv-SE", "application/xml", useless);
        assert_eq!((import["status"].as_str(), codes(&import)[0]), (Some("failed"), (0, "NoUsableItems")), "{import}");
    }
    let header_only = restock.import("sv-SE", "text/csv", b"id,title,link\n");
    assert_eq!((header_only["status"].as_str(), codes(&header_only)), (Some("failed"), vec![(0, "NoUsableItems")]));
    let message = header_only["errors"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("The file has only the line with the column names"), "{message}");
    let shrunk = restock.import("sv-SE", "application/xml", small.as_bytes());
    let allowed = restock.import_with("sv-SE", "application/xml", small.as_bytes(), "?allowShrink=true");

    assert_eq!((html["status"].as_str(), codes(&html)), (Some("failed"), vec![(0, "NoItems")]));
    assert_eq!((shrunk["status"].as_str(), codes(&shrunk)), (Some("failed"), vec![(0, "FeedShrank")]));
    assert_eq!((shrunk["imported"].as_u64(), shrunk["removed"].as_u64()), (Some(0), Some(0)));
    assert_eq!((allowed["status"].as_str(), counts(&allowed)), (Some("succeeded"), [1, 0, 1, 19, 0]));
}

#[test]
fn a_feed_is_fetched_from_its_url() {
    let restock = Restock::start();
    let file = "id,title,link,price\nA,Kaffe,https://shop.example/a,\"49.00 SEK\"\n";
    let url = serve_once("text/plain; charset=utf-8", file.as_bytes());
    restock.put("/feeds/sv-SE", &json!({"url": format!("{url}/feed.csv")}));

    let started = restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();
    let import = restock.imported("sv-SE", &started);

    assert_eq!((import["status"].as_str(), counts(&import)), (Some("succeeded"), [1, 1, 0, 0, 0]), "{import}");
}

#[test]
fn a_url_that_does_not_answer_fails_the_import_and_says_so() {
    let restock = Restock::start();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    restock.put("/feeds/sv-SE", &json!({"url": format!("http://{closed}/feed.xml")}));

    let started = restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();
    let import = restock.imported("sv-SE", &started);

    assert_eq!((import["status"].as_str(), codes(&import)), (Some("failed"), vec![(0, "FetchFailed")]));
}

#[test]
fn a_deployment_fetches_no_feed_from_its_own_network_and_tells_nothing_of_what_is_there() {
    let restock = Restock::start_with_faults(Spec::default(), &[("FeedAddresses", "public")]);
    let there = serve_once("text/csv", b"id,title,link\nTOPSECRET,x,https://shop.example\n");
    let (_, port) = there.rsplit_once(':').unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let urls = [
        ("127.0.0.1", port),
        ("localhost", port),
        ("2130706433", port),
        ("[::ffff:127.0.0.1]", port),
        ("127.1", &closed),
    ];

    let messages = urls.map(|(host, port)| {
        restock.put("/feeds/sv-SE", &json!({"url": format!("http://{host}:{port}/feed.csv")}));
        let started = restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();
        let import = restock.imported("sv-SE", &started);
        assert_eq!(codes(&import), [(0, "FetchFailed")], "{import}");
        import["errors"][0]["message"].as_str().unwrap().to_owned()
    });

    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
    assert!(messages[0].contains("public address"), "{}", messages[0]);
}

#[test]
fn an_import_whose_function_is_killed_again_and_again_fails_and_the_next_one_of_the_locale_runs() {
    let restock = Restock::start();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    restock.put("/feeds/sv-SE", &json!({"url": format!("http://{}/feed.xml", server.local_addr().unwrap())}));

    restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(server.accept().unwrap());
        restock.stack.kill("import-feed");
    }
    let import = eventually(|| {
        let import = restock.get("/feeds/sv-SE").json()["lastImport"].clone();
        (import["status"] != "running").then_some(import)
    });
    restock.feed("sv-SE", &["A"]);

    assert_eq!((import["status"].as_str(), codes(&import)), (Some("failed"), vec![(0, "InternalError")]));
}

#[test]
fn servers_that_send_a_byte_a_second_do_not_keep_other_feeds_waiting() {
    let restock = Restock::start();
    let locales = ["da-DK", "nb-NO", "fi-FI", "de-DE"];
    let started = locales.map(|locale| {
        restock.put(&format!("/feeds/{locale}"), &json!({"url": serve_slowly()}));
        restock.api.send("POST", &format!("/feeds/{locale}/imports"), &[]).unwrap()
    });

    restock.feed("sv-SE", &["A"]);

    for (locale, started) in locales.iter().zip(&started) {
        let import = restock.imported(locale, started);
        assert_eq!((import["status"].as_str(), codes(&import)), (Some("failed"), vec![(0, "FetchFailed")]));
        let message = import["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("less than 512 KB in 30 seconds"), "{message}");
    }
}

#[test]
fn an_upload_of_five_megabytes_is_imported() {
    let restock = Restock::start();
    let description = "Lorem ipsum dolor sit amet. ".repeat(40);
    let items: String =
        (0..3_800).map(|n| item(&format!("S{n}"), &format!("<description>{description}{n}</description>"))).collect();
    let file = rss(&items);
    assert!((4_500_000..5_242_880).contains(&file.len()), "{}", file.len());

    let import = restock.import("sv-SE", "application/xml", file.as_bytes());

    assert_eq!((import["status"].as_str(), counts(&import)), (Some("succeeded"), [3_800, 3_800, 0, 0, 0]));
}

#[test]
fn imports_of_one_locale_run_one_after_the_other_and_the_last_one_counts() {
    let restock = Restock::start();
    let start = |price: &str| {
        let file = rss(&item("A", &format!("<g:price>{price} SEK</g:price>")));
        restock
            .api
            .header("content-type", "application/xml")
            .send("POST", "/feeds/sv-SE/imports", file.as_bytes())
            .unwrap()
    };

    let answers: Vec<_> = ["1.00", "2.00", "3.00", "4.00"].iter().map(|price| start(price)).collect();
    restock.imported("sv-SE", answers.last().unwrap());
    restock.settle();

    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert!(restock.mails()[0]["text"].as_str().unwrap().contains("4,00"));
    assert_eq!(restock.get("/feeds/sv-SE").json()["lastImport"]["id"], answers.last().unwrap().json()["importId"]);
}

/// Answers one request with a byte a second, at the URL that this returns.
fn serve_slowly() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 8192]).unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: 100000\r\n\r\n";
        let mut sent = connection.write_all(head);
        while sent.is_ok() {
            std::thread::sleep(Duration::from_secs(1));
            sent = connection.write_all(b"a");
        }
    });
    url
}

/// Answers one request with a file, at the URL that this returns.
fn serve_once(content_type: &str, file: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        file.len()
    );
    let answer = [head.as_bytes(), file].concat();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 8192]).unwrap();
        connection.write_all(&answer).unwrap();
    });
    url
}

/// Answers every request as told, at the URL that this returns, and tells what each said, in lower case.
fn serve_telling(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/feed.csv", listener.local_addr().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 8192];
            let length = connection.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            connection.write_all(&answer(&request)).unwrap();
            let _ = tell.send(request);
        }
    });
    (url, told)
}

#[test]
fn a_password_goes_to_the_server_that_it_was_given_for_and_is_never_shown() {
    let restock = Restock::start();
    let file = b"id,title,link,price\nA,Mug,https://shop.example/a,10.00 EUR\n";
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        file.len()
    );
    let to = |url: &str| {
        format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
    };
    let (other, other_told) = serve_telling(move |_| [head.as_bytes(), file].concat());
    let away = other.clone();
    let (url, told) = serve_telling(move |asked| match asked.contains("/newest.csv") {
        true => to(&away),
        false => to("/newest.csv"),
    });
    let import = || {
        let started = restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();
        restock.imported("sv-SE", &started)
    };

    let settings = json!({"url": url, "user": "shop", "password": "s3cret: ö"});
    let feed = restock.put("/feeds/sv-SE", &settings);
    assert_eq!((feed.status, feed.json()["user"].as_str()), (200, Some("shop")), "{}", feed.text);
    assert!(!feed.text.contains("s3cret") && !restock.get("/feeds").text.contains("s3cret"));
    assert_eq!(import()["status"], "succeeded");
    // "shop:s3cret: ö", in lower case as the whole request is; the server's own redirect loses nothing of it.
    for path in ["/feed.csv", "/newest.csv"] {
        let asked = told.recv().unwrap();
        assert!(asked.contains(path) && asked.contains("authorization: basic c2hvcdpzm2nyzxq6imo2"), "{asked}");
    }
    assert!(!other_told.recv().unwrap().contains("authorization"));

    // Another URL gets nothing of it.
    assert_eq!(restock.put("/feeds/sv-SE", &json!({"url": other})).json()["user"], Value::Null);
    assert_eq!(import()["status"], "succeeded");
    assert!(!other_told.recv().unwrap().contains("authorization"));
}

#[test]
fn an_answer_that_is_no_file_is_told_with_its_status() {
    let restock = Restock::start();
    for status in ["204 No Content", "206 Partial Content", "304 Not Modified", "300 Multiple Choices", "404 Not Found"]
    {
        let head = format!("HTTP/1.1 {status}\r\nlocation: /feed.csv\r\ncontent-length: 0\r\n");
        let answer = head + "connection: close\r\n\r\n";
        let (url, _told) = serve_telling(move |_| answer.clone().into_bytes());
        restock.put("/feeds/sv-SE", &json!({"url": url}));
        let started = restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();

        let import = restock.imported("sv-SE", &started);

        let said = import["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(said.contains(&format!("its server answered with the status {}", &status[..3])), "{import}");
    }
}

#[test]
fn what_is_wrong_with_credentials_is_said() {
    let restock = Restock::start();
    for (settings, pointer) in [
        (json!({"user": "shop"}), "/user"),
        (json!({"url": "https://shop.example/feed", "password": "x"}), "/password"),
        (json!({"url": "https://shop.example/feed", "user": "a:b", "password": "x"}), "/user"),
        (json!({"url": "https://shop.example/feed", "user": "a", "password": "x\r\ny"}), "/password"),
        (json!({"url": "https://shop.example/feed", "user": ""}), "/user"),
        (json!({"url": "https://a:b@shop.example/feed"}), "/url"),
    ] {
        let answer = restock.put("/feeds/sv-SE", &settings);

        assert_eq!(answer.status, 422, "{settings}: {}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{settings}");
    }
}

//! The brand: storing it, and mails and pages as the shop's own.

use crate::api::{assert_problem, errors, field_errors};
use crate::restock::Restock;
use restock_local::client::{Answer, Client};
use serde_json::{Value, json};

impl Restock {
    /// Stores a brand.
    pub fn brand(&self, body: &Value) -> Answer {
        let stored = self.put("/brand", body);
        assert_eq!(stored.status, 200, "{}", stored.text);
        stored
    }
}

/// Returns a brand with every part.
fn whole() -> Value {
    json!({
        "shop": {
            "name": "Wool & Co",
            "link": "https://shop.example/",
            "logo": {"url": "https://shop.example/logo.png", "width": 140, "alt": "The sheep of Wool & Co"},
            "colors": {"background": "#fffaf0", "text": "#221100", "button": "#b3261e", "buttonText": "#ffffff"},
            "darkColors": {"background": "#000000"},
            "fontStack": "Lato, Arial, sans-serif",
            "address": ["Wool & Co AB", "Storgatan 1", "111 22 Stockholm"],
            "legal": ["Org. no. 556000-0000"],
            "supportAddress": "help@shop.example",
            "social": [{"name": "Instagram", "url": "https://instagram.example/wool"}],
            "sender": "Wool & Co <hello@shop.example>",
            "replyTo": "help@shop.example",
        },
        "locales": {
            "de": {"name": "Wolle & Co", "legal": ["HRB 1234"]},
            "sv_FI": {"sender": "Ull i Finland <fi@shop.example>"},
        },
    })
}

#[test]
fn a_brand_is_stored_as_a_whole_and_shown() {
    let restock = Restock::start();
    let none = restock.get("/brand");
    let stored = restock.brand(&whole());

    let shown = restock.get("/brand");
    let mut expected = whole();
    expected["locales"] = json!({"de": whole()["locales"]["de"], "sv-fi": whole()["locales"]["sv_FI"]});
    assert_eq!(none.json(), json!({"shop": {}, "locales": {}, "texts": {}, "version": 0}));
    assert_eq!((stored.json(), &stored.headers["etag"]), (shown.json(), &shown.headers["etag"]));
    assert_eq!(
        (&shown.json()["shop"], &shown.json()["locales"], &shown.json()["version"]),
        (&expected["shop"], &expected["locales"], &json!(1))
    );
    // What is shown may be sent back; what is left out is gone.
    assert_eq!(restock.brand(&shown.json()).json()["version"], 2);
    assert_eq!(restock.brand(&json!({"shop": {"name": "Wool"}})).json()["shop"], json!({"name": "Wool"}));
}

#[test]
fn a_change_of_a_brand_that_somebody_else_has_changed_is_refused() {
    let restock = Restock::start();
    let put_if = |header, tag: &str| restock.api.header(header, tag).json("PUT", "/brand", &whole()).unwrap();
    let none = restock.get("/brand").headers["etag"].clone();
    let seen = put_if("if-match", &none).headers["etag"].clone();

    assert_eq!(put_if("if-match", &seen).status, 200);
    assert_problem(&put_if("if-match", &seen), 412, "StaleVersion");
    assert_problem(&put_if("if-none-match", "*"), 412, "StaleVersion");
}

#[test]
fn everything_that_is_wrong_with_a_brand_is_named_in_one_answer() {
    let restock = Restock::start();

    let refused = restock.put(
        "/brand",
        &json!({
            "shop": {
                "name": 5,
                "link": "javascript:alert(1)",
                "logo": {"url": "ftp://shop.example/a.png", "width": 5000},
                "colors": {"button": "red", "buton": "#ffffff"},
                "fontStack": "Lato; color: red",
                "address": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"],
                "social": [{"name": "Instagram"}],
                "sender": "nobody",
            },
            "locales": {"svenska språket": {}, "sv": {"supportAddress": "x"}},
            "shops": {},
        }),
    );

    let mut found = field_errors(&refused);
    found.sort();
    let expected = errors(&[
        ("/locales/sv/supportAddress", "InvalidEmail"),
        ("/locales/svenska språket", "InvalidLocale"),
        ("/shop/address", "TooMany"),
        ("/shop/colors/buton", "UnknownProperty"),
        ("/shop/colors/button", "InvalidColor"),
        ("/shop/fontStack", "InvalidFontStack"),
        ("/shop/link", "InvalidUrl"),
        ("/shop/logo/url", "InvalidUrl"),
        ("/shop/logo/width", "OutOfRange"),
        ("/shop/name", "WrongType"),
        ("/shop/sender", "InvalidEmail"),
        ("/shop/social/0/url", "Required"),
        ("/shops", "UnknownProperty"),
    ]);
    assert_eq!(found, expected);
    let twice = restock.put("/brand", &json!({"locales": {"sv-SE": {}, "sv_se": {}}}));
    assert_eq!(field_errors(&twice), errors(&[("/locales/sv_se", "InvalidLocale")]));
}

#[test]
fn colors_that_can_not_be_read_and_senders_that_ses_refuses_are_refused() {
    let restock = Restock::start();
    let found = |body: Value| field_errors(&restock.put("/brand", &body));

    let shop = json!({"colors": {"background": "#888888", "text": "#777777"}, "darkColors": {"button": "#ffffff", "buttonText": "#ffff00"}});
    assert_eq!(
        found(json!({"shop": shop, "locales": {"sv": {"name": "Ull"}}})),
        errors(&[("/shop/colors/text", "LowContrast"), ("/shop/darkColors/buttonText", "LowContrast")])
    );
    // A locale's colours meet those that it has of the shop.
    let locale =
        json!({"shop": {"colors": {"text": "#222222"}}, "locales": {"sv": {"colors": {"background": "#000000"}}}});
    assert_eq!(found(locale), errors(&[("/locales/sv/colors/text", "LowContrast")]));
    let senders =
        json!({"shop": {"sender": "a@elsewhere.example"}, "locales": {"sv": {"sender": "b@elsewhere.example"}}});
    assert_eq!(
        found(senders),
        errors(&[("/locales/sv/sender", "SenderNotVerified"), ("/shop/sender", "SenderNotVerified")])
    );
    let nameless = json!({"shop": {"linkParameters": {" ": "x"}}});
    assert_eq!(found(nameless), errors(&[("/shop/linkParameters", "InvalidName")]));
    assert_eq!(restock.get("/brand").json()["version"], 0, "nothing was stored");
}

#[test]
fn mails_and_pages_are_the_shops_own_in_each_locale() {
    let restock = Restock::start();
    restock.brand(&whole());
    for locale in ["sv-SE", "de-DE", "sv-FI"] {
        restock.feed(locale, &["A"]);
        restock.subscribe(&restock.contact(locale), "A", locale, None);
    }

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mails = restock.mails();
    let mail = |locale: &str| mails.iter().find(|mail| mail["to"][0] == format!("{locale}@example.com")).unwrap();
    let text = |locale: &str, part: &str| mail(locale)[part].as_str().unwrap().to_owned();
    let (swedish, german) = (text("sv-SE", "html"), text("de-DE", "html"));
    for shared in ["https://shop.example/logo.png", "Storgatan 1", "#b3261e", "Lato, Arial, sans-serif"] {
        assert!(swedish.contains(shared) && german.contains(shared), "{shared}");
    }
    assert!(swedish.contains("Org. no. 556000-0000") && !swedish.contains("HRB 1234"));
    assert!(german.contains("HRB 1234") && !german.contains("556000-0000"));
    assert!(text("de-DE", "text").contains("Wolle & Co") && text("sv-SE", "text").contains("Wool & Co – https"));
    assert!(text("sv-SE", "from").contains("hello@shop.example"), "{}", mail("sv-SE"));
    assert!(text("sv-FI", "from").contains("fi@shop.example"), "{}", mail("sv-FI"));
    assert_eq!(mail("sv-FI")["replyTo"], json!(["help@shop.example"]));
    let link = text("de-DE", "text");
    let link = link.split_whitespace().find(|word| word.contains("/unsubscribe/")).unwrap();
    let page = Client::new(link).get("").unwrap().text;
    assert!(page.contains("<title>Abmelden – Wolle &amp; Co</title>"), "{page}");
    assert!(
        page.contains("HRB 1234") && page.contains("--button: #b3261e") && page.contains("mailto:help@shop.example")
    );
}

#[test]
fn an_automations_own_sender_comes_before_the_brands() {
    let restock = Restock::start();
    restock.brand(&whole());
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.automation("own", &json!({"name": "Own", "email": {"sender": "Astrid <astrid@shop.example>"}}));

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert!(restock.mails()[0]["from"].as_str().unwrap().contains("astrid@shop.example"));
}

#[test]
fn the_brand_that_the_documentation_shows_is_stored() {
    let restock = Restock::start();
    let document = include_str!("../../docs/automations.md");
    let section = document.split("## The brand").nth(1).unwrap().split("```json").nth(1).unwrap();
    let brand: Value = serde_json::from_str(section.split("```").next().unwrap()).unwrap();

    assert_eq!(restock.brand(&brand).json()["shop"], brand["shop"]);
}

#[test]
fn mails_leave_even_if_the_stored_brand_can_not_be_read() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    let item = json!({"kind": {"S": "brand"}, "id": {"S": "brand"}, "version": {"N": "1"}, "document": {"S": "{"}});
    restock.dynamodb("PutItem", json!({"TableName": restock.stack.ready.tables["configuration"], "Item": item}));

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.said("An item was left out") > 0);
}

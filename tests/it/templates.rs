//! Templates of the shop's own: storing them, mails made of them, previews and test mails.

use crate::api::{assert_problem, errors, field_errors};
use crate::restock::{Restock, eventually, item, rss};
use restock_local::client::Answer;
use serde_json::{Value, json};

impl Restock {
    fn template(&self, id: &str, body: &Value) -> Answer {
        let stored = self.put(&format!("/templates/{id}"), body);
        assert_eq!(stored.status, 200, "{}", stored.text);
        stored
    }

    /// Makes a contact called Åsa who waits for A in a feed that has it, and returns its id.
    fn waits_for_a(&self, locale: &str) -> String {
        self.feed(locale, &["A"]);
        let body = json!({"email": format!("{locale}@example.com"), "firstName": "Åsa"});
        let contact = self.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
        self.subscribe(&contact, "A", locale, None);
        contact
    }
}

/// Returns MJML that shows a text and whatever a mail needs.
fn mjml(body: &str) -> String {
    format!(
        "<mjml lang=\"{{{{ lang }}}}\">\n<mj-body>\n<mj-section><mj-column>\n<mj-text>{body}</mj-text>\n</mj-column></mj-section>\n<mj-include path=\"footer.mjml\" />\n</mj-body>\n</mjml>"
    )
}

#[test]
fn a_mail_is_made_of_the_automations_template_and_the_log_names_its_version() {
    let restock = Restock::start();
    restock.template("spring", &json!({"mjml": mjml("First")}));
    restock.template("spring", &json!({"name": "Spring", "mjml": mjml("{{ greeting }} {{ title }}: {{ product.id }}"), "text": "{{ greeting }} {{ title }} {{ unsubscribe_url }}"}));
    restock.automation("a", &json!({"name": "A", "email": {"template": "spring"}}));
    restock.waits_for_a("sv-SE");

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mail = restock.mails()[0].clone();
    let (html, text) = (mail["html"].as_str().unwrap(), mail["text"].as_str().unwrap());
    let link = mail["headers"]["List-Unsubscribe"].as_str().unwrap().trim_matches(['<', '>']);
    assert!(html.contains(">Hej Åsa! Product A: A</div>") && html.contains(&format!("href=\"{link}\"")), "{html}");
    assert_eq!(text, format!("Hej Åsa! Product A {link}"));
    assert!(html.contains("lang=\"sv\""));
    eventually(|| {
        (restock.log_entry("A")["templates"] == json!([{"id": "spring", "version": 2, "mails": 1}])).then_some(())
    });
}

#[test]
fn a_template_is_stored_shown_versioned_and_deleted() {
    let restock = Restock::start();
    let listed = || -> Vec<String> {
        let listed = restock.get("/templates").json();
        listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}", one["id"].as_str().unwrap(), one["version"]))
            .collect()
    };
    assert_eq!(listed(), ["back-in-stock 0", "letter 0"]);
    let compiled_in = restock.get("/templates/letter").json();

    let first = restock.template("letter", &json!({"html": "<a href=\"{{ unsubscribe_url }}\">{{ title }}</a>"}));
    restock.template("spring", &json!({"mjml": mjml("One")}));
    // What is shown may be sent back.
    restock.template("spring", &restock.get("/templates/spring").json());

    assert_eq!(listed(), ["back-in-stock 0", "letter 1", "spring 2"]);
    assert_eq!(restock.get("/templates/spring?version=1").json()["mjml"], mjml("One"));
    assert_eq!(restock.get("/templates/letter?version=0").json(), compiled_in);
    let versions = restock.get("/templates/letter/versions").json();
    let versions: Vec<&Value> = versions.as_array().unwrap().iter().map(|version| &version["version"]).collect();
    assert_eq!(versions, [1, 0]);
    // A compiled-in one has the version 0, until somebody stores another one.
    let of_none = |id: &str| {
        let body = json!({"html": "<a href=\"{{ unsubscribe_url }}\">x</a>"});
        restock.api.header("if-match", "\"0\"").json("PUT", &format!("/templates/{id}"), &body).unwrap().status
    };
    assert_eq!((of_none("letter"), of_none("back-in-stock")), (412, 200));
    let stale = restock.api.header("if-match", "\"9\"").json("PUT", "/templates/letter", &first.json()).unwrap();
    assert_problem(&stale, 412, "StaleVersion");
    // The compiled-in one takes its place again.
    assert_eq!(restock.delete("/templates/letter").json(), json!({"id": "letter"}));
    assert_eq!(restock.get("/templates/letter").json(), compiled_in);
    assert_problem(&restock.delete("/templates/letter"), 404, "TemplateNotFound");
    assert_problem(&restock.get("/templates/none"), 404, "TemplateNotFound");
    assert_problem(&restock.get("/templates/none/versions"), 404, "TemplateNotFound");
}

#[test]
fn a_template_that_an_automation_uses_can_not_be_deleted() {
    let restock = Restock::start();
    restock.template("spring", &json!({"mjml": mjml("One")}));
    restock.automation("early", &json!({"name": "Early", "email": {"template": "spring"}}));

    let refused = restock.delete("/templates/spring");
    restock.automation("early", &json!({"name": "Early"}));

    assert_problem(&refused, 409, "TemplateInUse");
    assert!(refused.json()["detail"].as_str().unwrap().contains("early"));
    assert_eq!(restock.delete("/templates/spring").status, 200);
}

#[test]
fn a_template_that_can_not_be_sent_is_refused_with_its_line() {
    let restock = Restock::start();
    let refused = |body: Value| {
        let answer = restock.put("/templates/bad", &body);
        let message = answer.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned();
        (field_errors(&answer), message)
    };
    let one = |pointer: &str| errors(&[(pointer, "InvalidTemplate")]);

    let (found, message) = refused(json!({"mjml": mjml("{{ titel }}")}));
    assert_eq!(found, one("/mjml"));
    assert!(message.starts_with("Line 4: There is no variable `titel`"), "{message}");
    let (found, message) = refused(json!({"html": "<p>{{ title }}</p>"}));
    assert_eq!(found, one("/html"));
    assert!(message.contains("{{ unsubscribe_url }}"), "{message}");
    let (found, message) = refused(json!({"mjml": mjml("a"), "text": "\n{% if %}"}));
    assert_eq!(found, one("/text"));
    assert!(message.starts_with("Line 2: "), "{message}");
    assert_eq!(refused(json!({"mjml": mjml(&"x".repeat(90_001))})).0, errors(&[("/mjml", "TooLong")]));
    assert_eq!(refused(json!({})).0, errors(&[("/mjml", "Required")]));
    assert_eq!(refused(json!({"mjml": "a", "html": "b"})).0, errors(&[("", "Ambiguous")]));
    assert_eq!(
        field_errors(&restock.put("/templates/No!", &json!({"html": "x"}))),
        errors(&[("/templateId", "InvalidTemplateId")])
    );
    assert_eq!(restock.get("/templates").json().as_array().unwrap().len(), 2, "nothing was stored");
}

#[test]
fn a_preview_shows_the_mail_and_what_could_be_better() {
    let restock = Restock::start();
    let contact = restock.waits_for_a("sv-SE");
    restock.automation(
        "a",
        &json!({"name": "A", "email": {"subject": {"sv": "Nu: { $title }"}, "sender": "Astrid <a@shop.example>"}}),
    );
    let preview = |body: Value| {
        let answer = restock.post("/templates/preview", &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };

    let shown = preview(json!({"automation": "a", "sku": "A", "locale": "sv-SE", "contactId": contact}));
    assert_eq!((&shown["subject"], &shown["from"]), (&json!("Nu: Product A"), &json!("\"Astrid\" <a@shop.example>")));
    assert!(shown["text"].as_str().unwrap().starts_with("Hej Åsa!"), "{shown}");
    assert_eq!(shown["htmlBytes"], shown["html"].as_str().unwrap().len());
    let warnings = shown["warnings"].to_string();
    assert!(warnings.contains("no picture") && warnings.contains("postal address"), "{warnings}");

    // A sample, a draft, and a language that there are no texts for.
    let draft = json!({"html": "<p>{{ title }} <a href=\"{{ unsubscribe_url }}\">x</a></p>"});
    let shown = preview(json!({"draft": draft, "locale": "hu-HU", "firstName": "Ann"}));
    assert!(shown["html"].as_str().unwrap().starts_with("<p>Wool sweater Fjäll"), "{shown}");
    assert!(shown["text"].as_str().unwrap().starts_with("Hi Ann!") && shown["warnings"].to_string().contains("hu-HU"));
    assert!(!warnings.contains("The button"), "{warnings}");
    restock.brand(&json!({"shop": {"colors": {"button": "#ffd400"}}}));
    let pale = restock.post("/templates/preview", &json!({"locale": "sv-SE"})).json()["warnings"].to_string();
    assert!(pale.contains("The button is nearly as light as the page") && !pale.contains("dark"), "{pale}");
    restock.brand(&json!({"shop": {"logo": {"url": "https://shop.example/logo.SVG?v=2", "width": 120}}}));
    let unseen = restock.post("/templates/preview", &json!({"locale": "sv-SE"})).json()["warnings"].to_string();
    assert!(unseen.contains("The logo is an SVG"), "{unseen}");
    // Each draft is shown as it is, whatever was shown before.
    for title in ["One", "Two", "Three"] {
        let draft = json!({"html": format!("<p>{title} <a href=\"{{{{ unsubscribe_url }}}}\">x</a></p>")});
        let shown = preview(json!({"draft": draft, "locale": "en"}));
        assert!(shown["html"].as_str().unwrap().starts_with(&format!("<p>{title} ")), "{shown}");
    }
    assert!(restock.mails().is_empty(), "nobody is mailed");
}

#[test]
fn what_a_preview_can_not_show_is_named() {
    let restock = Restock::start();
    let found = |body: Value| field_errors(&restock.post("/templates/preview", &body));
    let one = |pointer: &str, code: &str| errors(&[(pointer, code)]);

    assert_eq!(found(json!({})), one("/locale", "Required"));
    assert_eq!(found(json!({"locale": "sv", "sku": "B"})), one("/sku", "NoProductData"));
    assert_eq!(found(json!({"locale": "sv", "automation": "none"})), one("/automation", "AutomationNotFound"));
    assert_eq!(found(json!({"locale": "sv", "template": "none"})), one("/template", "TemplateNotFound"));
    assert_eq!(found(json!({"locale": "sv", "draft": {"html": "{{ x }}"}})), one("/draft/html", "InvalidTemplate"));
    let contact = restock.contact("a");
    let marketer = restock.with_key("marketer", &["write-automations"]);
    let answer = marketer.json("POST", "/templates/preview", &json!({"locale": "sv", "contactId": contact})).unwrap();
    assert_eq!(field_errors(&answer), one("/contactId", "MissingScope"));
}

#[test]
fn a_test_mail_goes_to_listed_addresses_only() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("TestRecipients".into(), "Boss@shop.example, jag@blåbär.example".into());
    });
    let send = |to: &str| restock.post("/templates/test", &json!({"to": to, "mail": {"locale": "de-DE"}}));

    assert_problem(&send("you@shop.example"), 403, "NotATestRecipient");
    let sent = send("boss@shop.example");

    assert_eq!(
        (sent.status, &sent.json()["subject"]),
        (200, &json!("Wieder verfügbar: Wool sweater Fjäll, grey melange"))
    );
    let mail = restock.mails()[0].clone();
    assert_eq!((mail["to"][0].as_str(), restock.mails().len()), (Some("boss@shop.example"), 1));
    assert_eq!(send("jag@blåbär.example").status, 200);
    // The events of SES about it concern no delivery.
    restock.settle();
    assert_eq!(restock.on_queue("email-events-dead-letters"), 0);
}

#[test]
fn texts_of_the_shops_own_and_link_parameters_are_in_every_mail() {
    let restock = Restock::start();
    let refused =
        restock.put("/brand", &json!({"texts": {"sv": {"button": "{ $title }", "buton": "x"}, "hu": {"button": "x"}}}));
    let mut found = field_errors(&refused);
    found.sort();
    assert_eq!(
        found,
        errors(&[
            ("/texts/hu", "Required"),
            ("/texts/sv/buton", "UnknownProperty"),
            ("/texts/sv/button", "InvalidText")
        ])
    );
    restock.brand(&json!({
        "shop": {"linkParameters": {"utm_source": "restock", "utm_medium": "email"}},
        "texts": {"sv": {"button": "Köp nu", "subject": "{ $title } är här!"}},
    }));
    restock.waits_for_a("sv-SE");

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mail = restock.mails()[0].clone();
    assert_eq!(mail["subject"], "Product A är här!");
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("Köp nu") && html.contains("utm_medium=email&amp;utm_source=restock"), "{html}");
    assert_eq!(
        restock.get("/brand").json()["texts"],
        json!({"sv": {"button": "Köp nu", "subject": "{ $title } är här!"}})
    );
}

#[test]
fn a_template_may_show_what_its_recipient_also_waits_for() {
    let restock = Restock::start();
    restock.template("more", &json!({ "mjml": mjml("{{ title }}: {{ also_waiting }}") }));
    restock.automation("a", &json!({"name": "A", "email": {"template": "more"}}));
    restock.feed("sv-SE", &["A", "B", "C"]);
    let (wants_more, alone) = (restock.contact("more"), restock.contact("alone"));
    for sku in ["A", "B", "C", "unknown"] {
        restock.subscribe(&wants_more, sku, "sv-SE", None);
    }
    restock.subscribe(&alone, "A", "sv-SE", None);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mails = restock.mails();
    let html = |name: &str| {
        let mail = mails.iter().find(|mail| mail["to"][0] == format!("{name}@example.com")).unwrap();
        mail["html"].as_str().unwrap().to_owned()
    };
    let list = "Product A: Du väntar också på:<ul><li><a href=\"https://shop.example/C\"><bdi>Product C</bdi></a></li><li><a href=\"https://shop.example/B\"><bdi>Product B</bdi></a></li></ul>";
    assert!(html("more").contains(list), "{}", html("more"));
    assert!(html("alone").contains("Product A: </div>"), "{}", html("alone"));
}

#[test]
fn a_template_may_show_other_products_of_the_feed_those_of_the_same_group_first() {
    let restock = Restock::start();
    let shown =
        "{% for other in related %}{{ other.sku }} {% if other.variant %}{{ other.variant }}{% endif %};{% endfor %}";
    restock.template("related", &json!({ "mjml": mjml(&format!("{{{{ title }}}}: {shown}")) }));
    restock.template(
        "block",
        &json!({ "mjml": mjml("").replace("<mj-include", "<mj-include path=\"related.mjml\" /><mj-include") }),
    );
    restock.automation("a", &json!({"name": "A", "email": {"template": "related"}}));
    let of = |kind: &str, group: &str, more: &str| {
        let group =
            if group.is_empty() { String::new() } else { format!("<g:item_group_id>{group}</g:item_group_id>") };
        format!("<g:product_type>{kind}</g:product_type>{group}{more}")
    };
    let sold_out = "<g:availability>out_of_stock</g:availability>";
    let items = [
        item("A", &of("Sweaters", "fjäll", "<g:color>Grey</g:color>")),
        item("A-navy", &of("Sweaters", "Fjäll", "<g:color>Navy</g:color>")),
        item("A-red", &of("Sweaters", "fjäll", &format!("<g:color>Red</g:color>{sold_out}"))),
        item("B-1", &of("sweaters", "björk", "")),
        item("B-2", &of("sweaters", "björk", "")),
        item("C", &of("SWEATERS", "", "")),
        item("D", &of("Sweaters", "", sold_out)),
        item("mug", &of("Mugs", "", "")),
        item("bare", ""),
    ];
    restock.import("sv-SE", "application/xml", rss(&items.concat()).as_bytes());
    // The same in another language is another feed.
    restock.import("de-DE", "application/xml", rss(&item("other", &of("Sweaters", "fjäll", ""))).as_bytes());
    let contact = restock.contact("a");
    ["A", "mug"].iter().for_each(|sku| drop(restock.subscribe(&contact, sku, "sv-SE", None)));

    restock.level(json!({"sku": "A", "quantity": 1}));
    restock.level(json!({"sku": "mug", "quantity": 1}));

    let mails = eventually(|| Some(restock.mails()).filter(|mails| mails.len() == 2));
    let html = |title: &str| {
        let of_title = |mail: &&Value| mail["subject"].as_str().unwrap().contains(title);
        mails.iter().find(of_title).unwrap()["html"].as_str().unwrap().to_owned()
    };
    let found = html("Product A");
    let shown = found.split("Product A: ").nth(1).unwrap().split("</div>").next().unwrap();
    let mut others: Vec<&str> = shown.split_terminator(';').map(|other| other.split(' ').next().unwrap()).collect();
    assert_eq!((shown.starts_with("A-navy Navy;"), others.len()), (true, 3), "{shown}");
    others.sort_unstable();
    assert!(others == ["A-navy", "B-1", "C"] || others == ["A-navy", "B-2", "C"], "{others:?}");
    assert!(html("mug").contains("Product mug: </div>"), "{}", html("mug"));

    // The block that is made for it, in a preview, and in the text.
    let preview =
        restock.post("/templates/preview", &json!({"template": "block", "sku": "A", "locale": "sv-SE"})).json();
    let (html, text) = (preview["html"].as_str().unwrap(), preview["text"].as_str().unwrap());
    assert!(html.contains("Du kanske också gillar:") && html.contains("https://shop.example/A-navy"), "{html}");
    assert!(text.contains("Du kanske också gillar:\n- Product A-navy, Navy: https://shop.example/A-navy\n"), "{text}");
}

#[test]
fn other_products_are_four_that_can_be_bought_however_many_sizes_and_sold_out_ones_there_are() {
    let restock = Restock::start();
    let shown = "<p>{% for other in related %}{{ other.sku }};{% endfor %}</p>";
    let draft = json!({ "html": format!("{shown}<a href=\"{{{{ unsubscribe_url }}}}\">x</a>") });
    let related = |sku: &str| {
        let body = json!({"draft": draft, "sku": sku, "locale": "sv-SE"});
        let html = restock.post("/templates/preview", &body).json()["html"].as_str().unwrap().to_owned();
        let shown = html.split("<p>").nth(1).unwrap().split("</p>").next().unwrap().to_owned();
        shown.split_terminator(';').map(str::to_owned).collect::<Vec<_>>()
    };
    let availability = |sold_out| if sold_out { "<g:availability>out_of_stock</g:availability>" } else { "" };
    let of = |kind: &str, group: usize, sold_out| {
        let group = format!("<g:item_group_id>g{group}</g:item_group_id>");
        format!("<g:product_type>{kind}</g:product_type>{group}{}", availability(sold_out))
    };
    let sizes = (0..10).flat_map(|group| (0..12).map(move |size| (group, size)));
    let sizes: String =
        sizes.map(|(group, size)| item(&format!("S{group}-{size}"), &of("Shoes", group, size != 3))).collect();
    let bags: String = (0..200).map(|bag| item(&format!("B{bag}"), &of("Bags", 100 + bag, bag % 20 != 0))).collect();
    let waited_for = item("shoe", "<g:product_type>Shoes</g:product_type>");
    restock.import("sv-SE", "application/xml", rss(&format!("{sizes}{bags}{waited_for}")).as_bytes());

    let shoes = related("shoe");
    assert!(shoes.len() == 4 && shoes.iter().all(|sku| sku.ends_with("-3")), "{shoes:?}");
    // Sold out itself, with its group behind and before all others.
    for bag in [1, 7, 99, 150] {
        assert_eq!(related(&format!("B{bag}")).len(), 4, "{bag}");
    }
    // Recalled.
    for sku in &shoes {
        restock.put("/inventory/backinstock/holds", &json!({ "sku": sku }));
    }
    let others = related("shoe");
    assert!(others.len() == 4 && others.iter().all(|sku| !shoes.contains(sku)), "{others:?}");
}

#[test]
fn a_preview_says_if_the_mail_about_this_product_would_be_sent_in_the_default_template() {
    let restock = Restock::start();
    restock.waits_for_a("sv-SE");
    restock
        .template("long", &json!({ "mjml": mjml("{% if product.description %}{{ product.description }}{% endif %}") }));
    let warnings = || {
        let body = json!({"template": "long", "locale": "sv-SE", "sku": "A"});
        restock.post("/templates/preview", &body).json()["warnings"].to_string()
    };

    let short = warnings();
    let description = format!("<g:description>{}</g:description>", "x".repeat(91_000));
    restock.import("sv-SE", "application/xml", rss(&item("A", &description)).as_bytes());
    let long = warnings();

    assert!(!short.contains("back-in-stock"), "{short}");
    assert!(long.contains("This mail would be sent in the template back-in-stock, as it is too long."), "{long}");
}

#[test]
fn a_product_that_a_template_can_not_show_is_mailed_in_the_default_one() {
    let restock = Restock::start();
    let ships = mjml("{% if product.shipping %}{{ product.shipping.price }}{% endif %}");
    restock.template("ships", &json!({ "mjml": ships }));
    restock.automation("a", &json!({"name": "A", "email": {"template": "ships"}}));
    restock.waits_for_a("sv-SE");
    let price = "<g:shipping><g:price>9 SEK</g:price></g:shipping>";
    restock.import("sv-SE", "application/xml", rss(&item("A", &price.repeat(2))).as_bytes());

    restock.level(json!({"sku": "A", "quantity": 1}));

    let html = restock.mails()[0]["html"].as_str().unwrap().to_owned();
    assert!(html.contains("Se produkten") && html.contains("/unsubscribe/"), "{html}");
    eventually(|| {
        let templates = &restock.log_entry("A")["templates"];
        (*templates == json!([{"id": "back-in-stock", "version": 0, "mails": 1}])).then_some(())
    });
}

#[test]
fn the_documentation_has_every_text_and_its_example_is_a_template() {
    let document = include_str!("../../docs/templates.md");
    let texts = include_str!("../../shared/email/texts/en.ftl").lines().filter_map(|line| line.split_once(" = "));
    for (id, text) in texts {
        assert!(document.contains(&format!("| `{id}` | {text} |")), "{id}");
    }

    let restock = Restock::start();
    let example = document.split("```json").nth(2).unwrap().split("```").next().unwrap();
    restock.template("short", &serde_json::from_str(example).unwrap());
}

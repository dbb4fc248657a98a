mod lines;
mod tables;
mod xml;

use crate::{End, Format, MediaType, Mistaken, Unreadable, read};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use restock_domain::Currency;

/// `Ok` title and price, or `Err` error code.
type Item = Result<(String, String), String>;

/// Returns what a feed holds, by position, and how it ended.
fn items(format: Format, file: impl AsRef<[u8]>) -> (Vec<Item>, Result<End, &'static str>) {
    let mut items = Vec::new();
    let media_type = MediaType { format, charset: None };
    let end = read(file.as_ref(), &media_type, None, &mut |position, item| {
        assert_eq!(position as usize, items.len() + 1);
        items.push(match item {
            Ok(item) => {
                let product = item.product;
                Ok((product.title().to_owned(), product.text("price").unwrap_or_default().to_owned()))
            }
            Err(fault) => {
                Err(format!("{}{}", fault.sku.map(|sku| sku + " ").unwrap_or_default(), fault.error_code.as_str()))
            }
        });
    });
    (items, end.map_err(|error: Unreadable| error.error_code().as_str()))
}

/// Returns the ids of a feed's items, of those that are rejected too.
fn ids(format: Format, file: impl AsRef<[u8]>) -> Vec<String> {
    let mut ids = Vec::new();
    let media_type = MediaType { format, charset: None };
    let each = &mut |_, item: Result<crate::Item, crate::ItemFault>| {
        ids.push(match item {
            Ok(item) => item.product.sku().to_string(),
            Err(fault) => fault.sku.unwrap_or_default(),
        });
    };
    read(file.as_ref(), &media_type, None, each).unwrap();
    ids
}

/// Returns a field of the first item.
fn text_of(format: Format, file: impl AsRef<[u8]>, field: &str) -> Option<String> {
    let mut text = None;
    let media_type = MediaType { format, charset: None };
    let each = &mut |position, item: Result<crate::Item, crate::ItemFault>| {
        if position == 1 {
            text = item.unwrap().product.text(field).map(ToOwned::to_owned);
        }
    };
    read(file.as_ref(), &media_type, None, each).unwrap();
    text
}

fn rss(items: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>{items}</channel></rss>"#
    )
}

fn item(id: &str, fields: &str) -> String {
    format!("<item><g:id>{id}</g:id><title>T {id}</title><link>https://shop.example/{id}</link>{fields}</item>")
}

fn good(title: &str, price: &str) -> Item {
    Ok((title.to_owned(), price.to_owned()))
}

/// Returns the codes of what items are used without, with their positions.
fn left_out(format: Format, file: impl AsRef<[u8]>) -> Vec<(u64, &'static str)> {
    let mut left_out = Vec::new();
    let media_type = MediaType { format, charset: None };
    let each = &mut |position, item: Result<crate::Item, crate::ItemFault>| {
        let faults = item.map(|item| item.left_out).unwrap_or_default();
        left_out.extend(faults.iter().map(|fault| (position, fault.error_code.as_str())));
    };
    read(file.as_ref(), &media_type, None, each).unwrap();
    left_out
}

#[test]
fn of_an_encoding_that_server_and_file_tell_differently_the_bytes_tell_which_is_right() {
    let title = |charset: &'static Encoding, declared: &str, bytes: &'static Encoding| {
        let file = rss(&item("A", "")).replace(r#""1.0"?>"#, &format!(r#""1.0" encoding="{declared}"?>"#));
        let file = bytes.encode(&file.replace("T A", "Åäö")).0.into_owned();
        let (mut title, media_type) = (None, MediaType { format: Format::Xml, charset: Some(charset) });
        let each = &mut |_, item: Result<crate::Item, crate::ItemFault>| {
            title = item.ok().map(|item| item.product.title().to_owned());
        };
        read(&file[..], &media_type, None, each).unwrap();
        title
    };

    for (charset, declared, bytes) in [
        (UTF_8, "ISO-8859-1", UTF_8),
        (UTF_8, "ISO-8859-1", WINDOWS_1252),
        (WINDOWS_1252, "utf-8", UTF_8),
        (WINDOWS_1252, "utf-8", WINDOWS_1252),
        (UTF_8, "utf-8", UTF_8),
        // RFC 7303, section 3.
        (WINDOWS_1252, "ISO-8859-5", WINDOWS_1252),
    ] {
        let told = format!("{} and {declared}", charset.name());
        assert_eq!(title(charset, declared, bytes).as_deref(), Some("Åäö"), "{told}, of {}", bytes.name());
    }
    let utf16: Vec<u8> = rss(&item("A", "")).encode_utf16().flat_map(u16::to_be_bytes).collect();
    let (mut titles, media_type) = (0, MediaType { format: Format::Xml, charset: Some(UTF_8) });
    read(&utf16[..], &media_type, None, &mut |_, item| titles += usize::from(item.is_ok())).unwrap();
    assert_eq!(titles, 1, "UTF-16 is told by the first bytes, whatever a server says");
}

#[test]
fn a_title_that_a_program_wrote_is_a_title() {
    let structured = "<g:structured_title><g:digital_source_type>trained_algorithmic_media</g:digital_source_type><g:content>AI mug</g:content></g:structured_title>";
    let of_item = |fields: &str| rss(&format!("<item><g:id>A</g:id><g:link>https://a.example</g:link>{fields}</item>"));
    let table = "id\tlink\tstructured_title(digital_source_type:content)\nA\thttps://a.example\ttrained_algorithmic_media:AI mug\n";

    assert_eq!(text_of(Format::Xml, of_item(structured), "title").as_deref(), Some("AI mug"));
    assert_eq!(text_of(Format::Tsv, table, "title").as_deref(), Some("AI mug"));
    let both = of_item(&format!("<g:title>Mug</g:title>{structured}"));
    assert_eq!(text_of(Format::Xml, both, "title").as_deref(), Some("Mug"));
}

#[test]
fn of_two_colors_or_sizes_none_is_shown() {
    let file = rss(&item("A", "<g:size>S</g:size><g:size>M</g:size><g:color>Red</g:color><g:color>Red</g:color>"));

    assert_eq!((text_of(Format::Xml, &file, "size"), left_out(Format::Xml, &file)), (None, vec![(1, "RepeatedField")]));
    assert_eq!(text_of(Format::Xml, &file, "color").as_deref(), Some("Red"));
}

#[test]
fn other_encodings_are_decoded() {
    let declared =
        rss(&item("A", "")).replace(r#"version="1.0""#, r#"version="1.0" encoding="ISO-8859-1""#).replace("T A", "Åäö");
    let utf16 = |bytes: fn(u16) -> [u8; 2]| {
        rss(&item("A", "")).replace("T A", "Åäö").encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let files: [Vec<u8>; 4] = [
        WINDOWS_1252.encode(&declared).0.into_owned(),
        [&[0xef, 0xbb, 0xbf][..], rss(&item("A", "")).replace("T A", "Åäö").as_bytes()].concat(),
        [&[0xff, 0xfe][..], &utf16(u16::to_le_bytes)].concat(),
        utf16(u16::to_be_bytes),
    ];

    for file in files {
        assert_eq!(items(Format::Xml, file).0, [good("Åäö", "")]);
    }
}

#[test]
fn bytes_that_are_not_in_the_encoding_are_reported() {
    let file = WINDOWS_1252.encode(&rss(&(item("A", "") + &item("ok", ""))).replace("T A", "Åäö")).0.into_owned();

    assert_eq!(items(Format::Xml, file).0, [Err("A InvalidEncoding".into()), good("T ok", "")]);
}

#[test]
fn bytes_that_are_not_in_the_encoding_cost_the_field_that_they_are_in() {
    for field in ["price", "color", "size", "description", "sale_price_effective_date"] {
        let file = format!("id;title;link;{field}\nA;Mug;https://shop.example/a;199,00 €\n");
        let file = WINDOWS_1252.encode(&file).0.into_owned();

        assert_eq!(items(Format::Csv, &file), (vec![good("Mug", "")], Ok(End::Complete)), "{field}");
        assert_eq!(text_of(Format::Csv, &file, field), None);
        assert_eq!(left_out(Format::Csv, &file), [(1, "InvalidEncoding")], "{field}");
    }
}

#[test]
fn what_a_mail_can_do_without_is_left_out_and_reported_and_the_item_stays() {
    let file = rss(&(item("A", "<g:price>199.00</g:price><g:image_link>/a.jpg</g:image_link>") + &item("B", "")));

    assert_eq!(items(Format::Xml, &file), (vec![good("T A", ""), good("T B", "")], Ok(End::Complete)));
    assert_eq!(left_out(Format::Xml, &file), [(1, "InvalidPrice"), (1, "InvalidLink")]);
}

#[test]
fn prices_and_periods_that_are_no_single_text_are_left_out_in_every_format() {
    let line = |fields: &str| format!("{{\"id\":\"A\",\"title\":\"T\",\"link\":\"https://shop.example\",{fields}}}\n");
    let (price, period) = ((1, "InvalidPrice"), (1, "InvalidSalePeriod"));
    for (format, file, expected) in [
        (
            Format::JsonLines,
            line(
                r#""price":"100 SEK","sale_price":"80 SEK","sale_price_effective_date":{"start":"2020-01-01","end":"2020-01-31"}"#,
            ),
            period,
        ),
        (
            Format::Xml,
            rss(&item(
                "A",
                "<g:price>100 SEK</g:price><g:sale_price>80 SEK</g:sale_price><g:sale_price_effective_date><start>2020-01-01</start></g:sale_price_effective_date>",
            )),
            period,
        ),
        (Format::JsonLines, line(r#""price":{"value":"199.00","currency":"SEK"}"#), price),
        (Format::Xml, rss(&item("A", "<g:price>199 SEK</g:price><g:price>99 SEK</g:price>")), price),
        (Format::Csv, "id,title,link,price,price\nA,T,https://shop.example,1 EUR,2 EUR\n".into(), price),
        (Format::Csv, "id,title,link,price,sale_price\nA,T,https://shop.example,2 EUR,3 EUR\n".into(), price),
    ] {
        assert_eq!(left_out(format, &file), [expected], "{file}");
        assert_eq!(text_of(format, &file, "sale_price"), None, "{file}");
    }
}

#[test]
fn titles_with_mark_up_are_read_as_text() {
    let titled = |title: &str| {
        rss(&format!(
            "<item><g:id> A </g:id><title>{title}</title><link>https://shop.example/?a=1&amp;amp;b=2</link></item>"
        ))
    };

    for (written, read) in [
        ("Tom &amp;amp; Jerry&amp;#39;s &amp;quot;Big&amp;quot; mug", "Tom & Jerry's \"Big\" mug"),
        ("<![CDATA[Foo <b>bar</b> &amp; Söhne]]>", "Foo bar & Söhne"),
        ("Foo <b>bar</b>", "Foo bar"),
        ("Foo<b> bar</b> x", "Foo bar x"),
        ("<p>Foo</p><p>bar</p>", "Foo bar"),
        ("Foo<br/>bar", "Foo bar"),
        ("<h1>Mug</h1>", "Mug"),
        ("<![CDATA[<h1>Mug</h1> <del>old</del>]]>", "Mug old"),
        ("Tom&#146;s", "Tom’s"),
    ] {
        assert_eq!(items(Format::Xml, titled(written)).0, [good(read, "")], "{written}");
    }
}

#[test]
fn what_programs_of_web_pages_write_is_read_as_text_wherever_it_stands() {
    let file = rss(&item("A", "<g:size>10&amp;quot;</g:size><g:color>Black &amp;amp; white</g:color>"));
    assert_eq!(text_of(Format::Xml, &file, "size").as_deref(), Some("10\""));
    assert_eq!(text_of(Format::Xml, &file, "color").as_deref(), Some("Black & white"));
    let array = r#"{"id":"A","title":["Tom&#146;s"],"link":"https://shop.example/?a=1&#38;b=2&#x26;c=3"}"#;
    assert_eq!(text_of(Format::JsonLines, array, "title").as_deref(), Some("Tom’s"));
    assert_eq!(text_of(Format::JsonLines, array, "link").as_deref(), Some("https://shop.example/?a=1&b=2&c=3"));
}

#[test]
fn a_row_or_a_text_or_a_comment_of_many_megabytes_is_passed_over() {
    // Of whatever length: where a part ends there may be half a character.
    for long in ["å".repeat(2_000_000), "x".to_owned() + &"å".repeat(2_000_000)] {
        passes_over(&long);
    }
}

fn passes_over(long: &str) {
    let table = format!("id\ttitle\tlink\nA\t{long}\thttps://shop.example/A\nB\tT B\thttps://shop.example/B\n");
    let text = rss(&(item("A", &format!("<g:description>{long}</g:description>")) + &item("B", "")));
    let comment = rss(&(item("A", "") + &format!("<!-- {long} -->") + &item("B", "")));

    let too_large = Err("A ItemTooLarge".to_owned());
    assert_eq!(items(Format::Tsv, table), (vec![too_large, good("T B", "")], Ok(End::Complete)));
    assert_eq!(items(Format::Xml, text), (vec![good("T A", ""), good("T B", "")], Ok(End::Complete)));
    assert_eq!(items(Format::Xml, comment), (vec![good("T A", ""), good("T B", "")], Ok(End::Complete)));
}

#[test]
fn what_is_commented_out_is_no_item_however_long_it_is() {
    let old = item("OLD", "<g:price>1.00 SEK</g:price>").repeat(20_000);
    assert!(old.len() > 2 * crate::bounded::MAX_BYTES);
    for passed_over in
        [format!("<!-- {old} -->"), format!("<?note {old} ?>"), item("A", &format!("<note><![CDATA[{old}]]></note>"))]
    {
        let file = rss(&(passed_over + &item("B", "")));

        assert_eq!(ids(Format::Xml, file).iter().filter(|id| *id == "OLD").count(), 0);
    }
}

#[test]
fn a_lower_than_sign_in_a_text_is_text() {
    for title in ["5 < 6", "a <3 b", "x << y \" z", "<![CDATA[5 < 6]]>"] {
        let file =
            rss(&(format!("<item><g:id>A</g:id><title>{title}</title><link>https://shop.example/a</link></item>")
                + &item("B", "")));

        let plain = title.replace("<![CDATA[", "").replace("]]>", "");
        assert_eq!(items(Format::Xml, file).0, [good(&plain, ""), good("T B", "")], "{title}");
    }
}

#[test]
fn a_field_that_has_another_name_is_told_of_once() {
    let csv = "id,title,link,price [SEK],Image URL\nA,Mug,https://shop.example/a,199 SEK,https://shop.example/a.jpg\nB,Cup,https://shop.example/b,99 SEK,https://shop.example/b.jpg\n";
    assert_eq!(left_out(Format::Csv, csv), [(1, "UnknownField"), (1, "UnknownField")]);

    let lines = r#"{"id":"A","title":"Mug","link":"https://shop.example/a","regular_price":"199 SEK","imageUrl":"https://shop.example/a.jpg"}"#;
    assert_eq!(left_out(Format::JsonLines, lines), [(1, "UnknownField"), (1, "UnknownField")]);

    let known = "id,title,link,price,image_link,price_type,image count\nA,Mug,https://shop.example/a,199 SEK,https://shop.example/a.jpg,2,3\n";
    assert_eq!(left_out(Format::Csv, known), []);
    let without = "id,title,link,price_type,image_count\nA,Mug,https://shop.example/a,gross,3\n";
    assert_eq!(left_out(Format::Csv, without), []);
}

/// Returns a field of the first item of a feed whose prices are in pounds if they say none, and the codes of what it is
/// used without.
fn field_of_first(format: Format, file: &str, field: &str) -> (Option<String>, Vec<&'static str>) {
    let mut first = None;
    let media_type = MediaType { format, charset: None };
    read(file.as_bytes(), &media_type, Currency::parse("GBP"), &mut |_, item| {
        first.get_or_insert(item);
    })
    .unwrap();
    let item = first.unwrap().unwrap();
    let faults = item.left_out.iter().map(|fault| fault.error_code.as_str()).collect();
    (item.product.text(field).map(ToOwned::to_owned), faults)
}

#[test]
fn a_currency_beside_the_price_goes_before_that_of_the_feed() {
    let beside = |fields: &str| rss(&item("A", fields));
    for (fields, price) in [
        ("<g:price>10.00</g:price>", Some("10.00 GBP")),
        ("<g:price currency=\"EUR\">10.00</g:price>", Some("10.00 EUR")),
        ("<g:price unit=\"USD\">10.00</g:price>", Some("10.00 USD")),
        ("<g:price unit=\"piece\">10.00</g:price>", Some("10.00 GBP")),
        ("<g:price currency=\"EUR\">10.00 SEK</g:price>", Some("10.00 SEK")),
        ("<g:price currency=\"EUR\">£10.00</g:price>", Some("10.00 GBP")),
        ("<g:price>10.00</g:price><currency>EUR</currency>", Some("10.00 EUR")),
        ("<g:price>$10.00</g:price><currency>CAD</currency>", Some("10.00 CAD")),
        ("<g:price currency=\"XYZ\">10.00</g:price>", None),
        ("<g:price>10.00</g:price><currency>XYZ</currency>", None),
    ] {
        let (read, faults) = field_of_first(Format::Xml, &beside(fields), "price");
        assert_eq!((read.as_deref(), faults.is_empty()), (price, price.is_some()), "{fields}");
    }
    let lines = r#"{"id":"A","title":"T","link":"https://shop.example/a","price":10.5,"priceCurrency":"EUR"}"#;
    assert_eq!(field_of_first(Format::JsonLines, lines, "price"), (Some("10.5 EUR".into()), vec![]));
    let table = "id;title;link;price;Currency\nA;T;https://shop.example/a;10,50;EUR\n";
    assert_eq!(field_of_first(Format::Csv, table, "price"), (Some("10.50 EUR".into()), vec![]));
    let sale = beside("<g:price>10 AUD</g:price><g:sale_price currency=\"USD\">8.00</g:sale_price>");
    assert_eq!(field_of_first(Format::Xml, &sale, "sale_price"), (None, vec!["InvalidPrice"]));
}

#[test]
fn the_noise_of_binary_fractions_is_no_part_of_a_price() {
    for (written, read) in [
        ("41.964999999999996 AUD", "41.96 AUD"),
        ("19.990000000000002 GBP", "19.99 GBP"),
        ("1299.9000244140625 SEK", "1299.90 SEK"),
        ("0.10000000149011612 EUR", "0.10 EUR"),
        ("0.125 EUR", "0.125 EUR"),
        ("12999.50 HUF", "12999.50 HUF"),
    ] {
        let file = rss(&item("A", &format!("<g:price>{written}</g:price>")));
        assert_eq!(field_of_first(Format::Xml, &file, "price"), (Some(read.into()), vec![]), "{written}");
    }
}

#[test]
fn of_several_addresses_in_one_text_the_first_is_used() {
    let (one, other) = ("https://shop.example/1.jpg", "https://shop.example/2.jpg");
    for between in [",", ", ", " ", "|", " | ", ";", "\n"] {
        let picture = rss(&item("A", &format!("<g:image_link>{one}{between}{other}</g:image_link>")));
        assert_eq!(field_of_first(Format::Xml, &picture, "image_link"), (Some(one.into()), vec!["RepeatedField"]));
        let link =
            picture.replace("<link>https://shop.example/A</link>", &format!("<link>{one}{between}{other}</link>"));
        let (read, faults) = field_of_first(Format::Xml, &link, "link");
        assert_eq!((read.as_deref(), faults.len()), (Some(one), 2), "{between:?}");
    }
    for whole in
        ["https://shop.example/a?next=1,https://shop.example/b", "https://shop.example/w=1/https://shop.example/a"]
    {
        let picture = rss(&item("A", &format!("<g:image_link>{whole}</g:image_link>")));
        assert_eq!(field_of_first(Format::Xml, &picture, "image_link"), (Some(whole.into()), vec![]));
    }
}

#[test]
fn what_says_two_things_or_nothing_is_left_out() {
    for (fields, field, read, faults) in [
        (
            "<g:availability>preorder</g:availability><g:availability>in stock</g:availability>",
            "availability",
            None,
            vec!["RepeatedField"],
        ),
        (
            "<g:availability>in stock</g:availability><g:availability>in_stock</g:availability>",
            "availability",
            Some("in stock"),
            vec![],
        ),
        ("<g:color>null</g:color>", "color", None, vec!["Empty"]),
        ("<g:size>#N/A</g:size>", "size", None, vec!["Empty"]),
        ("<g:size>XL</g:size>", "size", Some("XL"), vec![]),
    ] {
        let found = field_of_first(Format::Xml, &rss(&item("A", fields)), field);
        assert_eq!(found, (read.map(ToOwned::to_owned), faults), "{fields}");
    }
}

#[test]
fn objects_that_go_over_lines_are_no_json_lines() {
    let products: Vec<_> = ["A", "B"]
        .iter()
        .map(|id| serde_json::json!({"id": id, "title": "T", "link": "https://shop.example/a"}))
        .collect();
    let indented: String = products.iter().map(|product| format!("{product:#}\n")).collect();
    let begun = "{ \"id\": \"A\",\n  \"title\": \"T\" }\n";
    let media_type = MediaType { format: Format::JsonLines, charset: None };
    for file in [indented.as_str(), begun, &format!("\u{feff}\n{indented}")] {
        let read = read(file.as_bytes(), &media_type, None, &mut |_, _| panic!("an item"));
        assert!(matches!(read, Err(Unreadable::NoFeed(Mistaken::Json))), "{file}");
    }

    // A first line that is damaged costs itself, and a line that is a part of an object names no item.
    let damaged = "{\"id\":\"A\",\n{\"id\":\"B\",\"title\":\"T\",\"link\":\"https://shop.example/b\"}\n\"id\":\"C\",\n";
    let (items, _) = items(Format::JsonLines, damaged);
    assert_eq!(items, [Err("A MalformedJson".into()), good("T", ""), Err("MalformedJson".into())]);
}

use crate::{End, Format, MediaType, Unreadable, read};
use encoding_rs::WINDOWS_1252;

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

#[test]
fn rss_items_are_read_with_and_without_prefix() {
    let file = rss(&(item("A", "<g:price>1.00 SEK</g:price>")
        + "<item><id>B</id><title>T B</title><link>https://shop.example</link><price>2 SEK</price></item>"));

    assert_eq!(items(Format::Xml, file), (vec![good("T A", "1.00 SEK"), good("T B", "2 SEK")], Ok(End::Complete)));
}

#[test]
fn a_field_in_googles_namespace_goes_before_one_without_and_a_nested_one_never_counts() {
    let file = rss(&item(
        "A",
        "<price>9.00 SEK</price><g:price>1.00 SEK</g:price><g:shipping><g:price>5.00 SEK</g:price></g:shipping>",
    ));

    assert_eq!(items(Format::Xml, file).0, [good("T A", "1.00 SEK")]);
}

#[test]
fn another_prefix_for_googles_namespace_is_understood() {
    let file = r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="http://base.google.com/ns/1.0">
        <entry><x:id>A</x:id><title>T</title><link rel="self" href="https://no.example"/><link href="https://shop.example/?a=1&amp;b=2"/>
        <x:price>1.00 EUR</x:price></entry></feed>"#;

    assert_eq!(items(Format::Xml, file), (vec![good("T", "1.00 EUR")], Ok(End::Complete)));
}

#[test]
fn cdata_comments_and_entities_are_resolved() {
    let file = rss(
        "<item><g:id>A</g:id><title><!-- c --><![CDATA[Tom & ]]>J&#233;r&eacute;&amp;<!-- d -->Co &unknown;</title><link>https://shop.example?a=1&amp;b=2</link></item>",
    );

    assert_eq!(items(Format::Xml, file).0, [good("Tom & Jéré&Co &unknown;", "")]);
}

#[test]
fn a_stray_ampersand_spoils_nothing() {
    let file = rss("<item><g:id>A</g:id><title>Salt & pepper</title><link>https://shop.example?a=1&b=2</link></item>");

    assert_eq!(items(Format::Xml, file).0, [good("Salt & pepper", "")]);
}

#[test]
fn a_broken_item_is_reported_and_the_others_are_read() {
    let broken = [
        ("<item><title>no id</title><link>https://a.example</link></item>".to_owned(), "MissingId"),
        ("<item><g:id>B</g:id><title>T</title><link>/b</link></item>".to_owned(), "B InvalidLink"),
        ("<item><g:id>C</g:id><title>T</g:title></item>".to_owned(), "C MismatchedTags"),
        ("<item><g:id>D</g:id><title>T</title>".to_owned(), "D MismatchedTags"),
        (format!("<item><g:id>F</g:id><title>{}</title></item>", "x".repeat(2_000_000)), "F ItemTooLarge"),
        (
            "<item><g:id>G</g:id><title>T<br>T</title><link>https://a.example</link></item>".to_owned(),
            "G MismatchedTags",
        ),
        (item("H", "<description>T<g:price>9.00 SEK</g:price>"), "H MismatchedTags"),
    ];
    let mut file = String::new();
    for (broken, _) in &broken {
        file += broken;
        file += &item("ok", "");
    }

    let (found, end) = items(Format::Xml, rss(&file));

    let expected: Vec<_> = broken.iter().flat_map(|(_, error)| [Err((*error).to_owned()), good("T ok", "")]).collect();
    assert_eq!((found, end), (expected, Ok(End::Complete)));
}

#[test]
fn a_file_that_is_cut_off_says_in_which_item() {
    let whole = rss(&(item("A", "") + &item("B", "<g:price>1.00 SEK</g:price>")));
    let cut = whole.find("1.00").unwrap();

    let (found, end) = items(Format::Xml, &whole[..cut]);

    assert_eq!((found, end), (vec![good("T A", ""), Err("B UnexpectedEnd".into())], Ok(End::CutOff)));
}

#[test]
fn a_file_that_is_cut_off_anywhere_never_panics_and_keeps_every_whole_item() {
    let whole = rss(&(item("A", "<g:price>1.00 SEK</g:price><!-- c --><x><![CDATA[y]]></x>&amp;") + &item("B", "")));
    let end_of_a = whole.find("</item>").unwrap() + "</item>".len();

    for cut in 0..whole.len() {
        let (found, _) = items(Format::Xml, &whole[..cut]);
        assert_eq!(found.first().is_some_and(Result::is_ok), cut >= end_of_a, "cut at {cut}");
    }
}

#[test]
fn a_file_that_is_cut_off_between_two_items_is_not_complete() {
    let whole = rss(&(item("A", "") + &item("B", "")));
    let cut = whole.find("</item>").unwrap() + "</item>".len();

    assert_eq!(items(Format::Xml, &whole[..cut]), (vec![good("T A", "")], Ok(End::CutOff)));
}

#[test]
fn an_item_whose_elements_nest_without_end_is_reported() {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));

    let (found, end) = items(Format::Xml, rss(&(item("A", &deep) + &item("B", ""))));

    assert_eq!((found, end), (vec![good("T A", ""), good("T B", "")], Ok(End::Complete)));
    let title = format!("<item><g:id>A</g:id><title>{deep}</title></item>");
    assert_eq!(items(Format::Xml, rss(&title)).0, [Err("A MismatchedTags".into())]);
}

#[test]
fn what_is_wrong_within_a_field_that_a_mail_can_do_without_costs_that_field() {
    let deep = "<a>".repeat(20) + &"</a>".repeat(20);
    for (field, error_code) in [
        ("<description>Foo<br>bar</description>".to_owned(), "MismatchedTags"),
        ("<description><b>x</i></description>".to_owned(), "MismatchedTags"),
        ("<description><b>x</i></b></description>".to_owned(), "MismatchedTags"),
        (format!("<description>{deep}</description>"), "MismatchedTags"),
        (format!("<description>{}</description>", "x".repeat(110_000)), "ItemTooLarge"),
        (format!("<description>{}</description>", "å".repeat(1_500_000)), "ItemTooLarge"),
        (format!("<description>{}</description>", "<b>x</b>".repeat(60_000)), "ItemTooLarge"),
        (format!("<g:a>{0}</g:a><g:b>{0}x</g:b>", "x".repeat(60_000)), "ItemTooLarge"),
        ("<g:sale_price_effective_date>2020<br></g:sale_price_effective_date>".to_owned(), "MismatchedTags"),
    ] {
        let sound = "<g:price>9.00 SEK</g:price><g:sale_price>8.00 SEK</g:sale_price>";
        let file = rss(&(item("A", &(field.clone() + sound)) + &item("B", "")));
        let field: String = field.chars().take(50).collect();

        assert_eq!(
            items(Format::Xml, &file),
            (vec![good("T A", "9.00 SEK"), good("T B", "")], Ok(End::Complete)),
            "{field}"
        );
        assert_eq!(left_out(Format::Xml, &file), [(1, error_code)], "{field}");
        let sale = text_of(Format::Xml, &file, "sale_price");
        assert_eq!(sale.is_none(), field.contains("sale_price"), "{field}");
    }
}

#[test]
fn a_lower_than_sign_in_a_description_costs_nothing() {
    let file = rss(&item("A", "<description>5 < 6 \"</description><g:price>9.00 SEK</g:price>"));

    assert_eq!(text_of(Format::Xml, &file, "description").as_deref(), Some("5 < 6 \""));
    assert_eq!(left_out(Format::Xml, &file), []);
}

#[test]
fn names_of_xml_match_whatever_their_case() {
    let file = rss(
        "<Item><G:ID>A</G:ID><Title>Mug</Title><Link>https://shop.example/a</Link><g:Price>10.00 EUR</g:Price></Item>",
    );

    assert_eq!(items(Format::Xml, file), (vec![good("Mug", "10.00 EUR")], Ok(End::Complete)));
}

#[test]
fn what_is_no_feed_is_refused_as_a_whole() {
    for file in ["", "hello", "<html><body>404</body></html>", "{\"a\":1}", "<rss><channel></channel></rss>"] {
        assert_eq!(items(Format::Xml, file).1, Err("NoItems"), "{file}");
    }
    for file in ["", "\n", "sku,title\n1,2\n"] {
        assert_eq!(items(Format::Csv, file).1, Err("NoIdColumn"), "{file}");
    }
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
fn tables_are_read_with_quotes_any_line_ends_and_any_usual_delimiter() {
    let header = "ID,g:Title,link,Price";
    let expected = vec![good("Say \"hi\", twice", "1.00 EUR")];

    let csv = format!("\u{feff}{header}\r\nA,\"Say \"\"hi\"\", twice\",https://a.example,1.00 EUR\r\n\r\n");
    assert_eq!(items(Format::Csv, csv), (expected.clone(), Ok(End::Complete)));
    let semicolons = format!("{}\nA;\"Say \"\"hi\"\", twice\";https://a.example;1.00 EUR", header.replace(',', ";"));
    assert_eq!(items(Format::Csv, semicolons).0, expected);
    let tabs = format!("{}\nA\t\"Say \"\"hi\"\", twice\"\thttps://a.example\t1.00 EUR\n", header.replace(',', "\t"));
    assert_eq!(items(Format::Tsv, tabs).0, expected);
}

#[test]
fn a_row_with_too_few_or_too_many_fields_is_reported() {
    let file = "id,title,link\nA,T\nB,T,https://b.example,more\nC,T C,https://c.example\n";

    assert_eq!(
        items(Format::Csv, file).0,
        [Err("A WrongNumberOfFields".into()), Err("B WrongNumberOfFields".into()), good("T C", "")]
    );
}

#[test]
fn a_table_whose_last_line_is_short_and_has_no_end_was_cut_off() {
    let file = "id,title,link\nA,T A,https://a.example\nB,T";

    assert_eq!(items(Format::Csv, file), (vec![good("T A", ""), Err("B UnexpectedEnd".into())], Ok(End::CutOff)));
    let optional = "id,title,link,price\nA,T A,https://a.example,1.00 EUR\nB,T B,https://b.exam";
    assert_eq!(
        items(Format::Csv, optional),
        (vec![good("T A", "1.00 EUR"), Err("B UnexpectedEnd".into())], Ok(End::CutOff))
    );
}

#[test]
fn a_last_line_that_has_an_end_cuts_nothing_off() {
    let file = "id,title,link\nA,T A,https://a.example\n# end\n";

    assert_eq!(
        items(Format::Csv, file),
        (vec![good("T A", ""), Err("# end WrongNumberOfFields".into())], Ok(End::Complete))
    );
}

#[test]
fn a_last_line_without_an_end_is_whole_if_its_last_field_is() {
    let file = "id,title,link,price,brand\nA,T A,https://a.example,1.00,Nordvik";

    assert_eq!(items(Format::Csv, file), (vec![good("T A", "")], Ok(End::Complete)));
}

#[test]
fn blank_fields_behind_the_last_column_and_optional_ones_that_are_missing_cost_nothing() {
    let file = "id,title,link,price,brand\n\
        A,T A,https://a.example,1.00 EUR,Nordvik,, \n\
        B,T B,https://b.example,2.00 EUR\n\
        C,T C,https://c.example\n\
        D,T D,https://d.example,3.00 EUR,Nordvik,more\n\
        E,T E\n";

    let (found, end) = items(Format::Csv, file);

    assert_eq!(found[..3], [good("T A", "1.00 EUR"), good("T B", "2.00 EUR"), good("T C", "")]);
    assert_eq!(found[3..], [Err("D WrongNumberOfFields".into()), Err("E WrongNumberOfFields".into())]);
    assert_eq!((left_out(Format::Csv, file), end), (vec![], Ok(End::Complete)));
    let fused = "id,title,link,price\n1,\"Mug,/p/1,10.00 EUR,\n2,Plate\",/p/2,20.00 EUR,\n";
    assert_eq!(ids(Format::Csv, fused), ["1", "2"]);
}

#[test]
fn what_is_no_table_is_named() {
    for (file, name) in [
        ("<!DOCTYPE html><html><body>Sign in</body></html>", "This is HTML"),
        (" <html lang=\"sv\">", "This is HTML"),
        ("<?xml version=\"1.0\"?><rss><channel></channel></rss>", "This is XML"),
        ("{\"id\":\"A\"}\n", "This is JSON"),
        ("[{\"id\":\"A\"}]", "This is JSON"),
        ("sku,title\n", "The first line"),
    ] {
        let media_type = MediaType { format: Format::Csv, charset: None };
        let error = read(file.as_bytes(), &media_type, None, &mut |_, _| {}).unwrap_err();

        assert!(error.to_string().starts_with(name), "{file}: {error}");
        assert_eq!(error.error_code().as_str(), "NoIdColumn");
    }
    let media_type = MediaType { format: Format::Xml, charset: None };
    let error = read("<html></html>".as_bytes(), &media_type, None, &mut |_, _| {}).unwrap_err();
    assert_eq!((error.error_code().as_str(), error.to_string().starts_with("This is HTML")), ("NoItems", true));
}

#[test]
fn a_table_in_another_encoding_is_read_by_its_declared_charset() {
    let file = WINDOWS_1252.encode("id;title;link\nA;Åäö;https://a.example\n").0.into_owned();
    let mut titles = Vec::new();

    let media_type = MediaType::parse("text/csv; charset=iso-8859-1").unwrap();
    read(file.as_slice(), &media_type, None, &mut |_, item| titles.push(item.unwrap().product.title().to_owned()))
        .unwrap();

    assert_eq!(titles, ["Åäö"]);
}

#[test]
fn a_quote_that_is_never_closed_is_text_and_costs_no_other_row() {
    let row = |id: usize| format!("{id},Mug {id},https://shop.example/{id},{}.00 EUR\n", id + 1);
    let rows = |range: std::ops::Range<usize>| range.map(row).collect::<String>();
    let file =
        "id,title,link,price\n1,Mug 1,https://shop.example/1,2.00 EUR\n2,\"Mug 2,https://shop.example/2,3.00 EUR\n";

    let (items, end) = items(Format::Csv, file.to_owned() + &rows(3..60_000));

    assert_eq!(items[..2], [good("Mug 1", "2.00 EUR"), good("\"Mug 2", "3.00 EUR")]);
    assert_eq!(items.last(), Some(&good("Mug 59999", "60000.00 EUR")));
    assert_eq!((items.len(), end), (59_999, Ok(End::Complete)));
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
fn a_stray_quote_stays_in_its_own_field_and_is_reported() {
    let titles = ["Mug", "\"Hello\" says the cat", "\"Wow mug", "Plate", "\"Best mug", "Bowl"];
    let row = |(n, title): (usize, &&str)| format!("T{n}\t{title}\thttps://shop.example/{n}\t{n}0.00 EUR\n");
    let file = "id\ttitle\tlink\tprice\n".to_owned()
        + &titles.iter().enumerate().map(|(n, title)| row((n + 1, title))).collect::<String>();

    let expected: Vec<_> =
        titles.iter().enumerate().map(|(n, title)| good(title, &format!("{}0.00 EUR", n + 1))).collect();
    assert_eq!(items(Format::Tsv, &file), (expected, Ok(End::Complete)));
    assert_eq!(left_out(Format::Tsv, &file), [(3, "StrayQuote"), (5, "StrayQuote")]);
}

#[test]
fn rows_that_two_stray_quotes_would_make_one_stay_rows() {
    let file = "id,title,link\n1,\"Mug,https://shop.example/1\n2,Plate,https://shop.example/2\n3,Bowl\",https://shop.example/3\n";

    assert_eq!(items(Format::Csv, file).0, [good("\"Mug", ""), good("Plate", ""), good("Bowl\"", "")]);
    let neighbours = "id,title,link\n1,\"Mug,https://shop.example/1\n2,Bowl\",https://shop.example/2\n";
    assert_eq!(items(Format::Csv, neighbours).0, [good("\"Mug", ""), good("Bowl\"", "")]);
    let address_with_a_line_end = "id,title,link\n1,Mug,\"https://shop.example/1\n\"\n2,Bowl,https://shop.example/2\n";
    assert_eq!(items(Format::Csv, address_with_a_line_end).0, [good("Mug", ""), good("Bowl", "")]);
}

#[test]
fn rows_that_stray_quotes_would_fuse_are_told_by_addresses_of_any_form() {
    for link in ["//shop.example/", "/p/", "www.shop.example/", "HTTPS://shop.example/"] {
        let file = format!("id,title,link,price\n1,\"Mug,{link}1,10.00 EUR\n2,Plate\",{link}2,20.00 EUR\n");

        assert_eq!(ids(Format::Csv, &file), ["1", "2"], "{link}");
    }
}

#[test]
fn rows_that_a_quote_in_the_last_column_would_fuse_with_a_part_of_the_next_stay_rows() {
    let file = "id,link,title\n1,https://shop.example/1,\"Best\n2,https://shop.example/2,Monitor 24\"\n3,https://shop.example/3,Bowl\n";
    assert_eq!(ids(Format::Csv, file), ["1", "2", "3"]);
    let inches = "id,link,brand,title\n1,https://shop.example/1,B,\"Best\n2,https://shop.example/2,Monitor 24\",T\n3,https://shop.example/3,B,Bowl\n";
    assert_eq!(ids(Format::Csv, inches), ["1", "2", "3"]);
    let before_the_link = "id,title,link,brand\n1,T,https://shop.example/1,\"Best\n2,Monitor 24\",https://shop.example/2,B\n3,T,https://shop.example/3,B\n";
    assert_eq!(ids(Format::Csv, before_the_link), ["1", "2", "3"]);
}

#[test]
fn a_quoted_description_with_lines_that_are_no_rows_stays_one() {
    for file in [
        "id,link,description\n1,https://shop.example/1,\"One\n2,two\"\n2,https://shop.example/2,T\n",
        "id,link,description\n1,https://shop.example/1,\"See\n/p/1, and /p/2\"\n2,https://shop.example/2,T\n",
        "id,description,link\n1,\"One, two\nthree, four\",https://shop.example/1\n2,T,https://shop.example/2\n",
        "id,title,description,link,price\n1,T,\"With\n/ or without, handle\",https://shop.example/1,1 EUR\n2,T,D,https://shop.example/2,1 EUR\n",
    ] {
        assert_eq!(ids(Format::Csv, file), ["1", "2"], "{file}");
    }
}

#[test]
fn a_quoted_field_may_have_lines_quotes_and_delimiters() {
    let file = "id,title,description,link\r\n1,\"12\" pipe, black\",\"One, two\r\nthree \"\"four\"\"\",https://shop.example/1\r\n2,T,\"\",https://shop.example/2";

    assert_eq!(items(Format::Csv, file), (vec![good("12\" pipe, black", ""), good("T", "")], Ok(End::Complete)));
}

#[test]
fn a_quote_in_the_last_column_that_is_never_closed_costs_no_row_behind_it() {
    let row = |n: u32| format!("P{n},https://shop.example/{n},{}T{n}\n", if n == 12 { "\"" } else { "" });
    let file = "id,link,title\n".to_owned() + &(1..=20).map(row).collect::<String>();

    let (items, end) = items(Format::Csv, &file);

    assert_eq!(
        (items.len(), &items[11], &items[19], end),
        (20, &good("\"T12", ""), &good("T20", ""), Ok(End::Complete))
    );
    assert_eq!(left_out(Format::Csv, &file), [(12, "StrayQuote")]);
}

#[test]
fn a_table_that_breaks_off_within_its_last_field_is_not_complete() {
    let file = "id,title,link,price\nA,T,https://shop.example/a,5.00 USD\nB,T,https://shop.example/b,5.00 U";

    assert_eq!(items(Format::Csv, file).1, Ok(End::CutOff));
    assert_eq!(items(Format::Csv, file.to_owned() + "SD").1, Ok(End::Complete));
    let large = format!("id,title,link\nA,T,https://shop.example/a\nB,{}", "x".repeat(200_000));
    assert_eq!(items(Format::Csv, large), (vec![good("T", ""), Err("B UnexpectedEnd".into())], Ok(End::CutOff)));
    let within_quotes = "id,title,link\nA,T,https://shop.example/a\nB,\"T";
    assert_eq!(items(Format::Csv, within_quotes).1, Ok(End::CutOff));
}

#[test]
fn a_table_that_is_cut_off_anywhere_is_read_to_its_end() {
    let whole = "id,title,link\r\nA,\"T\r\nA\",https://shop.example/a\r\nB,T,https://shop.example/b\r\n";

    for cut in "id,title,link".len()..whole.len() {
        let (found, end) = items(Format::Csv, &whole[..cut]);
        assert!(found.len() <= 3 && end.is_ok(), "cut at {cut}: {found:?}");
    }
    let stray = "id,title,link\rA,\"T,https://shop.example/a\rB,T\",https://shop.example/b\r";
    assert_eq!(items(Format::Csv, stray).0, [good("\"T", ""), good("T\"", "")]);
    let of_a_mac = "id,title,link\rA,T,https://shop.example/a\rB,T,https://shop.example/b\r";
    assert_eq!(items(Format::Csv, of_a_mac), (vec![good("T", ""), good("T", "")], Ok(End::Complete)));
}

#[test]
fn a_row_that_is_too_large_is_passed_over_as_a_whole() {
    // Every second line closes the quote of the line before and opens another, so 500 KB are a few rows of 100 KB each. If
    // only the first line of such a row were passed over, its bytes would be read again for each of its lines.
    let chained = "id,title,link\n".to_owned() + &"a\",\"\n".repeat(100_000);

    let (found, end) = items(Format::Csv, chained);

    // Such a row may hide others.
    assert!(found.len() < 10 && end == Ok(End::CutOff), "{} items, {end:?}", found.len());
}

#[test]
fn a_first_line_is_read_in_every_form_that_shops_write_it() {
    for header in [
        "title;id;link",
        "\"title\";\"id\";\"link\"",
        "\"title\",\"id\",\"link\"",
        "title\tid\tlink",
        "title;id ;link",
        "# Required | A title,# Required | A unique id,# Required | A link\ntitle,id,link",
        "# A template\n\ntitle;id;link",
        "\u{feff}title,id,link",
    ] {
        let delimiter =
            [";", "\t", ","].into_iter().find(|delimiter| header.lines().last().unwrap().contains(delimiter));
        let row = ["T", "A", "https://shop.example/a"].join(delimiter.unwrap());
        assert_eq!(
            items(Format::Csv, format!("{header}\n{row}\n")),
            (vec![good("T", "")], Ok(End::Complete)),
            "{header}"
        );
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
    let file =
        rss(&item("A", "<g:size>10&amp;quot;</g:size><g:color>Black &amp;amp; white</g:color><g:color>Blue</g:color>"));
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
fn json_lines_have_the_names_of_a_table_and_a_bad_line_costs_only_itself() {
    let file = concat!(
        "\u{feff}{\"id\":\"A\",\"Title\":\"Mug\",\"link\":\"https://shop.example/a\",\"price\":\"1.00 SEK\"}\r\n",
        "\n",
        "{\"id\":7,\"g:title\":\"Cup\",\"link\":\"https://shop.example/b\",\"price\":\"2 SEK\",\"size\":null,\"shipping\":{\"price\":\"9 SEK\"}}\n",
        "[1]\n",
        "{\"id\":\"C\"\n",
        "{\"id\":\"D\",\"title\":\" \",\"link\":\"https://shop.example/d\"}\n",
        "{\"id\":\"E\",\"title\":\"Bowl\",\"link\":\"https://shop.example/e\"}",
    );

    let (found, end) = items(Format::JsonLines, file);

    let bad = |code: &str| Err(code.to_owned());
    assert_eq!(
        found,
        [
            good("Mug", "1.00 SEK"),
            good("Cup", "2 SEK"),
            bad("MalformedJson"),
            bad("MalformedJson"),
            bad("D MissingTitle"),
            good("Bowl", "")
        ]
    );
    assert_eq!(end, Ok(End::Complete));
}

#[test]
fn json_lines_that_break_off_or_are_too_long_are_known() {
    let line = |id: &str, title: &str| {
        format!("{{\"id\":\"{id}\",\"title\":\"{title}\",\"link\":\"https://shop.example\"}}\n")
    };
    let whole = line("A", "Mug") + &line("B", &"x".repeat(100_000)) + &line("C", "Cup");

    let (found, end) = items(Format::JsonLines, &whole);
    assert_eq!(found, [good("Mug", ""), Err("ItemTooLarge".into()), good("Cup", "")]);
    assert_eq!(end, Ok(End::Complete));
    assert_eq!(items(Format::JsonLines, &whole[..whole.len() - 9]).1, Ok(End::CutOff));
    assert_eq!(items(Format::JsonLines, "\n \n").1, Err("NoItems"));
}

use crate::{End, Format, MediaType, Unreadable, read};
use encoding_rs::WINDOWS_1252;

/// `Ok` title and price, or `Err` error code.
type Item = Result<(String, String), String>;

/// Returns what a feed holds, by position, and how it ended.
fn items(format: Format, file: impl AsRef<[u8]>) -> (Vec<Item>, Result<End, &'static str>) {
    let mut items = Vec::new();
    let media_type = MediaType { format, charset: None };
    let end = read(file.as_ref(), &media_type, &mut |position, item| {
        assert_eq!(position as usize, items.len() + 1);
        items.push(match item {
            Ok(product) => Ok((product.title().to_owned(), product.text("price").unwrap_or_default().to_owned())),
            Err(fault) => {
                Err(format!("{}{}", fault.sku.map(|sku| sku + " ").unwrap_or_default(), fault.error_code.as_str()))
            }
        });
    });
    (items, end.map_err(|error: Unreadable| error.error_code().as_str()))
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
        (item("B", "<g:price>1 299,00 kr</g:price>"), "B InvalidPrice"),
        ("<item><g:id>C</g:id><title>T</g:title></item>".to_owned(), "C MismatchedTags"),
        ("<item><g:id>D</g:id><title>T</title>".to_owned(), "D MismatchedTags"),
        (
            "<item><g:id>E</g:id><title>a < b</title><link>https://a.example</link></item>".to_owned(),
            "E MismatchedTags",
        ),
        (item("F", &format!("<description>{}</description>", "x".repeat(150_000))), "F ItemTooLarge"),
        (item("G", &format!("<description>{}</description>", "x".repeat(2_000_000))), "G ItemTooLarge"),
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

    assert_eq!((found, end), (vec![Err("A MismatchedTags".into()), good("T B", "")], Ok(End::Complete)));
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
fn a_table_whose_last_line_is_short_was_cut_off() {
    let file = "id,title,link\nA,T A,https://a.example\nB,T";

    assert_eq!(items(Format::Csv, file), (vec![good("T A", ""), Err("B WrongNumberOfFields".into())], Ok(End::CutOff)));
}

#[test]
fn a_table_in_another_encoding_is_read_by_its_declared_charset() {
    let file = WINDOWS_1252.encode("id;title;link\nA;Åäö;https://a.example\n").0.into_owned();
    let mut titles = Vec::new();

    let media_type = MediaType::parse("text/csv; charset=iso-8859-1").unwrap();
    read(file.as_slice(), &media_type, &mut |_, item| titles.push(item.unwrap().title().to_owned())).unwrap();

    assert_eq!(titles, ["Åäö"]);
}

#[test]
fn a_quote_that_is_never_closed_costs_only_a_megabyte_of_rows() {
    let row = |id: usize| format!("{id},Mug {id},https://shop.example/{id},{}.00 EUR\n", id + 1);
    let rows = |range: std::ops::Range<usize>| range.map(row).collect::<String>();
    let file =
        "id,title,link,price\n1,Mug 1,https://shop.example/1,2.00 EUR\n2,\"Mug 2,https://shop.example/2,3.00 EUR\n";

    let (items, end) = items(Format::Csv, file.to_owned() + &rows(3..60_000));

    assert_eq!(items[..2], [good("Mug 1", "2.00 EUR"), Err("2 ItemTooLarge".into())]);
    assert_eq!(items.last(), Some(&good("Mug 59999", "60000.00 EUR")));
    assert!(items.len() > 35_000 && items[2..].iter().all(Result::is_ok), "{} items", items.len());
    assert_eq!(end, Ok(End::CutOff), "what the quote swallowed must not be removed");
}

#[test]
fn a_first_line_whose_quote_is_never_closed_names_no_columns() {
    let row = "1,Mug,https://shop.example/1,2.00 EUR\n".repeat(60_000);

    assert_eq!(items(Format::Csv, format!("id,title,link,\"price\n{row}")), (vec![], Err("NoIdColumn")));
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

    let too_large = || Err("A ItemTooLarge".to_owned());
    assert_eq!(items(Format::Tsv, table), (vec![too_large(), good("T B", "")], Ok(End::CutOff)));
    assert_eq!(items(Format::Xml, text), (vec![too_large(), good("T B", "")], Ok(End::Complete)));
    assert_eq!(items(Format::Xml, comment), (vec![good("T A", ""), good("T B", "")], Ok(End::CutOff)));
}

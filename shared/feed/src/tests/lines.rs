//! JSON lines.

use super::*;
use restock_domain::Currency;

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
            bad("C MalformedJson"),
            bad("D MissingTitle"),
            good("Bowl", "")
        ]
    );
    assert_eq!(end, Ok(End::Complete));
}

#[test]
fn an_array_in_place_of_json_lines_is_no_feed_however_it_is_written() {
    let item = r#"{"id":"A","title":"Mug","link":"https://shop.example/a"}"#;

    for file in [format!("[{item}]"), format!("[\n{item},\n{item}\n]\n"), format!("\u{feff} \n [ {item} ]")] {
        let (found, end) = items(Format::JsonLines, &file);

        assert_eq!((found, end), (Vec::new(), Err("NoItems")), "{file}");
    }
}

#[test]
fn json_lines_that_break_off_or_are_too_long_are_known() {
    let line = |id: &str, title: &str| {
        format!("{{\"id\":\"{id}\",\"title\":\"{title}\",\"link\":\"https://shop.example\"}}\n")
    };
    let whole = line("A", "Mug") + &line("B", &"x".repeat(100_000)) + &line("C", "Cup");

    let (found, end) = items(Format::JsonLines, &whole);
    assert_eq!(found, [good("Mug", ""), Err("B ItemTooLarge".into()), good("Cup", "")]);
    assert_eq!(end, Ok(End::Complete));
    assert_eq!(items(Format::JsonLines, &whole[..whole.len() - 9]).1, Ok(End::CutOff));
    assert_eq!(items(Format::JsonLines, "\n \n").1, Err("NoItems"));
}

#[test]
fn half_a_character_costs_its_field_and_no_more() {
    let line = |title: &str, description: &str| {
        format!(
            "{{\"id\":\"A\",\"title\":\"{title}\",\"link\":\"https://shop.example/a\",\"description\":\"{description}\"}}\n"
        )
    };
    for (description, read) in [
        (r"nice \ud83d", None),
        (r"\ude00 nice", None),
        (r"\ud83d\ud83d\ude00", None),
        (r"a \ud83d\ude00 b", Some("a 😀 b")),
        (r"\\ud83d", Some(r"\ud83d")),
    ] {
        let file = line("Mug", description);
        assert_eq!(items(Format::JsonLines, &file).0, [good("Mug", "")], "{description}");
        assert_eq!(text_of(Format::JsonLines, &file, "description").as_deref(), read, "{description}");
        assert_eq!(left_out(Format::JsonLines, &file).len(), usize::from(read.is_none()), "{description}");
    }
    assert_eq!(items(Format::JsonLines, line(r"Mug \ud83d", "x")).0, [Err("A InvalidEncoding".into())]);
}

#[test]
fn files_that_were_put_together_have_a_byte_order_mark_each() {
    let line =
        |id: &str| format!("\u{feff}{{\"id\":\"{id}\",\"title\":\"T {id}\",\"link\":\"https://shop.example\"}}\n");

    assert_eq!(items(Format::JsonLines, line("A") + &line("B")).0, [good("T A", ""), good("T B", "")]);
}

#[test]
fn a_member_that_repeats_with_another_value_is_left_out() {
    let line =
        |members: &str| format!("{{\"id\":\"A\",\"title\":\"T\",\"link\":\"https://shop.example\",{members}}}\n");

    assert_eq!(left_out(Format::JsonLines, line("\"price\":\"10 EUR\",\"price\":\"20 EUR\"")), [(1, "InvalidPrice")]);
    assert_eq!(left_out(Format::JsonLines, line("\"price\":\"10 EUR\",\"price\":\"10 EUR\"")), []);
    assert_eq!(items(Format::JsonLines, line("\"id\":\"B\"")).0, [Err("A InvalidId".into())]);
}

#[test]
fn a_line_that_can_not_be_read_says_whose_it_was() {
    let broken = "{\"id\": \"A\",\"title\":\"T 5\" wide\"}\n{\"id\":12,\"title\":}\n{\"title\":\"no id}\n";

    let expected = ["A MalformedJson", "12 MalformedJson", "MalformedJson"].map(|fault| Err(fault.to_owned()));
    assert_eq!(items(Format::JsonLines, broken).0, expected);
}

#[test]
fn a_long_line_is_used_without_what_is_too_large() {
    let long = "x".repeat(120_000);
    let line =
        format!("{{\"id\":\"A\",\"title\":\"T\",\"link\":\"https://shop.example\",\"description\":\"{long}\"}}\n");

    assert_eq!(left_out(Format::JsonLines, &line), [(1, "ItemTooLarge")]);
    assert_eq!(items(Format::JsonLines, line).0, [good("T", "")]);
}

#[test]
fn a_number_keeps_the_digits_that_were_sent() {
    for (sent, id) in [
        ("123456789012345678901", "123456789012345678901"),
        ("1.10", "1.10"),
        ("-0", "-0"),
        ("\"7\"", "7"),
        ("1e3", "1000.0"),
    ] {
        let line =
            format!(r#"{{"id":{sent},"title":12345678901234567890123,"link":"https://shop.example/a","price":12.50}}"#);
        let mut read_as = Vec::new();
        let media_type = MediaType { format: Format::JsonLines, charset: None };
        let each = &mut |_, item: Result<crate::Item, crate::ItemFault>| {
            let product = item.unwrap().product;
            read_as.push((
                product.sku().to_string(),
                product.title().to_owned(),
                product.text("price").unwrap().to_owned(),
            ));
        };
        read(line.as_bytes(), &media_type, Currency::parse("SEK"), each).unwrap();

        assert_eq!(read_as, [(id.to_owned(), "12345678901234567890123".to_owned(), "12.50 SEK".to_owned())]);
    }
}

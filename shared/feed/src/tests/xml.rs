//! RSS and Atom.

use super::*;

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
fn what_another_namespace_calls_a_price_is_none_in_an_item_of_googles() {
    let dealers = r#"<b:sale_price xmlns:b="urn:example:b2b">1.00 SEK</b:sale_price><b:season xmlns:b="urn:example:b2b">winter</b:season>"#;
    let file = rss(&item("A", &format!("<g:price>50.00 SEK</g:price>{dealers}")));

    assert_eq!(text_of(Format::Xml, &file, "sale_price"), None);
    assert_eq!(text_of(Format::Xml, &file, "price").as_deref(), Some("50.00 SEK"));
    // Conditions may ask for it.
    assert_eq!(text_of(Format::Xml, &file, "season").as_deref(), Some("winter"));
    // Titles and links may be those of Atom, whatever its prefix.
    let atom = r#"<a:feed xmlns:a="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><a:entry><g:id>A</g:id><a:title>Mug</a:title><a:link href="https://a.example"/><g:price>1.00 SEK</g:price></a:entry></a:feed>"#;
    assert_eq!(items(Format::Xml, atom).0, [good("Mug", "1.00 SEK")]);
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

    assert_eq!(items(Format::Xml, &file).0, [good("Tom & Jéré&Co &unknown;", "")]);
    assert_eq!(left_out(Format::Xml, &file), [(1, "UnknownEntity")]);
}

#[test]
fn an_entity_between_fields_or_of_an_item_before_is_no_fault_of_an_item() {
    let item = |id: &str, title: &str| {
        format!("<item><g:id>{id}</g:id>&lost;<title>{title}</title><link>https://a.example</link></item>")
    };
    let file = rss(&(item("A", "T &amp; &#65; &copy;") + &item("B", "&x; &y;") + &item("C", "T")));

    assert_eq!(left_out(Format::Xml, file), [(2, "UnknownEntity")]);
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
            "<item><g:id>G</g:id><title>T<x>T</title><link>https://a.example</link></item>".to_owned(),
            "G MismatchedTags",
        ),
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
        ("<description>Foo<x>bar</description>".to_owned(), "MismatchedTags"),
        ("<description><x>x</y></description>".to_owned(), "MismatchedTags"),
        ("<description><x>x</y></x></description>".to_owned(), "MismatchedTags"),
        (format!("<description>{deep}</description>"), "MismatchedTags"),
        (format!("<description>{}</description>", "x".repeat(110_000)), "ItemTooLarge"),
        (format!("<description>{}</description>", "å".repeat(1_500_000)), "ItemTooLarge"),
        (format!("<description>{}</description>", "<b>x</b>".repeat(60_000)), "ItemTooLarge"),
        (format!("<g:a>{0}</g:a><g:b>{0}x</g:b>", "x".repeat(60_000)), "ItemTooLarge"),
        ("<g:sale_price_effective_date>2020<x></g:sale_price_effective_date>".to_owned(), "MismatchedTags"),
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
fn tags_of_text_that_nothing_closes_cost_nothing() {
    for title in ["T<br>A", "T <b>A", "T <b>A</i>", "T</b> <i><u>A</i>", "T <ul><li>A</ul>"] {
        let file = rss(&format!("<item><g:id>A</g:id><title>{title}</title><link>https://a.example</link></item>"));
        assert_eq!(items(Format::Xml, &file).0, [good("T A", "")], "{title}");
        assert_eq!(left_out(Format::Xml, &file), [], "{title}");
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
fn an_item_that_forgets_the_end_of_its_cdata_is_reported_and_the_next_one_stays_itself() {
    let rest = "<g:price>10.00 EUR</g:price></item>";
    let next = "<item><g:id>B</g:id><title>Plate</title><link>https://b.example</link><description><![CDATA[White]]></description></item>";
    for broken in ["<title>Mug</title><description><![CDATA[Blue</description>", "<title><![CDATA[Mug</title>"] {
        let file = rss(&format!("<item><g:id>A</g:id>{broken}<link>https://a.example</link>{rest}{next}"));

        assert_eq!(
            items(Format::Xml, file),
            (vec![Err("A MismatchedTags".into()), good("Plate", "")], Ok(End::Complete))
        );
    }
}

#[test]
fn a_file_in_which_the_end_of_cdata_may_be_missing_for_long_is_not_taken_as_whole() {
    let many: String = (0..1_000).map(|n| item(&format!("N{n}"), "<g:price>1.00 SEK</g:price>")).collect();
    assert!(many.len() > 100_000);
    let broken = "<item><g:id>A</g:id><title>T</title><link>https://a.example</link><description><![CDATA[x</description></item>";
    let with_cdata = item("B", "<description><![CDATA[y]]></description>");
    for file in [rss(&format!("{broken}{many}")), rss(&format!("{broken}{many}{with_cdata}"))] {
        let (_, end) = items(Format::Xml, file);

        assert_eq!(end, Ok(End::CutOff), "what is missing is not removed");
    }
    // In another case, with a prefix, and at the end of the file.
    let atom =
        format!("<a:feed xmlns:a=\"http://www.w3.org/2005/Atom\">{}</a:feed>", broken.replace("item>", "a:Entry>"));
    assert_eq!(items(Format::Xml, atom), (vec![good("T", "")], Ok(End::Complete)));
}

#[test]
fn a_field_that_is_not_closed_costs_what_follows_it_and_no_more() {
    let before = "<item><g:id>A</g:id><title>T</title><link>https://a.example</link><g:price>7.00 EUR</g:price>";

    for (fields, read) in [
        ("<g:brand2>B</g:color>", good("T", "7.00 EUR")),
        ("<description>T<g:sale_price>5.00 EUR</g:sale_price>", good("T", "7.00 EUR")),
    ] {
        let file = rss(&format!("{before}{fields}</item>{}", item("B", "")));

        assert_eq!(left_out(Format::Xml, &file), [(1, "MismatchedTags")], "{fields}");
        assert_eq!(items(Format::Xml, file), (vec![read, good("T B", "")], Ok(End::Complete)), "{fields}");
    }
    let needed =
        rss("<item><g:id>A</g:id><title>T</title><g:price>7.00 EUR</price><link>https://a.example</link></item>");
    assert_eq!(items(Format::Xml, needed).0, [Err("A MismatchedTags".into())]);
}

#[test]
fn an_item_within_a_field_is_a_part_of_that() {
    let nested = "<g:images><item>https://a.example/a.jpg</item></g:images><g:price>7.00 EUR</g:price>";
    let bundle = "<bundle><item><g:id>N</g:id><title>Part</title><link>https://a.example</link></item></bundle>";
    let file = rss(&(item("A", nested) + &item("B", bundle) + &item("C", "")));

    let expected = vec![good("T A", "7.00 EUR"), good("T B", ""), good("T C", "")];
    assert_eq!(items(Format::Xml, file), (expected, Ok(End::Complete)));
}

#[test]
fn an_item_that_breaks_off_in_a_text_costs_none_of_those_behind_it() {
    let file = rss(&format!("<item><g:id>A</g:id><title>Mu{}{}", item("B", ""), item("C", "")));

    let expected = vec![Err("A MismatchedTags".into()), good("T B", ""), good("T C", "")];
    assert_eq!(items(Format::Xml, file), (expected, Ok(End::Complete)));
}

#[test]
fn what_begins_a_comment_or_an_instruction_in_a_text_does_not_reach_into_the_next_item() {
    for begin in ["<?", "<!--"] {
        let of = |id: &str, title: &str| {
            format!("<item><g:id>{id}</g:id><title>{title}</title><link>https://shop.example/{id}</link></item>")
        };
        let file = rss(&[of("A", &format!("Say {begin}")), of("B", "Two"), of("C", "Who?>-->")].concat());

        let expected = vec![good(&format!("Say {begin}"), ""), good("Two", ""), good("Who?>-->", "")];
        assert_eq!(items(Format::Xml, file), (expected, Ok(End::Complete)), "{begin}");
    }
    let word = "<description><p><?xml:namespace prefix = o ns = \"urn:o\" /><o:p></o:p>Soft</p></description><g:price>9.00 EUR</g:price>";
    let file = rss(&(item("A", word) + &item("B", "")));
    assert_eq!(items(Format::Xml, file).0, [good("T A", "9.00 EUR"), good("T B", "")]);
}

#[test]
fn an_item_with_two_ids_is_none_and_a_second_title_or_link_is_reported() {
    let two = |extra: &str| {
        rss(&format!(
            "<item><g:id>A</g:id><title>Mug</title><link>https://a.example</link><g:price>10 EUR</g:price>{extra}</item>"
        ))
    };

    assert_eq!(items(Format::Xml, two("<g:id>B</g:id><title>Plate</title>")).0, [Err("A InvalidId".into())]);
    assert_eq!(left_out(Format::Xml, two("<g:id>A</g:id><title> Mug </title>")), []);
    assert_eq!(
        left_out(Format::Xml, two("<title>Plate</title><link>https://b.example</link>")),
        [(1, "RepeatedField"); 2]
    );
    assert_eq!(items(Format::Xml, two("<title>Plate</title>")).0, [good("Mug", "10 EUR")]);
}

#[test]
fn damage_in_a_copy_of_a_field_that_does_not_count_costs_nothing() {
    let file = |fields: &str| rss(&format!("<item><g:id>A</g:id><g:link>https://a.example</g:link>{fields}</item>"));
    for sound in [
        "<title>Mug <x>new</title><g:title>Mug</g:title><g:price>1.00 EUR</g:price>",
        "<g:title>Mug</g:title><title>Mug <x>new</title><g:price>1.00 EUR</g:price>",
        "<media:title>Mug <x>new</media:title><title>Mug</title><g:price>1.00 EUR</g:price>",
        "<title>Mug</title><price>1<x></price><g:price>1.00 EUR</g:price>",
        "<title>Mug</title><g:price>1.00 EUR</g:price><price>1<x></price>",
    ] {
        assert_eq!(items(Format::Xml, file(sound)).0, [good("Mug", "1.00 EUR")], "{sound}");
        assert_eq!(left_out(Format::Xml, file(sound)), [], "{sound}");
    }
    assert_eq!(
        items(Format::Xml, file("<title>Mug</title><g:title>Mug <x>new</g:title>")).0,
        [Err("A MismatchedTags".into())]
    );
    let damaged = file("<title>Mug</title><price>1 EUR</price><g:price>2<x></g:price>");
    assert_eq!(left_out(Format::Xml, damaged.clone()), [(1, "MismatchedTags")]);
    assert_eq!(items(Format::Xml, damaged).0, [good("Mug", "")]);
}

#[test]
fn a_stray_ampersand_in_an_address_of_atom_stays() {
    let entry = r#"<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>A</id><title>T</title><link href="https://a.example/?a=1&b=2&amp;c=3"/></entry></feed>"#;

    assert_eq!(text_of(Format::Xml, entry, "link").as_deref(), Some("https://a.example/?a=1&b=2&c=3"));
}

#[test]
fn text_beside_tags_that_format_none_is_reported_and_not_half_of_it_shown() {
    let file = |fields: &str| rss(&item("A", fields));

    assert_eq!(left_out(Format::Xml, file("<g:color>Red <shade>x</shade></g:color>")), [(1, "TextBesideTags")]);
    assert_eq!(text_of(Format::Xml, file("<g:color>Red <shade>x</shade></g:color>"), "color"), None);
    assert_eq!(text_of(Format::Xml, file("<g:color>Red <cite>x</cite></g:color>"), "color").as_deref(), Some("Red x"));
    let shipping = "<g:shipping>\n <g:price>5.00 SEK</g:price>\n <g:country>SE</g:country>\n</g:shipping>";
    assert_eq!(left_out(Format::Xml, file(shipping)), []);
}

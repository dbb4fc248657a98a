//! Tables of text, with the quotes and line ends that shops write.

use super::*;
use restock_domain::Currency;

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
fn a_row_whose_id_begins_with_a_stray_quote_is_damaged_and_no_product_of_another_name() {
    let mut seen = Vec::new();
    let media_type = MediaType { format: Format::Csv, charset: None };
    let each = &mut |_, item: Result<crate::Item, crate::ItemFault>| {
        seen.push(
            item.map(|item| item.product.sku().to_string()).map_err(|fault| (fault.sku, fault.error_code.as_str())),
        );
    };
    read("id,title,link\n\"A,Mug,https://a.example\nB,Cup,https://b.example\n".as_bytes(), &media_type, None, each)
        .unwrap();

    assert_eq!(seen, [Err((Some("A".to_owned()), "StrayQuote")), Ok("B".to_owned())]);
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
    // Every second line closes the quote of the line before and opens another, so 500 KB are a few rows of 100 KB each.
    // If only the first line of such a row were passed over, its bytes would be read again for each of its lines.
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
fn a_text_of_several_lines_that_fits_its_row_is_one_field_even_if_a_line_of_it_begins_like_a_row() {
    for file in [
        "link,id,title,description,price\nhttps://shop.example/1,A,T A,\"Care guide:\nhttps://shop.example/care, wash, cold, dry\",1.00 EUR\n",
        "id,title,description,link,image_link,price\nA,T A,\"Sizes\ns, m, l, https://shop.example/sizes, or ask\",https://shop.example/1,,1.00 EUR\n",
        "id,title,link,description,price\nA,T A,https://shop.example/1,\"one, two,\nthree, four, https://shop.example/x, five\",1.00 EUR\n",
    ] {
        assert_eq!(items(Format::Csv, file), (vec![good("T A", "1.00 EUR")], Ok(End::Complete)), "{file}");
        assert_eq!(left_out(Format::Csv, file), [], "{file}");
    }
}

#[test]
fn a_line_in_which_excel_names_the_delimiter_is_passed_over() {
    let file = "sep=;\r\nid;title;link;price\r\nA;T A;https://a.example;1.00 EUR\r\n";

    assert_eq!(items(Format::Csv, file).0, [good("T A", "1.00 EUR")]);
}

#[test]
fn a_quote_behind_the_address_that_closes_in_the_next_row_fuses_no_rows() {
    let file = "id,title,link,description,price\nA,Mug,https://a.example,\"Big,10.00 EUR\nB,Pan,https://b.example,Fits 24\",20.00 EUR\n";
    assert_eq!(items(Format::Csv, file).0, [good("Mug", "10.00 EUR"), good("Pan", "20.00 EUR")]);

    let title_last =
        "id,link,title,price\nA,https://a.example,\"Mug,10.00 EUR\nB,https://b.example,Pan 24\",20.00 EUR\n";
    assert_eq!(items(Format::Csv, title_last).0, [good("\"Mug", "10.00 EUR"), good("Pan 24\"", "20.00 EUR")]);
    let description = "id,title,link,description,price\nA,Mug,https://a.example,\"Big,\nround\",10.00 EUR\n";
    assert_eq!(items(Format::Csv, description).0, [good("Mug", "10.00 EUR")]);
}

#[test]
fn quotes_behind_a_space_are_quotes() {
    let file = "\"id\", \"title\", \"link\", \"price\"\n\"A\", \"Mug, red\", \"https://a.example\", \"1.00 EUR\"\nB, \"Big\" mug,https://b.example, 2.00 EUR\n";

    assert_eq!(items(Format::Csv, file).0, [good("Mug, red", "1.00 EUR"), good("\"Big\" mug", "2.00 EUR")]);
}

#[test]
fn delimiters_in_a_quoted_name_of_a_column_are_text() {
    let file = "id;title;link;\"Price, net, EUR, 2026\"\nA;Mug;https://a.example;1\n";

    assert_eq!(items(Format::Csv, file).0, [good("Mug", "")]);
}

#[test]
fn a_price_that_may_go_on_in_the_next_field_is_not_shown() {
    let price = |format, file: &str| {
        let mut read_as = None;
        let media_type = MediaType { format, charset: None };
        let each = &mut |_, item: Result<crate::Item, crate::ItemFault>| {
            let item = item.unwrap();
            let words: Vec<_> = item.left_out.iter().map(|fault| fault.error_code.as_str()).collect();
            read_as = Some((item.product.text("price").map(ToOwned::to_owned), words));
        };
        read(file.as_bytes(), &media_type, Currency::parse("SEK"), each).unwrap();
        read_as.unwrap()
    };
    let row = |row: &str| price(Format::Csv, &format!("id,title,link,price,brand\nA,Mug,https://a.example,{row},\n"));

    for in_two in ["199,50", "199,5", "1,299", "1,299.00 SEK", "SEK 1,299", "199,50EUR"] {
        assert_eq!(row(in_two), (None, vec!["InvalidPrice"]), "{in_two}");
    }
    for (sound, read_as) in [
        ("199.50,3M", "199.50 SEK"),
        ("199.50 SEK,50", "199.50 SEK"),
        ("\"199\",\"149\"", "199 SEK"),
        ("199,Nordvik", "199 SEK"),
    ] {
        assert_eq!(row(sound), (Some(read_as.to_owned()), vec![]), "{sound}");
    }
    // In a row that has no more fields than columns, only what can't be one of its own.
    let short =
        |row: &str| price(Format::Csv, &format!("id,title,link,price,brand,color\nA,Mug,https://a.example,{row}\n"));
    for in_two in ["1,299.00 SEK", "1,299.00", "199,50 SEK", "199,50", "199,5", "€12,50", "EUR 12,50", "R$ 12,90"] {
        assert_eq!(short(in_two), (None, vec!["InvalidPrice"]), "{in_two}");
    }
    for sound in ["199,Nordvik", "199,3M,red"] {
        assert_eq!(short(sound), (Some("199 SEK".to_owned()), vec![]), "{sound}");
    }
    let quantity = "id,title,link,price,quantity\nA,Mug,https://a.example,199,50\n";
    assert_eq!(price(Format::Csv, quantity), (Some("199 SEK".to_owned()), vec![]));
    let before = "id,title,link,sale_price,price,brand,color\nA,Mug,https://a.example,1,299.00 EUR,1,499.00 EUR\n";
    assert_eq!(price(Format::Csv, before), (None, vec!["InvalidPrice", "InvalidPrice"]), "what it runs into");
    for (two, shown) in [("199,149", Some("199 SEK")), ("12,50", None)] {
        let sale = format!("id,title,link,price,sale_price\nA,Mug,https://a.example,{two}\n");
        assert_eq!(price(Format::Csv, &sale).0.as_deref(), shown, "{two}");
    }
    let sale = "id,title,link,price,sale_price\nA,Mug,https://a.example,199,50 SEK\n";
    assert_eq!(price(Format::Csv, sale).0, None, "nor is 50 SEK a sale");
    let sale = sale.replace("199,50 SEK", "199 SEK,50 SEK");
    assert_eq!(price(Format::Csv, &sale), (Some("199 SEK".to_owned()), vec![]));
    let tabs = "id\ttitle\tlink\tprice\tquantity\nA\tMug\thttps://a.example\t199\t50\t\n";
    assert_eq!(price(Format::Tsv, tabs), (Some("199 SEK".to_owned()), vec![]));
}

#[test]
fn of_a_row_that_may_lack_a_field_before_its_prices_no_price_is_shown() {
    let read_as = |columns: &str, row: &str| {
        let (mut read_as, media_type) = (None, MediaType { format: Format::Csv, charset: None });
        let each = &mut |_, item: Result<crate::Item, crate::ItemFault>| {
            let item = item.unwrap();
            let text = |field| item.product.text(field).map(ToOwned::to_owned);
            read_as = Some(([text("price"), text("sale_price"), text("color")], item.left_out.len()));
        };
        read(format!("{columns}\n{row}\n").as_bytes(), &media_type, None, each).unwrap();
        let (shown, left_out) = read_as.unwrap();
        (shown.map(Option::unwrap_or_default), left_out)
    };
    let none = || ["", "", ""].map(ToOwned::to_owned);

    let after = "id;title;link;color;price;sale_price";
    assert_eq!(read_as(after, "A;Mug;https://a.example;60.00 SEK;40.00 SEK"), (none(), 2));
    let before = "id;title;link;price;sale_price;color";
    assert_eq!(read_as(before, "A;Mug;https://a.example;40.00 SEK;Red"), (none(), 2));
    assert_eq!(
        read_as(after, "A;Mug;https://a.example/60.00 SEK;Red;40.00 SEK").0[0],
        "",
        "a price within the address"
    );
    assert_eq!(read_as(&format!("{after};size"), "A;Mug;https://a.example;60.00 SEK;40.00 SEK;M").0, none());
    let two = "id;title;link;color;brand;price;sale_price";
    assert_eq!(read_as(two, "A;Mug;https://a.example;60.00 SEK;40.00 SEK").0[0], "", "two are missing");

    // Most programs leave out what is empty at the end.
    assert_eq!(read_as(after, "A;Mug;https://a.example;Red;60.00 SEK"), (["60.00 SEK", "", "Red"].map(Into::into), 0));
    assert_eq!(
        read_as(before, "A;Mug;https://a.example;60.00 SEK;40.00 SEK"),
        (["60.00 SEK", "40.00 SEK", ""].map(Into::into), 0)
    );
    assert_eq!(read_as(&format!("{after};size;a;b"), "A;1984;https://a.example;Red;60.00 SEK").0[0], "60.00 SEK");
}

#[test]
fn an_id_with_a_quote_at_its_end_is_no_other_product_where_fields_stand_in_quotes() {
    let quoted = "\"id\",\"title\",\"link\"\nA\",\"Mug\",\"https://a.example\"\nB\"\",\"Mug\",\"https://a.example\"\n";
    assert_eq!(items(Format::Csv, quoted).0, [Err("A StrayQuote".into()), Err("B StrayQuote".into())]);
    // In inches, by itself or as it is written between quotes.
    let inches = "id,title,link\nTV-55\",Screen,https://a.example\n";
    assert_eq!(ids(Format::Csv, inches), ["TV-55\""]);
    assert_eq!(ids(Format::Csv, "id,title,link\n\"TV-55\"\"\",\"Screen\",https://a.example\n"), ["TV-55\""]);
}

#[test]
fn names_of_googles_api_are_those_of_its_feeds() {
    let line = r#"{"id":"A","title":"Mug","link":"https://a.example","price":"60.00 SEK","salePrice":"40.00 SEK","imageLink":"https://a.example/a.png","mySeason":"winter"}"#;
    for (field, text) in
        [("sale_price", "40.00 SEK"), ("image_link", "https://a.example/a.png"), ("myseason", "winter")]
    {
        assert_eq!(text_of(Format::JsonLines, line, field).as_deref(), Some(text));
    }
}

#[test]
fn of_two_columns_that_name_an_id_the_first_one_counts() {
    let file = "ID,g:id,title,link\nA,1,Mug,https://a.example\nB,2,Cup,https://b.example\n";

    assert_eq!(ids(Format::Csv, file), ["A", "B"]);
}

#[test]
fn a_file_that_breaks_off_in_a_quote_behind_a_space_was_cut_off() {
    let file = "id, title, link, description\nA, \"Mug\", https://a.example, \"Blue and wh";

    assert_eq!(items(Format::Csv, file).1, Ok(End::CutOff));
}

#[test]
fn an_id_has_no_invisible_marks_around_it() {
    let file = "id,title,link\n\u{feff}B,Cup,https://b.example\n\u{200b}C ,Mug,https://c.example\n";
    let mut skus = Vec::new();
    let media_type = MediaType { format: Format::Csv, charset: None };
    read(file.as_bytes(), &media_type, None, &mut |_, item| skus.push(item.unwrap().product.sku().to_string()))
        .unwrap();

    assert_eq!(skus, ["B", "C"]);
}

#[test]
fn a_workbook_is_said_to_be_one() {
    let mut zip = b"PK\x03\x04\x14\x00[Content_Types].xml".to_vec();
    zip.extend([0xff; 40]);

    let media_type = MediaType { format: Format::Csv, charset: None };
    let said = read(zip.as_slice(), &media_type, None, &mut |_, _| {}).unwrap_err().to_string();
    assert!(said.contains("ZIP") && said.contains("save it as CSV"), "{said}");
}

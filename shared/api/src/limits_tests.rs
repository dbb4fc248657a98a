//! Texts that callers read name limits, and the code has them as constants.

use crate::{automations, brand, feeds, history, lines, log, purchases, stock_file, stock_levels};
use crate::{subscriptions, templates, values};

const DESCRIPTION: &str = include_str!("../../../docs/openapi.json");

/// Returns a number as texts have it: `2,000`.
fn written(number: usize) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

#[test]
fn the_description_of_the_api_names_the_limits_that_hold() {
    for (text, limit) in [
        ("What became of the lines, at most {}.", lines::MAX_LINES),
        ("Its newest {} versions, the newest first.", templates::MAX_VERSIONS),
        ("Its newest {} versions, the newest first.", automations::MAX_VERSIONS),
        ("Subscriptions to a page, {} by default.", subscriptions::MAX_LISTED),
        ("Entries to a page, {} by default.", history::DEFAULT_ENTRIES),
        ("Entries to a page, {} by default.", log::DEFAULT_LIMIT),
        ("How many SKUs, {} by default.", log::DEFAULT_LIMIT),
        ("In CSS pixels, {} by default.", brand::DEFAULT_LOGO_WIDTH as usize),
        ("Strings, numbers and booleans by name; at most {}.", values::MAX_ATTRIBUTES),
        ("up to {} subscriptions and receipts", subscriptions::MAX_LISTED),
        ("The lowest number comes first; {} by default.", restock_domain::automation::DEFAULT_PRIORITY as usize),
        ("the newest {} of a scope are remembered", restock_domain::SeenEvents::MAX),
    ] {
        let text = text.replace("{}", &written(limit));
        assert!(DESCRIPTION.contains(&text), "{text}");
    }
}

#[test]
fn errors_name_the_limits_that_hold() {
    const MEGABYTE: usize = 1024 * 1024;
    for (source, text, limit) in [
        (include_str!("purchases.rs"), "A request has at most {} receipts.", purchases::MAX_RECEIPTS),
        (include_str!("purchases.rs"), "A request has at most {} items.", purchases::MAX_ITEMS_TOGETHER),
        (include_str!("values.rs"), "URL of at most {} characters", values::MAX_URL_CHARACTERS),
        (include_str!("values.rs"), "Use at most {} bytes for all attributes", values::MAX_ATTRIBUTE_BYTES),
        (include_str!("stock_levels.rs"), "A request has at most {} MB.", stock_levels::MAX_BYTES / MEGABYTE),
        (include_str!("moving_in.rs"), "A list has at most {} MB.", lines::MAX_UPLOAD_BYTES / MEGABYTE),
        (include_str!("lines.rs"), "An upload has at most {} MB.", lines::MAX_UPLOAD_BYTES / MEGABYTE),
        (include_str!("feeds.rs"), "An upload has at most {} MB.", feeds::MAX_FEED_BYTES / MEGABYTE),
        (include_str!("stock_file.rs"), "A file has at most {} MB as text/csv", stock_file::MAX_TEXT_BYTES / MEGABYTE),
    ] {
        let text = text.replace("{}", &written(limit));
        assert!(source.contains(&text), "{text}");
    }
}

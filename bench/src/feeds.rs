//! Reading a product feed, and the least that any reader of it does.

use quick_xml::Reader;
use quick_xml::events::Event;
use restock_feed::MediaType;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Returns an RSS feed with fields as shops have them: entities, CDATA, a sale in every third item.
pub fn rss(items: usize) -> String {
    let mut xml = String::from(
        r#"<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>"#,
    );
    for item in 0..items {
        let sale = if item % 3 == 0 { "<g:sale_price>899.00 SEK</g:sale_price>" } else { "" };
        let _ = write!(
            xml,
            "\n<item>\n  <g:id>SKU-{item}</g:id>\n  <g:title>Wool sweater Fjäll &amp; Hav, no. {item}</g:title>\n  \
             <g:description><![CDATA[<p>Warm merino wool for cold days, knitted in one piece. Wash at 30 degrees.</p>]]></g:description>\n  \
             <g:link>https://shop.example/products/wool-sweater-{item}?color=grey&amp;size=m</g:link>\n  \
             <g:image_link>https://cdn.shop.example/images/{item}.jpg</g:image_link>\n  \
             <g:price>1199.00 SEK</g:price>\n  {sale}\n  <g:availability>in_stock</g:availability>\n  \
             <g:brand>Fjäll</g:brand>\n  <g:gtin>7350000{item:06}</g:gtin>\n  <g:color>Grey melange</g:color>\n  \
             <g:size>M</g:size>\n  <g:item_group_id>sweater-{}</g:item_group_id>\n  \
             <g:product_type>Clothing &gt; Sweaters</g:product_type>\n</item>",
            item / 5
        );
    }
    xml.push_str("</channel></rss>");
    xml
}

/// Returns the same products as CSV.
pub fn csv(items: usize) -> String {
    let mut csv = String::from("id,title,description,link,image_link,price,availability,brand,color,size\n");
    for item in 0..items {
        let _ = writeln!(
            csv,
            "SKU-{item},\"Wool sweater Fjäll & Hav, no. {item}\",\"Warm merino wool for cold days, knitted in one piece. Wash at 30 degrees.\",\
             https://shop.example/products/wool-sweater-{item}?color=grey,https://cdn.shop.example/images/{item}.jpg,1199.00 SEK,in_stock,Fjäll,Grey melange,M"
        );
    }
    csv
}

/// Reads a feed as `import-feed` does, and returns how many items can be used.
pub fn read(feed: &str, content_type: &str) -> usize {
    let media_type = MediaType::parse(content_type).expect("a feed's content type");
    let mut items = 0;
    restock_feed::read(feed.as_bytes(), &media_type, None, &mut |_, item| items += usize::from(item.is_ok()))
        .expect("a feed");
    items
}

/// Reads an RSS feed with quick-xml alone and keeps each item's fields, without looking at them.
pub fn read_bare(feed: &str) -> usize {
    let mut reader = Reader::from_reader(feed.as_bytes());
    let (mut buffer, mut items) = (Vec::new(), 0);
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut field = String::new();
    let mut text = String::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).expect("XML") {
            Event::Start(start) => {
                field.clear();
                field.push_str(start.name().as_ref());
                text.clear();
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::CData(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(part) => {
                text.push_str(quick_xml::escape::resolve_html5_entity(&part).unwrap_or_default());
            }
            Event::End(end) if end.name().as_ref() == "item" => {
                items += usize::from(fields.contains_key("g:id"));
                fields.clear();
            }
            Event::End(_) => drop(fields.insert(field.clone(), text.trim().to_owned())),
            Event::Eof => return items,
            _ => {}
        }
    }
}

//! Text for people, out of what feeds have: escaped twice, or with mark-up of a web page.

use encoding_rs::WINDOWS_1252;
use quick_xml::escape::resolve_html5_entity;

/// The longest name of an entity, with some room.
const MAX_ENTITY: usize = 32;
/// Bytes of a tag that formats text, with its attributes.
const MAX_TAG: usize = 1_000;
/// Elements that format text, so they are no fields of their own.
const INLINE: [&str; 38] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dl", "em", "font", "i", "img", "ins",
    "kbd", "label", "mark", "nobr", "ol", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table",
    "tbody", "thead", "tt", "u", "ul", "var", "wbr",
];
/// Elements that stand apart from the text around them, and headings do.
const BLOCKS: [&str; 16] = [
    "article",
    "blockquote",
    "br",
    "center",
    "dd",
    "div",
    "dt",
    "figure",
    "hr",
    "li",
    "p",
    "pre",
    "section",
    "td",
    "th",
    "tr",
];

/// What begins and ends a part that nobody is shown.
const HIDDEN: [(&str, &str); 3] = [("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>")];

/// Returns text without tags and entities, and with single spaces.
pub fn plain_text(text: &str) -> String {
    let text = without_entities(&without_tags(&without_entities(text)));
    let text: String = text.chars().map(meant).filter(|c| !is_invisible(*c)).collect();
    if text.chars().all(is_mark_of_direction) {
        return String::new();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns true for what only says in which direction text runs.
fn is_mark_of_direction(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns true for what marks where a word may break, and for a byte order mark within a text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{feff}')
}

/// Returns true if an element of this name formats the text that it stands in.
pub fn is_inline(name: &str) -> bool {
    INLINE.contains(&name.to_ascii_lowercase().as_str()) || is_block(name)
}

/// Returns true if an element of this name has no end in HTML.
pub fn is_void(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "br" | "hr" | "img" | "wbr")
}

/// Returns what stands between the text before an element and its own.
pub fn gap(name: &str) -> &'static str {
    if is_block(name) { " " } else { "" }
}

fn is_block(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_heading = matches!(name.as_bytes(), [b'h', b'1'..=b'6']);
    is_heading || BLOCKS.contains(&name.as_str())
}

/// Passes over `<b>`, `</b>` and the like, comments, and programs and styles with what is in them. A `<` before
/// anything but a name of a tag is text, and so is a letter in upper case that nothing closes: `<S>` is a size.
fn without_tags(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut hidden = HIDDEN.to_vec();
    let mut cdata_ends = true;
    while let Some(begin) = rest.find('<') {
        kept.push_str(&rest[..begin]);
        let tag = &rest[begin..];
        // Of XML that was written as text.
        if let Some(text) = tag.strip_prefix("<![CDATA[").filter(|_| cdata_ends) {
            if let Some((text, behind)) = text.split_once("]]>") {
                kept.push_str(&without_tags(text));
                rest = behind;
                continue;
            }
            cdata_ends = false;
        }
        if let Some(place) = hidden.iter().position(|(begins, _)| starts_with(tag, begins)) {
            let ends = hidden[place].1;
            match tag.as_bytes().windows(ends.len()).position(|part| part.eq_ignore_ascii_case(ends.as_bytes())) {
                Some(end) => {
                    rest = &tag[end + ends.len()..];
                    continue;
                }
                // None follows, so it need not be looked for again.
                None => drop(hidden.remove(place)),
            }
        }
        let name = tag[1..].strip_prefix('/').unwrap_or(&tag[1..]);
        let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let end = || tag.bytes().take(MAX_TAG).position(|byte| byte == b'>');
        match (is_inline(name) && !is_size(tag)).then(end).flatten() {
            Some(end) => {
                // What a line break separates stays apart.
                kept.push_str(gap(name));
                rest = &tag[end + 1..];
            }
            None => {
                kept.push('<');
                rest = &tag[1..];
            }
        }
    }
    kept + rest
}

fn starts_with(text: &str, begin: &str) -> bool {
    text.len() >= begin.len() && text.as_bytes()[..begin.len()].eq_ignore_ascii_case(begin.as_bytes())
}

/// Returns true for a letter such as `<S>` that no tag soon closes; `<P>` needs none.
fn is_size(tag: &str) -> bool {
    let [b'<', letter @ b'A'..=b'Z', b'>', behind @ ..] = tag.as_bytes() else { return false };
    let closes = [b'<', b'/', *letter, b'>'];
    let behind = &behind[..behind.len().min(MAX_TAG)];
    *letter != b'P' && !behind.windows(closes.len()).any(|part| part.eq_ignore_ascii_case(&closes))
}

/// Returns text with a character for each entity that there is; others stay as they stand.
pub fn without_entities(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find('&') {
        decoded.push_str(&rest[..begin]);
        let entity = &rest[begin..];
        let end = entity.bytes().take(MAX_ENTITY).position(|byte| byte == b';');
        match end.and_then(|end| Some((character(&entity[1..end])?, end))) {
            Some((character, end)) => {
                decoded.push_str(&character);
                rest = &entity[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = &entity[1..];
            }
        }
    }
    decoded + rest
}

fn character(entity: &str) -> Option<String> {
    let Some(number) = entity.strip_prefix('#') else { return resolve_html5_entity(entity).map(ToOwned::to_owned) };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?).map(meant).filter(|c| !c.is_control()).map(String::from)
}

/// Returns the character that is meant by a control character that no text has: of Windows-1252, as browsers take it
/// (HTML, "numeric character reference end state").
fn meant(character: char) -> char {
    match u8::try_from(character) {
        Ok(byte @ 0x80..=0x9f) => {
            WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next().unwrap_or(character)
        }
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_text_and_not_mark_up() {
        for (written, read) in [
            ("Tom &amp; Jerry&#39;s &quot;Big&quot; mug", "Tom & Jerry's \"Big\" mug"),
            ("Foo <b>bar</b> &amp; Söhne", "Foo bar & Söhne"),
            ("Foo &lt;b&gt;bar&lt;/b&gt;", "Foo bar"),
            ("One<br/>two<p class=\"x\">three</p>", "One two three"),
            ("Caf&eacute; &#x1F600; &unknown; AT&T; R&D", "Café 😀 &unknown; AT&T; R&D"),
            ("5 < 6 > 4 <3 a<c", "5 < 6 > 4 <3 a<c"),
            ("  a \n b\u{a0}c ", "a b c"),
            ("&#0;&#xD800;", "&#0;&#xD800;"),
            ("<b>", ""),
            ("<h1>Mug</h1>Big<wbr>gest <del>old</del>", "Mug Biggest old"),
            ("Mug <!-- new --> red<script>x()</script><style >a{}</style><img src=\"a\">", "Mug red"),
            ("Size <S> shirt, <A>-line <B>skirt</B>", "Size <S> shirt, <A>-line skirt"),
            ("<B>Sale</b> <A HREF=\"x\">Mug</a> <P>Text", "Sale Mug Text"),
            ("Size <S> <STRONG>x</STRONG>", "Size <S> x"),
            ("Mug <!-- new <script>", "Mug <!-- new <script>"),
            ("\u{202e} \u{200f}", ""),
            ("Donau\u{ad}dampf\u{200b}schiff", "Donaudampfschiff"),
            ("<![CDATA[Foo <abbr>bar</abbr>]]> &amp; <![CDATA[<b>x</b>", "Foo bar & <![CDATA[x"),
            ("Tom&#146;s &#x85; \u{92} 5&#128;", "Tom’s … ’ 5€"),
        ] {
            assert_eq!(plain_text(written), read, "{written}");
        }
    }
}

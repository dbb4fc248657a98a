use crate::parts::{Part, Unusable};

/// Elements of HTML that have no end.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// mrml reads elements within each other by calling itself.
const MAX_DEPTH: usize = 200;

/// Refuses what mrml would not bear, or would write otherwise than it stands there: it prints attributes as Rust prints
/// strings.
pub fn check_markup(mjml: &str) -> Result<(), Unusable> {
    let refused = |at: usize, reason: &str| {
        let line = mjml.get(..at).map(|before| before.matches('\n').count() + 1);
        Err(Unusable { part: Part::Html, line, reason: reason.to_owned() })
    };
    let (mut depth, mut rest, mut at) = (0_usize, mjml, 0);
    while let Some(start) = rest.find('<') {
        let tag = &rest[start..];
        if tag.starts_with("<!--") {
            // What a condition for Outlook has in it is markup too.
            let is_condition = tag.starts_with("<!--[if") || tag.starts_with("<!--<![endif");
            let close = if is_condition { ">" } else { "-->" };
            let end = tag.find(close).map_or(tag.len(), |end| end + close.len());
            (rest, at) = (&tag[end..], at + start + end);
            continue;
        }
        // The tag ends with the first bracket outside of quotes.
        let mut quote = None;
        let mut value = 0;
        let mut end = tag.len();
        for (index, letter) in tag.char_indices() {
            match (quote, letter) {
                (None, '"' | '\'') => (quote, value) = (Some(letter), index + 1),
                (Some(open), letter) if letter == open => {
                    let text = &tag[value..index];
                    if text.contains(['\n', '\r']) {
                        return refused(at + start + value, "Write the value of an attribute in one line.");
                    }
                    if text.contains('"') {
                        return refused(
                            at + start + value,
                            "Write the value of an attribute without double quotes; use single ones in it.",
                        );
                    }
                    if format!("{text:?}").len() != text.len() + 2 {
                        let reason = "The value of an attribute has a character that can't stand there, such as a backslash or a space that does not break.";
                        return refused(at + start + value, reason);
                    }
                    quote = None;
                }
                (None, '>') => {
                    end = index + 1;
                    break;
                }
                _ => {}
            }
        }
        let tag = &tag[..end];
        let name = tag.trim_start_matches(['<', '/']).split(|c: char| c.is_whitespace() || c == '>' || c == '/').next();
        let is_void = name.is_some_and(|name| VOID.contains(&name));
        if tag.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else if !(tag.ends_with("/>") || tag.starts_with("<!") || is_void) {
            depth += 1;
        }
        if depth > MAX_DEPTH {
            return refused(at + start, "Elements stand too deep within each other.");
        }
        (rest, at) = (&rest[start + end..], at + start + end);
    }
    Ok(())
}

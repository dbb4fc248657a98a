//! What a reader sees of a mail's HTML. What a style sheet hides is not found.

use crate::fluent::is_visible;
use html5gum::emitters::default::{DefaultEmitter, StartTag, Token};
use html5gum::{HtmlString, Tokenizer};
use std::convert::Infallible;

/// Elements whose content is code, a name, or shown by a program that no mail is read in.
const UNSEEN: [&str; 10] =
    ["iframe", "noembed", "noframes", "script", "select", "style", "template", "textarea", "title", "xmp"];
/// Elements without an end tag.
const VOID: [&str; 13] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// Returns true if a reader sees a link to an address: with a text or a picture, and hidden by no element around it.
pub fn shows_link(html: &str, address: &str) -> bool {
    // Names of the elements that are open, and whether each hides its content.
    let mut open: Vec<(HtmlString, bool)> = Vec::new();
    // How many were open where the link begins.
    let mut link: Option<usize> = None;
    for token in tokens(html) {
        let is_shown = open.iter().all(|(_, hides)| !hides);
        match token {
            Token::StartTag(tag) => {
                let (is_seen, name) = (is_shown && !hides(&tag), text(&tag.name));
                if is_seen && link.is_some() && name == "img" {
                    return true;
                }
                // A paragraph ends where the next one begins.
                open.pop_if(|(open, _)| name == "p" && text(open) == "p");
                if is_seen && name == "a" && attribute(&tag, "href").is_some_and(|href| href.trim() == address) {
                    link = Some(open.len());
                }
                // A slash ends no other element.
                if !VOID.contains(&&*name) {
                    open.push((tag.name.clone(), !is_seen));
                }
            }
            Token::EndTag(tag) => {
                open.truncate(open.iter().rposition(|(open, _)| *open == tag.name).unwrap_or(open.len()));
                link = link.filter(|link| open.len() > *link);
            }
            Token::String(shown) if is_shown && link.is_some() && is_visible(&text(&shown)) => return true,
            _ => {}
        }
    }
    false
}

/// Returns true if a mark stands in a tag or in the title, where no list can.
pub fn in_a_tag(html: &str, mark: &str) -> bool {
    let mut in_title = false;
    tokens(html).any(|token| match token {
        Token::StartTag(tag) => {
            in_title = text(&tag.name) == "title";
            tag.attributes.iter().any(|(name, value)| text(name).contains(mark) || text(value).contains(mark))
        }
        Token::EndTag(_) => {
            in_title = false;
            false
        }
        Token::String(shown) => in_title && text(&shown).contains(mark),
        _ => false,
    })
}

fn tokens(html: &str) -> impl Iterator<Item = Token> {
    let mut emitter = DefaultEmitter::default();
    // Code and titles hold no elements.
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).map(|token: Result<_, Infallible>| match token {
        Ok(token) => token,
    })
}

fn hides(tag: &StartTag<()>) -> bool {
    let style: String = attribute(tag, "style").unwrap_or_default().to_lowercase().split_whitespace().collect();
    UNSEEN.contains(&&*text(&tag.name))
        || attribute(tag, "hidden").is_some()
        || style.contains("display:none")
        || style.contains("visibility:hidden")
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| text(value).into_owned())
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

use crate::bounded::Bounded;
use crate::item::{self, Item, ItemFault};
use crate::plain::{gap, is_inline};
use crate::{End, Unreadable};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::errors::Error as XmlError;
use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::{BytesStart, Event};
use restock_domain::{Currency, ErrorCode, FieldValue, Fields};
use std::collections::HashMap;
use std::io::BufRead;

const GOOGLE: &str = "http://base.google.com/ns/1.0";
/// Elements within elements of an item; a product's fields nest two deep. What is deeper is passed over.
const MAX_DEPTH: usize = 16;
/// Bytes of text and names in an item before the rest of it is passed over.
const MAX_TEXT: usize = 400_000;
/// Bytes of a namespace prefix that is remembered.
const MAX_PREFIX: usize = 64;
/// Namespace prefixes that are remembered.
const MAX_PREFIXES: usize = 1_000;

/// Reads the `item`s of RSS or the `entry`s of Atom.
///
/// Prefixes are resolved by every declaration seen so far rather than by scope, and end tags need not match: both
/// keep one broken item from spoiling the file. An item ends where its end tag is, or where the next one begins.
pub fn read(
    input: Bounded<impl BufRead>,
    currency: Option<Currency>,
    each: &mut dyn FnMut(u64, Result<Item, ItemFault>),
) -> Result<End, Unreadable> {
    let mut reader = lenient(input);
    let mut prefixes = HashMap::new();
    let mut open: Option<OpenItem> = None;
    let mut root: Option<String> = None;
    let mut whole = false;
    let mut lost = false;
    let mut position = 0;
    let mut buffer = Vec::new();
    let end = loop {
        buffer.clear();
        reader.get_mut().begin();
        let event = reader.read_event_into(&mut buffer);
        if reader.get_ref().exceeded() {
            // A text may end within a character. In a comment or a tag other items may begin, which are passed over.
            lost |= !matches!(event, Ok(Event::Text(_)) | Err(XmlError::Encoding(_)));
            if let Some(item) = &mut open {
                item.too_large = true;
            }
            let mut input = reader.into_inner();
            input.skip_half_character()?;
            reader = lenient(input);
            continue;
        }
        match event {
            Ok(Event::Start(start)) => {
                declare(&mut prefixes, &start);
                let name = start.name().as_ref().to_owned();
                let local = local_name(&name);
                root.get_or_insert_with(|| name.clone());
                let begins_item = match &open {
                    None => matches!(local, "item" | "entry"),
                    Some(item) => item.tag == name,
                };
                if begins_item {
                    if let Some(unclosed) = open.take() {
                        position += 1;
                        each(position, Err(unclosed.fault(ErrorCode::MismatchedTags, "The item has no end tag.")));
                    }
                    open = Some(OpenItem::new(name));
                } else if let Some(item) = &mut open {
                    item.start(&name, rank(&prefixes, &name), href(&start));
                }
            }
            Ok(Event::End(end)) => {
                let name = end.name();
                whole |= open.is_none() && root.as_deref() == Some(name.as_ref());
                if let Some(item) = open.take_if(|item| item.tag == name.as_ref()) {
                    position += 1;
                    each(position, item.close(currency));
                } else if let Some(item) = &mut open {
                    item.end(name.as_ref());
                }
            }
            Ok(Event::Text(text)) => with(&mut open, &text.xml10_content()),
            Ok(Event::CData(text)) => with(&mut open, &text.xml10_content()),
            Ok(Event::GeneralRef(reference)) => match reference.resolve_char_ref() {
                Ok(Some(character)) => with(&mut open, character.encode_utf8(&mut [0; 4])),
                _ => match resolve_html5_entity(&reference) {
                    Some(text) => with(&mut open, text),
                    // An entity that nobody declared is kept as it stands.
                    None => with(&mut open, &format!("&{};", &*reference)),
                },
            },
            Ok(Event::Eof) => break if whole && !lost { End::Complete } else { End::CutOff },
            Ok(_) => {}
            Err(XmlError::Io(error)) => {
                return Err(Unreadable::Input(std::io::Error::new(error.kind(), error.to_string())));
            }
            // After a tag that is ill-formed the reader goes on; the item that it is in is lost.
            Err(XmlError::IllFormed(error)) => {
                if let Some(item) = &mut open {
                    item.damage(error.to_string());
                }
            }
            Err(error) => {
                open.get_or_insert_with(|| OpenItem::new("item".into())).damage(error.to_string());
                break End::CutOff;
            }
        }
    };
    if let Some(item) = open {
        position += 1;
        each(
            position,
            Err(item.fault(ErrorCode::UnexpectedEnd, "The file breaks off within this item; what follows is missing.")),
        );
    }
    if position == 0 { Err(Unreadable::NoItems) } else { Ok(end) }
}

/// Returns a reader that goes on where others stop.
fn lenient<R: BufRead>(input: Bounded<R>) -> Reader<Bounded<R>> {
    let mut reader = Reader::from_reader(input);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    config.expand_empty_elements = true;
    reader
}

/// An item whose end tag is still to come.
struct OpenItem {
    tag: String,
    /// The elements that are open within the item, the outermost first.
    elements: Vec<Element>,
    fields: Fields,
    ranks: HashMap<String, u8>,
    text: usize,
    too_large: bool,
    damage: Option<String>,
}

struct Element {
    name: String,
    rank: u8,
    text: String,
    children: Fields,
}

impl OpenItem {
    fn new(tag: String) -> Self {
        Self {
            tag,
            elements: Vec::new(),
            fields: Fields::new(),
            ranks: HashMap::new(),
            text: 0,
            too_large: false,
            damage: None,
        }
    }

    fn start(&mut self, name: &str, rank: u8, href: Option<String>) {
        if self.elements.len() >= MAX_DEPTH {
            self.damage("its elements nest too deeply".into());
            return;
        }
        let text = if local_name(name) == "link" { href.unwrap_or_default() } else { String::new() };
        self.elements.push(Element { name: name.to_owned(), rank, text, children: Fields::new() });
    }

    fn end(&mut self, name: &str) {
        match self.elements.pop() {
            Some(element) if element.name == name => self.add(element),
            Some(element) => {
                self.damage(format!("the tag {} is closed by /{name}", element.name));
                self.elements.push(element);
            }
            None => self.damage(format!("the tag /{name} closes nothing")),
        }
    }

    fn add(&mut self, element: Element) {
        self.text += element.name.len();
        self.too_large |= self.text > MAX_TEXT;
        if self.too_large {
            return;
        }
        let name = local_name(&element.name);
        if let Some(parent) = self.elements.last_mut()
            && is_inline(name)
            && element.children.is_empty()
        {
            parent.text.push_str(gap(name));
            return parent.text.push_str(&element.text);
        }
        let value = if element.children.is_empty() {
            FieldValue::from(element.text.trim())
        } else {
            FieldValue::Group(element.children)
        };
        if let Some(parent) = self.elements.last_mut() {
            item::add(&mut parent.children, name, value);
            return;
        }
        // An empty element says nothing, so it neither hides nor repeats another.
        if value.as_text() == Some("") {
            return;
        }
        // A field in Google's namespace goes before one of the same name without; a third namespace comes last.
        let known = self.ranks.get(name).copied();
        if known.is_none_or(|known| element.rank >= known) {
            if known.is_some_and(|known| element.rank > known) {
                self.fields.remove(name);
            }
            self.ranks.insert(name.to_owned(), element.rank);
            item::add(&mut self.fields, name, value);
        }
    }

    fn append(&mut self, text: &str) {
        self.text += text.len();
        if self.text > MAX_TEXT {
            self.too_large = true;
        } else if let Some(element) = self.elements.last_mut() {
            element.text.push_str(text);
        }
    }

    /// Remembers the first thing that is wrong.
    fn damage(&mut self, reason: String) {
        self.damage.get_or_insert(reason);
    }

    fn close(mut self, currency: Option<Currency>) -> Result<Item, ItemFault> {
        if let Some(element) = self.elements.first() {
            let reason = format!("the tag {} is not closed", element.name);
            self.damage(reason);
        }
        if self.too_large {
            return Err(self.fault(ErrorCode::ItemTooLarge, "The item has more text than any product needs."));
        }
        match self.damage.take() {
            Some(reason) => Err(self.fault(ErrorCode::MismatchedTags, &format!("The item can't be read: {reason}."))),
            None => item::item(self.fields, currency),
        }
    }

    fn fault(&self, error_code: ErrorCode, message: &str) -> ItemFault {
        let sku = self.fields.get("id").and_then(FieldValue::as_text).map(ToOwned::to_owned);
        let message = match &self.damage {
            Some(reason) if error_code == ErrorCode::UnexpectedEnd => format!("{message} ({reason})"),
            _ => message.to_owned(),
        };
        ItemFault { sku, error_code, message }
    }
}

fn with(open: &mut Option<OpenItem>, text: &str) {
    if let Some(item) = open {
        item.append(text);
    }
}

/// Remembers the namespace prefixes that an element declares.
fn declare(prefixes: &mut HashMap<String, bool>, start: &BytesStart<'_>) {
    for attribute in start.attributes().with_checks(false).flatten() {
        if let Some(prefix) = attribute.key.as_ref().strip_prefix("xmlns:")
            && prefixes.len() < MAX_PREFIXES
            && prefix.len() <= MAX_PREFIX
        {
            let google = attribute.value.trim_end_matches('/') == GOOGLE;
            prefixes.insert(prefix.to_owned(), google);
        }
    }
}

/// Ranks fields with one name: Google's namespace, none, another. `g:` is Google's even if nobody declared it.
fn rank(prefixes: &HashMap<String, bool>, name: &str) -> u8 {
    match name.split_once(':') {
        None => 1,
        Some((prefix, _)) if prefixes.get(prefix).copied().unwrap_or(prefix == "g") => 2,
        Some(_) => 0,
    }
}

fn local_name(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Returns the address of Atom's `<link rel="alternate" href="…"/>`.
fn href(start: &BytesStart<'_>) -> Option<String> {
    let attribute = |name: &str| {
        let attribute =
            start.attributes().with_checks(false).flatten().find(|attribute| attribute.key.as_ref() == name)?;
        attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
    };
    attribute("rel").is_none_or(|rel| rel == "alternate").then(|| attribute("href"))?
}

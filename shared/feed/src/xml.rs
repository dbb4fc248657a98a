use crate::bounded::Bounded;
use crate::item::{self, Item, ItemFault};
use crate::plain::{gap, is_inline, is_void};
use crate::{End, Unreadable};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::errors::Error as XmlError;
use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::{BytesStart, Event};
use restock_domain::{Currency, ErrorCode, FieldValue, Fields, Invalid};
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
/// Ranks of a field by its namespace. Without one it stands between.
const OF_GOOGLE: u8 = 2;
const FOREIGN: u8 = 0;

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
            // Only a text can be as long (see `clean`), and it may end within a character.
            if let Some(item) = &mut open {
                item.too_large();
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
                    None => is_item(&local),
                    Some(item) => item.tag == name && !item.may_hold_items(),
                };
                if begins_item {
                    if let Some(unclosed) = open.take() {
                        position += 1;
                        each(
                            position,
                            Err(unclosed.fault(ErrorCode::MismatchedTags, "The item has no end tag.".into())),
                        );
                    }
                    open = Some(OpenItem::new(name));
                } else if let Some(item) = &mut open {
                    item.start(&name, rank(&prefixes, &name), &start);
                }
            }
            Ok(Event::End(end)) => {
                let name = end.name();
                whole |= open.is_none() && root.as_deref() == Some(name.as_ref());
                if let Some(item) = open.take_if(|item| item.tag == name.as_ref() && !item.has_open(name.as_ref())) {
                    position += 1;
                    each(position, item.close(currency));
                } else if let Some(item) = &mut open {
                    item.end(name.as_ref());
                } else {
                    // It began in a tag that is none.
                    lost |= is_item(&local_name(name.as_ref()));
                }
            }
            Ok(Event::Text(text)) => with(&mut open, &text.xml10_content()),
            Ok(Event::GeneralRef(reference)) => match reference.resolve_char_ref() {
                Ok(Some(character)) => with(&mut open, character.encode_utf8(&mut [0; 4])),
                _ => match resolve_html5_entity(&reference) {
                    Some(text) => with(&mut open, text),
                    // An entity that nobody declared is kept as it stands.
                    None => {
                        let entity = format!("&{};", &*reference);
                        with(&mut open, &entity);
                        open.iter_mut().for_each(|item| item.note_unknown(&entity));
                    }
                },
            },
            Ok(Event::Eof) => break if whole && !lost { End::Complete } else { End::CutOff },
            Ok(_) => {}
            Err(XmlError::Io(error)) => {
                return Err(Unreadable::Input(std::io::Error::new(error.kind(), error.to_string())));
            }
            // After a tag that is ill-formed the reader goes on; what it is in is lost.
            Err(XmlError::IllFormed(error)) => {
                if let Some(item) = &mut open {
                    item.damage(ErrorCode::MismatchedTags, error.to_string());
                }
            }
            Err(error) => {
                let item = open.get_or_insert_with(|| OpenItem::new("item".into()));
                item.damage(ErrorCode::MismatchedTags, error.to_string());
                break End::CutOff;
            }
        }
    };
    if let Some(item) = open {
        position += 1;
        let reason = item.damage.as_ref().map(|(_, reason)| format!(" ({reason})")).unwrap_or_default();
        let message = format!("The file breaks off within this item; what follows is missing.{reason}");
        each(position, Err(item.fault(ErrorCode::UnexpectedEnd, message)));
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
    /// The elements that are open within the item, the outermost first: that one is a field.
    elements: Vec<Element>,
    /// Elements within those that are passed over, as they nest too deeply.
    deeper: usize,
    /// Bytes of the field that is open, and of all that were read.
    open_bytes: usize,
    bytes: usize,
    fields: Fields,
    ranks: HashMap<String, u8>,
    /// The first thing that is wrong with the open field, and with the item beside its fields.
    field_damage: Option<Damage>,
    damage: Option<Damage>,
    left_out: Vec<(String, Invalid)>,
    /// The first entity that nobody declared, and the field that it is in.
    unknown_entity: Option<(String, String)>,
}

/// What is wrong, and how it goes on after "can't be read:".
type Damage = (ErrorCode, String);

struct Element {
    name: String,
    rank: u8,
    text: String,
    /// Of a price, as an attribute names it.
    currency: Option<String>,
    children: Fields,
}

impl OpenItem {
    fn new(tag: String) -> Self {
        Self {
            tag,
            elements: Vec::new(),
            deeper: 0,
            open_bytes: 0,
            bytes: 0,
            fields: Fields::new(),
            ranks: HashMap::new(),
            field_damage: None,
            damage: None,
            left_out: Vec::new(),
            unknown_entity: None,
        }
    }

    /// Remembers an entity that nobody declared, if it is in a field.
    fn note_unknown(&mut self, entity: &str) {
        if let Some(field) = self.elements.first() {
            self.unknown_entity.get_or_insert_with(|| (local_name(&field.name), entity.to_owned()));
        }
    }

    /// Returns true if an item may be a part of the field that is open. One that breaks off in a text has none: what
    /// comes next is the next item.
    fn may_hold_items(&self) -> bool {
        self.elements.last().is_some_and(|element| element.text.trim().is_empty())
    }

    /// Returns true if an element of that name is open within the item.
    fn has_open(&self, name: &str) -> bool {
        self.elements.iter().any(|element| element.name == name)
    }

    fn start(&mut self, name: &str, rank: u8, tag: &BytesStart<'_>) {
        let within_field = !self.elements.is_empty() && self.deeper == 0;
        if within_field && is_void(&local_name(name)) {
            return self.append(gap(&local_name(name)));
        }
        if self.elements.len() >= MAX_DEPTH {
            self.deeper += 1;
            return self.damage(ErrorCode::MismatchedTags, "its elements nest too deeply".into());
        }
        let local = local_name(name);
        let text = if local == "link" { href(tag).unwrap_or_default() } else { String::new() };
        let currency = if item::is_price(&local) { currency(tag) } else { None };
        self.elements.push(Element { name: name.to_owned(), rank, text, currency, children: Fields::new() });
        self.count(name.len());
    }

    /// Closes the innermost element of that name, with those that are open within it.
    fn end(&mut self, name: &str) {
        let is_field = self.elements.first().is_some_and(|field| field.name == name) && !is_inline(&local_name(name));
        if self.deeper > 0 && !is_field {
            self.deeper -= 1;
            return;
        }
        self.deeper = 0;
        let Some(at) = self.elements.iter().rposition(|element| element.name == name) else {
            if is_inline(&local_name(name)) && !self.elements.is_empty() {
                return;
            }
            return self.damage(ErrorCode::MismatchedTags, format!("the tag /{name} closes nothing"));
        };
        // Nobody misses the end of `<b>`.
        if let Some(unclosed) = self.elements[at + 1..].iter().find(|element| !is_inline(&local_name(&element.name))) {
            let reason = format!("the tag {} is closed by /{name}", unclosed.name);
            self.damage(ErrorCode::MismatchedTags, reason);
            self.elements.truncate(at + 1);
        }
        while self.elements.len() > at
            && let Some(element) = self.elements.pop()
        {
            self.add(element);
        }
    }

    fn add(&mut self, element: Element) {
        let name = local_name(&element.name);
        if !element.children.is_empty() && !element.text.trim().is_empty() {
            let reason = format!("the tag {} has text beside other tags", element.name);
            self.field_damage.get_or_insert((ErrorCode::TextBesideTags, reason));
        }
        let Some(parent) = self.elements.last_mut() else { return self.add_field(name, element) };
        if self.open_bytes > item::MAX_BYTES {
            return;
        }
        if is_inline(&name) && element.children.is_empty() {
            parent.text.push_str(gap(&name));
            return parent.text.push_str(&element.text);
        }
        item::add(&mut parent.children, &name, element.value());
    }

    fn add_field(&mut self, name: String, element: Element) {
        let (rank, damage) = (element.rank, self.field_damage.take());
        let damage = damage.map(|(error_code, reason)| {
            let message = if item::is_needed(&name) {
                format!("The item can't be read: {reason}.")
            } else {
                format!("The item is used without its {name}, which can't be read: {reason}.")
            };
            Invalid::new(error_code, message)
        });
        let bytes = std::mem::take(&mut self.open_bytes);
        self.bytes += damage.as_ref().map_or(bytes, |damage| damage.message.len());
        if self.bytes > MAX_TEXT {
            return self.too_large();
        }
        let value = element.value();
        // An empty element says nothing, so it neither hides nor repeats another.
        if damage.is_none() && value.as_text() == Some("") {
            return;
        }
        // A field in Google's namespace goes before one of the same name without; a third namespace comes last.
        let known = self.ranks.get(&name).copied().unwrap_or(rank);
        if rank < known {
            return;
        }
        if rank > known {
            self.fields.remove(&name);
            self.left_out.retain(|(left_out, _)| *left_out != name);
        }
        self.ranks.insert(name.clone(), rank);
        match damage {
            None => item::add(&mut self.fields, &name, value),
            Some(damage) => self.left_out.push((name, damage)),
        }
    }

    fn append(&mut self, text: &str) {
        self.count(text.len());
        if self.open_bytes <= item::MAX_BYTES
            && let Some(element) = self.elements.last_mut()
        {
            element.text.push_str(text);
        }
    }

    fn count(&mut self, bytes: usize) {
        // What is between fields is passed over.
        if !self.elements.is_empty() {
            self.open_bytes += bytes;
        }
        if self.open_bytes > item::MAX_BYTES {
            self.too_large();
        }
    }

    fn too_large(&mut self) {
        self.damage(ErrorCode::ItemTooLarge, "it has more text than any product needs".into());
    }

    /// Remembers the first thing that is wrong with the field that is open, or with the item if none is.
    fn damage(&mut self, error_code: ErrorCode, reason: String) {
        let damage = if self.elements.is_empty() { &mut self.damage } else { &mut self.field_damage };
        damage.get_or_insert((error_code, reason));
    }

    fn close(mut self, currency: Option<Currency>) -> Result<Item, ItemFault> {
        if let Some(element) = self.elements.first() {
            // Other fields may be in it.
            let (name, reason) = (local_name(&element.name), format!("the tag {} is not closed", element.name));
            if item::NEEDED.iter().all(|field| *field != name && self.fields.contains_key(*field)) {
                let message = format!("The item is used without its {name} and what follows it: {reason}.");
                self.fields.remove(&name);
                self.left_out.push((name, Invalid::new(ErrorCode::MismatchedTags, message)));
            } else {
                self.damage.get_or_insert((ErrorCode::MismatchedTags, reason));
            }
        }
        self.leave_foreign_out();
        if let Some((error_code, reason)) = self.damage.take() {
            return Err(self.fault(error_code, format!("The item can't be read: {reason}.")));
        }
        // A copy that does not count is none of these.
        match self.left_out.iter().find(|(name, _)| item::is_needed(name)) {
            Some((_, Invalid { error_code, message })) => Err(self.fault(*error_code, message.clone())),
            None => {
                let mut item = item::item(self.fields, self.left_out, currency)?;
                if let Some((field, entity)) = self.unknown_entity {
                    let message = format!(
                        "The item is used with its {field} as it is written: {entity} is no entity of XML or HTML, and those that a document type declares are not read"
                    );
                    let sku = Some(item.product.sku().to_string());
                    item.left_out.push(ItemFault { sku, error_code: ErrorCode::UnknownEntity, message });
                }
                Ok(item)
            }
        }
    }

    /// Leaves out what another namespace calls a price or the like, such as a dealer's, if the item has fields of
    /// Google's.
    fn leave_foreign_out(&mut self) {
        if !self.ranks.values().any(|rank| *rank == OF_GOOGLE) {
            return;
        }
        for (name, _) in self.ranks.iter().filter(|(name, rank)| **rank == FOREIGN && item::is_googles(name)) {
            self.fields.remove(name);
            self.left_out.retain(|(left_out, _)| left_out != name);
        }
    }

    fn fault(&self, error_code: ErrorCode, message: String) -> ItemFault {
        ItemFault { sku: item::id(&self.fields), error_code, message }
    }
}

impl Element {
    fn value(self) -> FieldValue {
        if !self.children.is_empty() {
            return FieldValue::Group(self.children);
        }
        let text = self.text.trim();
        // Dashes stand for a fraction of zero, as in 1299,-.
        let number = text.trim_end_matches(['.', ',', '-', '–']);
        let is_number = |end: Option<char>| end.is_some_and(|end| end.is_ascii_digit());
        let names_none = is_number(number.chars().next()) && is_number(number.chars().next_back());
        match self.currency.filter(|_| names_none) {
            Some(currency) => FieldValue::from(format!("{text} {currency}")),
            None => FieldValue::from(text),
        }
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
        Some((prefix, _)) if prefixes.get(prefix).copied().unwrap_or(prefix.eq_ignore_ascii_case("g")) => OF_GOOGLE,
        Some(_) => FOREIGN,
    }
}

/// Returns a name without its prefix, in the case that fields have.
fn local_name(name: &str) -> String {
    name.rsplit_once(':').map_or(name, |(_, local)| local).to_lowercase()
}

fn is_item(local_name: &str) -> bool {
    matches!(local_name, "item" | "entry")
}

/// Returns the address of Atom's `<link rel="alternate" href="…"/>`.
fn href(start: &BytesStart<'_>) -> Option<String> {
    attribute(start, "rel").is_none_or(|rel| rel == "alternate").then(|| attribute(start, "href"))?
}

/// Returns the currency that a tag names. A unit is one only if it is a currency's code.
fn currency(start: &BytesStart<'_>) -> Option<String> {
    let named = ["currency", "currencyID", "currency_code"].iter().find_map(|name| attribute(start, name));
    named.or_else(|| attribute(start, "unit").filter(|unit| Currency::parse(unit.trim()).is_some()))
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.attributes().with_checks(false).flatten().find(|attribute| attribute.key.as_ref() == name)?;
    // A stray ampersand stays, as it does in a text.
    let value = attribute.normalized_value(XmlVersion::Implicit1_0);
    Some(value.map_or_else(|_| attribute.value.to_string(), |value| value.into_owned()))
}

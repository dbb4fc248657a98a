//! JSON lines: one product to a line, with the names that a table has.

use crate::column::Column;
use crate::item::{self, Item, ItemFault, MAX_BYTES};
use crate::{End, Unreadable};
use restock_domain::{Currency, ErrorCode, FieldValue, Fields, MAX_IDENTIFIER_BYTES};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::io::{BufRead, Read};

/// Bytes of a line; a part of it that is too large for an item is left out.
const MAX_LINE: usize = 10 * MAX_BYTES;

/// The members of an object, each time that they stand there.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collected;

        impl<'de> Visitor<'de> for Collected {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, Exact(value))) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collected)
    }
}

/// A value of which a number has the digits that were sent, as a text: an id may have more of them than a number keeps,
/// and end with zeros.
struct Exact(Value);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let is_written_out = |text: &str| {
            text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && !text.contains(['e', 'E'])
        };
        if is_written_out(raw.get()) {
            return Ok(Self(Value::String(raw.get().to_owned())));
        }
        serde_json::from_str(raw.get()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Reads JSON lines. A line that can't be used is reported, and reading goes on behind it.
pub fn read(
    mut input: impl BufRead,
    currency: Option<Currency>,
    each: &mut dyn FnMut(u64, Result<Item, ItemFault>),
) -> Result<End, Unreadable> {
    let (mut number, mut position, mut end) = (0_u64, 0, End::Complete);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        let too_large = line.len() > MAX_LINE && !line.ends_with(b"\n");
        if too_large {
            input.skip_until(b'\n')?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        position += 1;
        let fault = |error_code, message| Err(ItemFault { sku: id_of(&line), error_code, message });
        let item = if too_large {
            fault(ErrorCode::ItemTooLarge, format!("Line {number} has more than {MAX_LINE} bytes."))
        } else {
            // Files that were put together have a byte order mark each.
            let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
            match serde_json::from_slice(line).or_else(|error| with_whole_characters(line).ok_or(error)) {
                Ok(Members(members)) => item::item(fields(members), Vec::new(), currency),
                Err(error) if error.is_data() && !line.trim_ascii_start().starts_with(b"{") => {
                    fault(ErrorCode::MalformedJson, format!("Line {number} is not a JSON object."))
                }
                Err(error) => {
                    // What a file looks like that was cut off.
                    if error.is_eof() && !line.ends_with(b"\n") {
                        end = End::CutOff;
                    }
                    let message = format!("Line {number} is not JSON that we can read: see column {}.", error.column());
                    fault(ErrorCode::MalformedJson, message)
                }
            }
        };
        each(position, item);
    }
    if position == 0 { Err(Unreadable::NoItems) } else { Ok(end) }
}

/// Reads a line again in which a half of a character stands, as where a text was cut: `\ud83d` without the other half.
/// It becomes the character for what can't be read, which costs its field.
fn with_whole_characters(line: &[u8]) -> Option<Members> {
    let unit = |at: usize| {
        let digits = line.get(at..at + 6)?.strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut whole, mut at) = (Vec::with_capacity(line.len()), 0);
    while let Some(byte) = line.get(at) {
        let length = match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.extend_from_slice(br"\ufffd");
                at += 6;
                continue;
            }
            (Some(_), _) => 6,
            // Whatever is escaped otherwise, a backslash too.
            (None, _) if *byte == b'\\' => 2,
            (None, _) => 1,
        };
        whole.extend_from_slice(&line[at..(at + length).min(line.len())]);
        at += length;
    }
    serde_json::from_slice(&whole).ok()
}

fn fields(members: impl IntoIterator<Item = (String, Value)>) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in members {
        let column = Column::parse(&name);
        if let Some(value) = field(&column, value) {
            item::add(&mut fields, &column.name, value);
        }
    }
    fields
}

/// Returns the id of a line that can't be read, where it stands at its place.
fn id_of(line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&line[..line.len().min(MAX_BYTES)]);
    // A line of an object that goes over several lines names no item.
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return None;
    }
    let (_, behind) = text.split_once("\"id\"")?;
    let value = behind.trim_start().strip_prefix(':')?.trim_start();
    let id = match value.strip_prefix('"') {
        Some(quoted) => quoted.split(['"', '\\']).next()?,
        None => value.split(|c: char| !c.is_ascii_digit()).next()?,
    };
    Some(id.trim()).filter(|id| !id.is_empty() && id.len() <= MAX_IDENTIFIER_BYTES).map(ToOwned::to_owned)
}

/// Returns a value as a table or XML would have it: numbers and booleans are texts, and what is empty is missing.
fn field(column: &Column, value: Value) -> Option<FieldValue> {
    let text = match value {
        Value::Null => return None,
        Value::Array(values) => {
            let values: Vec<_> = values.into_iter().filter_map(|value| field(column, value)).collect();
            return (!values.is_empty()).then_some(FieldValue::Many(values));
        }
        Value::Object(object) => {
            let fields = fields(object);
            return (!fields.is_empty()).then_some(FieldValue::Group(fields));
        }
        Value::String(text) => text,
        other => other.to_string(),
    };
    let text = text.trim();
    (!text.is_empty()).then(|| column.value(text))
}

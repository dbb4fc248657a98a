//! Tables in uploads (CSV): a first line that names the columns, and rows that are read as JSON objects.

use crate::wire::alone;
use crate::{FieldError, Problem};
use csv_core::{Reader, ReaderBuilder};
use restock_domain::{ErrorCode, Invalid};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub(crate) const TABLES: [&str; 3] = ["text/csv", "text/tab-separated-values", "application/csv"];
const SEPARATORS: [u8; 3] = *b",;\t";

/// What a table may have.
pub(crate) struct Columns<'a> {
    /// The properties that a column may stand for.
    pub properties: &'a [String],
    /// Other names of properties, folded as [`folded`] does.
    pub aliases: &'a [(&'a str, &'a str)],
    /// Those without which no row can be read.
    pub needed: &'a [&'a str],
    /// Says what the first line has to be.
    pub advice: &'a str,
}

/// The columns of a table: the property that each has, if it is a known one.
pub(crate) struct Table {
    columns: Vec<Option<String>>,
    /// The names of those that are not.
    pub ignored: BTreeSet<String>,
    reader: Reader,
}

impl Columns<'_> {
    /// Returns an object with the properties that its names stand for. A property's own name goes before others, and
    /// what is empty is missing; names that stand for none, or for one that is there by its own name, are added to
    /// `ignored`. Two other names of one property with different values are an error.
    pub fn renamed(
        &self,
        object: Map<String, Value>,
        ignored: &mut BTreeSet<String>,
    ) -> Result<Map<String, Value>, Vec<FieldError>> {
        let is_missing = |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        let mut renamed = Map::new();
        let mut others = Vec::new();
        for (name, value) in object {
            match self.property(&name) {
                None => drop(ignored.insert(name)),
                Some(_) if is_missing(&value) => {}
                Some(property) if folded(&property) != folded(&name) => others.push((name, property, value)),
                Some(property) if renamed.contains_key(&property) => drop(ignored.insert(name)),
                Some(property) => drop(renamed.insert(property, value)),
            }
        }
        let own: BTreeSet<String> = renamed.keys().cloned().collect();
        for (name, property, value) in others {
            if own.contains(&property) {
                ignored.insert(name);
            } else if renamed.get(&property).is_some_and(|known| *known != value) {
                let message = format!("The line has several values for {property}. Send one, as {property}.");
                return Err(vec![FieldError::new(&format!("/{name}"), Invalid::new(ErrorCode::Duplicate, message))]);
            } else {
                renamed.insert(property, value);
            }
        }
        Ok(renamed)
    }

    /// Returns the property that a column stands for.
    fn property(&self, name: &str) -> Option<String> {
        let name = folded(name);
        let alias = self.aliases.iter().find(|(alias, _)| *alias == name).map(|(_, property)| (*property).to_owned());
        self.properties.iter().find(|known| folded(known) == name).cloned().or(alias)
    }
}

impl Table {
    /// Reads the first line. The separator is the one with which it names what a row needs.
    pub fn of(first: Option<(usize, &[u8])>, wanted: &Columns<'_>) -> Result<Self, Problem> {
        let (_, text) = first.ok_or_else(|| {
            Problem::bad_request(ErrorCode::MissingBody, "Send a table whose first line names its columns.")
        })?;
        for separator in SEPARATORS {
            let mut reader = ReaderBuilder::new().delimiter(separator).build();
            let Ok(names) = fields(&mut reader, text) else { continue };
            let columns: Vec<Option<String>> = names.iter().map(|name| wanted.property(name)).collect();
            let count = |property: &str| columns.iter().flatten().filter(|column| *column == property).count();
            if wanted.needed.iter().any(|needed| count(needed) == 0) {
                continue;
            }
            if let Some(twice) = wanted.properties.iter().find(|property| count(property) > 1) {
                let detail = format!("The table has more than one column {twice}. Leave one out.");
                return Err(Problem::bad_request(ErrorCode::Duplicate, detail));
            }
            let ignored =
                names.into_iter().zip(&columns).filter(|(name, column)| column.is_none() && !name.trim().is_empty());
            let ignored = ignored.map(|(name, _)| name).collect();
            return Ok(Self { columns, ignored, reader });
        }
        Err(Problem::bad_request(ErrorCode::Required, wanted.advice))
    }

    /// Returns a row as the JSON object that it stands for, or nothing for one of empty fields.
    pub fn row(&mut self, text: &[u8]) -> Result<Option<Map<String, Value>>, Vec<FieldError>> {
        let mut fields = fields(&mut self.reader, text).map_err(alone)?;
        if fields.iter().all(|field| field.trim().is_empty()) {
            return Ok(None);
        }
        // Spreadsheets end lines with empty fields.
        while fields.len() > self.columns.len() && fields.last().is_some_and(|field| field.trim().is_empty()) {
            fields.pop();
        }
        let invalid = |code, message: &str| Err(alone(Invalid::new(code, message)));
        if fields.len() > self.columns.len() {
            let message =
                "The line has more fields than the table has columns. A field with a separator in it stands in quotes.";
            return invalid(ErrorCode::WrongNumberOfFields, message);
        }
        let quotes = text.iter().filter(|byte| **byte == b'"').count();
        if fields.len() < self.columns.len() && quotes % 2 == 1 {
            let message = "A quote is not closed on this line. A field can't have a line break.";
            return invalid(ErrorCode::InvalidCharacter, message);
        }
        let mut row = Map::new();
        for (column, field) in self.columns.iter().zip(fields) {
            let Some(column) = column else { continue };
            let field = field.trim();
            if field.is_empty() {
                continue;
            }
            row.insert(column.clone(), Value::from(field));
        }
        Ok(Some(row))
    }
}

/// Returns a name as it compares: `external_id` and `External ID` are `externalId`.
fn folded(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns the fields of one line of a table.
fn fields(reader: &mut Reader, text: &[u8]) -> Result<Vec<String>, Invalid> {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let (mut output, mut ends) = (vec![0; text.len() + 1], vec![0; text.len() + 2]);
    reader.reset();
    let (_, read, written, ended) = reader.read_record(text, &mut output, &mut ends);
    if read < text.len() {
        return Err(Invalid::new(ErrorCode::InvalidCharacter, "The line has a line break within it."));
    }
    // Its end is where nothing follows.
    let (_, _, _, more) = reader.read_record(&[], &mut output[written..], &mut ends[ended..]);
    let ends = &ends[..ended + more];
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let field = |(start, end): (usize, &usize)| match std::str::from_utf8(&output[start..*end]) {
        // API Gateway hands text on as text, with this in place of what is no UTF-8.
        Ok(field) if !field.contains(char::REPLACEMENT_CHARACTER) => Ok(field.to_owned()),
        _ => Err(Invalid::new(ErrorCode::InvalidEncoding, "Save the table as UTF-8.")),
    };
    starts.zip(ends).map(field).collect()
}

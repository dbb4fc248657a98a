//! A file of stock levels: JSON lines, or a table (CSV). Every line stands for itself, so a broken one costs no other.

use crate::lines::{JSON_LINES, LineError, MAX_UPLOAD_BYTES, has_one_of, numbered_lines, read_json};
use crate::operation::Operation;
use crate::payload::{Body, summary};
use crate::stock_level::StockLevel;
use crate::table::{Columns, TABLES, Table};
use crate::wire::{Read, alone};
use crate::{FieldError, Problem};
use restock_domain::{ErrorCode, ExternalId, Invalid, Locale, Sku};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::num::{IntErrorKind, ParseIntError};

/// What Lambda takes of a media type that API Gateway hands over as text.
pub(crate) const MAX_TEXT_BYTES: usize = 5 * 1024 * 1024;
const MAX_LEVELS: usize = 100_000;

/// The levels of a file that are valid, and the lines that are not.
#[derive(Debug)]
pub struct StockFile {
    pub valid: Vec<StockLevel>,
    pub rejected: Vec<RejectedLine>,
}

/// A line of a file that has no valid level.
#[derive(Debug)]
pub struct RejectedLine {
    /// Its place among the levels of the file, from 0.
    pub index: usize,
    pub error: LineError,
}

impl StockFile {
    /// Returns true if a body of this content type is one.
    pub fn is_named_by(content_type: Option<&str>) -> bool {
        has_one_of(content_type, &Self::media_types())
    }

    pub fn media_types() -> Vec<&'static str> {
        TABLES.into_iter().chain(JSON_LINES).collect()
    }
}

impl Body for StockFile {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if !Self::is_named_by(content_type) {
            let detail = "Send a table as text/csv, JSON lines as application/x-ndjson or application/jsonl, or as application/json the url of a file.";
            return Err(Problem::unsupported_media_type(detail));
        }
        let is_text = content_type.is_some_and(|content_type| content_type.starts_with("text/"));
        if bytes.len() > if is_text { MAX_TEXT_BYTES } else { MAX_UPLOAD_BYTES } {
            let detail = "A file has at most 5 MB as text/csv, and 4 MB in other forms. Send several smaller ones, or the url of a larger one.";
            return Err(Problem::too_large(detail));
        }
        let mut file = Self { valid: Vec::new(), rejected: Vec::new() };
        for (index, level) in StockLines::of(bytes, has_one_of(content_type, &TABLES))?.enumerate() {
            if index == MAX_LEVELS {
                let detail = format!(
                    "A file has at most {MAX_LEVELS} lines of stock levels. Send several smaller ones, or the url of a larger one."
                );
                return Err(Problem::too_large(detail));
            }
            match level {
                Ok(level) => file.valid.push(level),
                Err(error) => file.rejected.push(RejectedLine { index, error }),
            }
        }
        if file.valid.is_empty() {
            let first = file.rejected.first().map(|RejectedLine { error, .. }| (error.line, error.message.as_str()));
            return Err(none_valid(first));
        }
        Ok(file)
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.file(&Self::media_types(), true).problem(400, "There is no line, or none that is valid.")
    }
}

/// Says that a file has no valid level. `first` is its first line, and what is wrong with that.
pub fn none_valid(first: Option<(usize, &str)>) -> Problem {
    let detail = match first {
        Some((line, message)) => {
            format!("None of the stock levels is valid. Line {line}: {message} Correct them and send the file again.")
        }
        None => "The file has no stock level.".to_owned(),
    };
    Problem::bad_request(ErrorCode::NoValidStockLevel, detail)
}

/// The levels of a file, as its lines are read one after the other.
pub struct StockLines<'a> {
    lines: Box<dyn Iterator<Item = (usize, &'a [u8])> + Send + 'a>,
    /// Its columns; `None` for JSON lines.
    table: Option<Table>,
    /// The line of each level that does not say when it was read.
    seen: HashMap<(Sku, Option<Locale>, Option<ExternalId>), usize>,
}

impl<'a> StockLines<'a> {
    /// Begins to read a file: a table, whose first line is read now, or JSON lines.
    pub fn of(bytes: &'a [u8], is_table: bool) -> Result<Self, Problem> {
        let mut lines = numbered_lines(bytes);
        let columns = Columns {
            properties: &StockLevel::properties(),
            aliases: &[],
            needed: &["sku", "quantity"],
            advice: "The first line of a table names its columns, with commas, semicolons or tabs between them and in UTF-8: sku, quantity and, if you have them, locale, externalId, updatedOn and eventId.",
        };
        let table = is_table.then(|| Table::of(lines.next(), &columns)).transpose()?;
        Ok(Self { lines: Box::new(lines), table, seen: HashMap::new() })
    }

    /// As [`StockLines::of`], for a file of which nobody has said what it is.
    pub fn of_any(bytes: &'a [u8]) -> Result<Self, Problem> {
        let is_table = numbered_lines(bytes).next().is_some_and(|(_, line)| !line.trim_ascii().starts_with(b"{"));
        Self::of(bytes, is_table)
    }

    /// Returns how many lines a file has, blank ones left out.
    pub fn count(bytes: &[u8]) -> usize {
        numbered_lines(bytes).count()
    }

    /// Returns the level, unless another line has one about the same: no order of lines says which of them holds.
    fn not_twice(&mut self, line: usize, level: StockLevel) -> Result<StockLevel, Vec<FieldError>> {
        if level.updated_on.is_some() {
            return Ok(level);
        }
        let scope = (level.sku.clone(), level.locale.clone(), level.external_id.clone());
        let first = *self.seen.entry(scope).or_insert(line);
        if first == line {
            return Ok(level);
        }
        let message = format!(
            "Line {first} has a level of the same SKU, locale and external id. Send their sum, or updatedOn with each."
        );
        Err(alone(Invalid::new(ErrorCode::Duplicate, message)))
    }
}

impl Iterator for StockLines<'_> {
    type Item = Result<StockLevel, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, text) = self.lines.next()?;
            let value = match &mut self.table {
                Some(table) => table.row(text).and_then(|row| row.map(with_number).transpose()),
                None => read_json(text).map(Some),
            };
            // A row may have nothing in any column.
            let Some(value) = value.transpose() else { continue };
            let level = value.and_then(StockLevel::read).and_then(|level| self.not_twice(line, level));
            return Some(level.map_err(|found| {
                let (error_code, message) = summary(&found);
                LineError { line, error_code, message }
            }));
        }
    }
}

/// Returns a row whose quantity is a number.
fn with_number(mut row: Map<String, Value>) -> Result<Value, Vec<FieldError>> {
    if let Some(Value::String(quantity)) = row.get("quantity") {
        let quantity = whole_number(quantity)?;
        row.insert("quantity".to_owned(), quantity.into());
    }
    Ok(Value::Object(row))
}

/// Reads a whole number as tables have it: `5`, `-2`, `+5`, `0005`, and `5.0` or `5,0`. Three digits after a point or a
/// comma may be thousands, so they have no one reading.
fn whole_number(text: &str) -> Result<i64, Vec<FieldError>> {
    let whole = match text.split_once(['.', ',']) {
        Some((whole, zeros)) if zeros.len() != 3 && zeros.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => "",
        None => text,
    };
    whole.parse().map_err(|error: ParseIntError| {
        if matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) {
            let message = "Use a whole number of 64 bits.";
            return vec![FieldError::new("/quantity", Invalid::new(ErrorCode::OutOfRange, message))];
        }
        let message = "Use a whole number such as 5, without a separator of thousands.";
        vec![FieldError::new("/quantity", Invalid::new(ErrorCode::WrongType, message))]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<StockFile, Problem> {
        StockFile::receive(Some("text/csv; charset=utf-8"), text.as_bytes())
    }

    fn levels(file: &StockFile) -> Vec<(String, i64)> {
        file.valid.iter().map(|level| (level.sku.as_str().to_owned(), level.quantity)).collect()
    }

    #[test]
    fn a_table_is_read_whatever_separates_its_columns_and_however_they_are_spelled() {
        for text in [
            "sku,quantity,locale\nA,1,sv-SE\nB,-2,\n",
            "\u{feff}SKU;Quantity;Warehouse;LOCALE\r\nA;1.0;x;sv_SE\r\n\r\nB;-2;y;\r\n",
            "quantity\tsku\tlocale\n 1 \tA\tsv-SE\n-2\tB",
            "\"sku\",\"quantity\",\"locale\"\n\"A\",\"1\",\"sv-SE\"\n\"B\",\"-2\",\"\"\n",
        ] {
            let file = csv(text).unwrap();
            assert_eq!((levels(&file), file.rejected.len()), (vec![("A".into(), 1), ("B".into(), -2)], 0), "{text}");
            assert_eq!(file.valid[0].locale.as_ref().map(|locale| locale.key()), Some("sv-se"));
            assert_eq!(file.valid[1].locale, None);
        }
    }

    #[test]
    fn a_broken_line_costs_no_other_and_is_named() {
        let file = csv("sku,quantity\nA,1\nB,two\n,3\nC\nD,\"4\nE,5,6\n\"F,1\",7\nG,8.5\nH,9").unwrap();

        assert_eq!(levels(&file), [("A".into(), 1), ("D".into(), 4), ("F,1".into(), 7), ("H".into(), 9)]);
        let errors: Vec<(usize, ErrorCode)> =
            file.rejected.iter().map(|rejected| (rejected.error.line, rejected.error.error_code)).collect();
        assert_eq!(
            errors,
            [
                (3, ErrorCode::WrongType),
                (4, ErrorCode::Required),
                (5, ErrorCode::Required),
                (7, ErrorCode::WrongNumberOfFields),
                (9, ErrorCode::WrongType)
            ]
        );
        let latin = StockFile::receive(Some("text/csv"), b"sku,quantity\n\xe5,1\nA,2\n").unwrap();
        assert_eq!(
            (levels(&latin), latin.rejected[0].error.error_code),
            (vec![("A".into(), 2)], ErrorCode::InvalidEncoding)
        );
    }

    #[test]
    fn json_lines_are_read_as_levels_of_a_request_are() {
        let text = b"{\"sku\":\"A\",\"quantity\":1}\n\n{\"SKU\":\"B\",\"quantity\":0}\n{\"sku\":7}\n{";
        let file = StockFile::receive(Some("application/x-ndjson"), text).unwrap();

        assert_eq!(levels(&file), [("A".into(), 1), ("B".into(), 0)]);
        assert_eq!(file.rejected.iter().map(|rejected| rejected.error.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn what_a_file_is_shows_if_nobody_says_it() {
        for text in ["sku,quantity\nA,1\n", "\u{feff}\n{\"sku\":\"A\",\"quantity\":1}\n"] {
            let levels: Vec<_> = StockLines::of_any(text.as_bytes()).unwrap().map(Result::unwrap).collect();
            assert_eq!((levels.len(), levels[0].sku.as_str(), levels[0].quantity), (1, "A", 1), "{text}");
        }
    }

    #[test]
    fn a_file_without_a_level_says_why() {
        let code = |content_type: &str, text: &str| {
            StockFile::receive(Some(content_type), text.as_bytes()).unwrap_err().document.error_code
        };

        assert_eq!(code("text/csv", ""), ErrorCode::MissingBody);
        assert_eq!(code("text/csv", "id,stock\nA,1\n"), ErrorCode::Required);
        assert_eq!(code("text/csv", "sku,quantity\n"), ErrorCode::NoValidStockLevel);
        assert_eq!(code("text/csv", "sku,quantity\nA,x\n"), ErrorCode::NoValidStockLevel);
        assert_eq!(code("application/jsonl", "[]\n"), ErrorCode::NoValidStockLevel);
        assert_eq!(code("application/xml", "<a/>"), ErrorCode::UnsupportedMediaType);
        assert!(StockLines::of_any(b"").unwrap().next().is_none());
        let many = "A,1\n".repeat(MAX_LEVELS + 1);
        assert_eq!(code("text/csv", &format!("sku,quantity\n{many}")), ErrorCode::PayloadTooLarge);
    }

    #[test]
    fn what_spreadsheets_and_old_programs_write_is_read() {
        for text in [
            "sku;quantity\nA;5;\n;;\nB;0007;;\n",
            "sku\tquantity\rA\t+5\rB\t7,0\r",
            "sku;quantity;\"Price, net, EUR, 2026\"\nA;5.00;9,50\nB;7;\n",
        ] {
            let file = csv(text).unwrap();
            assert_eq!((levels(&file), file.rejected.len()), (vec![("A".into(), 5), ("B".into(), 7)], 0), "{text}");
        }
    }

    #[test]
    fn what_has_no_one_reading_is_rejected() {
        let codes = |text: &str| -> Vec<ErrorCode> {
            csv(text).unwrap().rejected.iter().map(|rejected| rejected.error.error_code).collect()
        };

        for number in ["1.000", "\"1,000\"", "1 000", "5.5", "-", "five"] {
            assert_eq!(codes(&format!("sku,quantity\nA,{number}\nB,1")), [ErrorCode::WrongType], "{number}");
        }
        assert_eq!(codes("sku,quantity\nA,9223372036854775808\nB,1"), [ErrorCode::OutOfRange]);
        // As of two warehouses.
        assert_eq!(codes("sku,quantity\nA,5\nA,0\nB,1"), [ErrorCode::Duplicate]);
        assert!(codes("sku,quantity,locale\nA,5,sv-SE\nA,0,pl-PL\nA,1,").is_empty());
        let with_times = "sku,quantity,updatedOn\nA,5,2026-11-28T10:00:00Z\nA,0,2026-11-28T11:00:00Z";
        assert!(codes(with_times).is_empty());
        assert_eq!(csv("sku,quantity,Quantity\nA,1,2").unwrap_err().document.error_code, ErrorCode::Duplicate);
        let broken = csv("sku,name,quantity\nA,\"Shirt\nblue\",5\nB,x,1").unwrap();
        assert_eq!(broken.rejected[0].error.error_code, ErrorCode::InvalidCharacter);
    }
}

//! A file of stock levels: JSON lines, or a table (CSV). Every line stands for itself, so a broken one costs no other.

use crate::lines::{JSON_LINES, LineError, MAX_ERRORS, has_one_of, numbered_lines, read_json};
use crate::openapi::Operation;
use crate::payload::{Body, summary};
use crate::stock_levels::StockLevel;
use crate::wire::{Read, alone};
use crate::{FieldError, Problem};
use restock_domain::{ErrorCode, Invalid};
use serde_json::{Map, Number, Value};

const MAX_BYTES: usize = 5 * 1024 * 1024;
const MAX_LEVELS: usize = 100_000;
const TABLES: [&str; 3] = ["text/csv", "text/tab-separated-values", "application/csv"];
const SEPARATORS: [u8; 3] = *b",;\t";

/// The levels of a file that are valid, and the lines that are not.
#[derive(Debug)]
pub struct StockFile {
    pub valid: Vec<StockLevel>,
    pub rejected: u64,
    /// The first hundred lines that were rejected.
    pub errors: Vec<LineError>,
    /// The number of the first line that can have a level.
    pub first_line: usize,
}

impl StockFile {
    /// Returns true if a body of this content type is one.
    pub fn is_named_by(content_type: Option<&str>) -> bool {
        has_one_of(content_type, &JSON_LINES) || has_one_of(content_type, &TABLES)
    }
}

impl Body for StockFile {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if !Self::is_named_by(content_type) {
            let detail = "Send a table as text/csv, or JSON lines as application/x-ndjson or application/jsonl.";
            return Err(Problem::unsupported_media_type(detail));
        }
        if bytes.len() > MAX_BYTES {
            return Err(Problem::too_large("A file has at most 5 MB. Send several smaller ones."));
        }
        let mut lines = numbered_lines(bytes);
        let table = has_one_of(content_type, &TABLES).then(|| Table::of(lines.next())).transpose()?;
        let first_line = if table.is_some() { 2 } else { 1 };
        let mut file = Self { valid: Vec::new(), rejected: 0, errors: Vec::new(), first_line };
        for (line, text) in lines {
            let value = match &table {
                Some(table) => table.row(text),
                None => read_json(text),
            };
            file.add(line, value.and_then(StockLevel::read));
            if file.valid.len() > MAX_LEVELS {
                let detail = format!("A file has at most {MAX_LEVELS} stock levels. Send several smaller ones.");
                return Err(Problem::too_large(detail));
            }
        }
        if file.valid.is_empty() {
            let detail = match file.errors.first() {
                Some(LineError { line, message, .. }) => {
                    format!(
                        "None of the stock levels is valid; of line {line}: {message} Correct them and send the file again."
                    )
                }
                None => "The file has no stock level.".to_owned(),
            };
            return Err(Problem::bad_request(ErrorCode::NoValidStockLevel, detail));
        }
        Ok(file)
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let media_types: Vec<&str> = TABLES.into_iter().chain(JSON_LINES).collect();
        operation.file(&media_types, true).problem(400, "There is no line, or none that is valid.")
    }
}

impl StockFile {
    fn add(&mut self, line: usize, level: Result<StockLevel, Vec<FieldError>>) {
        match level {
            Ok(level) => self.valid.push(level),
            Err(found) => {
                self.rejected += 1;
                if self.errors.len() < MAX_ERRORS {
                    let (error_code, message) = summary(&found);
                    self.errors.push(LineError { line, error_code, message });
                }
            }
        }
    }
}

/// The columns of a table: the property that each has, if it is one of a stock level.
struct Table {
    columns: Vec<Option<String>>,
    separator: u8,
}

impl Table {
    /// Reads the first line. The separator is the one that it has most of.
    fn of(first: Option<(usize, &[u8])>) -> Result<Self, Problem> {
        let missing = |detail| Problem::bad_request(ErrorCode::Required, detail);
        let (_, text) = first.ok_or_else(|| {
            Problem::bad_request(ErrorCode::MissingBody, "Send a table whose first line names its columns.")
        })?;
        let count = |separator: &u8| text.iter().filter(|byte| *byte == separator).count();
        // Of equals the first.
        let separator = SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(b',');
        let names = fields(text, separator).map_err(|_| missing("Save the table as UTF-8."))?;
        let properties = StockLevel::properties();
        let property = |name: &String| properties.iter().find(|known| folded(known) == folded(name)).cloned();
        let columns: Vec<Option<String>> = names.iter().map(property).collect();
        for wanted in ["sku", "quantity"] {
            if !columns.iter().flatten().any(|column| column == wanted) {
                let detail = "The first line of a table names its columns: sku, quantity and, if you have them, locale, externalId and updatedOn.";
                return Err(missing(detail));
            }
        }
        Ok(Self { columns, separator })
    }

    /// Returns a row as the JSON object that it stands for.
    fn row(&self, text: &[u8]) -> Result<Value, Vec<FieldError>> {
        let fields = fields(text, self.separator).map_err(alone)?;
        if fields.len() > self.columns.len() {
            let message =
                "The line has more fields than the table has columns. A field with a separator in it stands in quotes.";
            return Err(alone(Invalid::new(ErrorCode::TooLong, message)));
        }
        let value = |(column, field): (&Option<String>, String)| {
            let column = column.clone()?;
            // What is no number is reported as such.
            let number = (column == "quantity").then(|| serde_json::from_str::<Number>(field.trim()).ok()).flatten();
            Some((column, number.map_or(Value::String(field), Value::Number)))
        };
        let mut row: Map<String, Value> = self.columns.iter().zip(fields).filter_map(value).collect();
        row.retain(|_, value| value.as_str().is_none_or(|text| !text.trim().is_empty()));
        Ok(Value::Object(row))
    }
}

/// Returns a name as it compares: `external_id` and `External ID` are `externalId`.
fn folded(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns the fields of one line of a table.
fn fields(text: &[u8], separator: u8) -> Result<Vec<String>, Invalid> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).delimiter(separator).buffer_capacity(1024).from_reader(text);
    let mut record = csv::StringRecord::new();
    reader
        .read_record(&mut record)
        .map_err(|_| Invalid::new(ErrorCode::InvalidEncoding, "Save the table as UTF-8."))?;
    Ok(record.iter().map(ToOwned::to_owned).collect())
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
            assert_eq!((levels(&file), file.rejected), (vec![("A".into(), 1), ("B".into(), -2)], 0), "{text}");
            assert_eq!(file.valid[0].locale.as_ref().map(|locale| locale.key()), Some("sv-se"));
            assert_eq!(file.valid[1].locale, None);
        }
    }

    #[test]
    fn a_broken_line_costs_no_other_and_is_named() {
        let file = csv("sku,quantity\nA,1\nB,two\n,3\nC\nD,\"4\nE,5,6\n\"F,1\",7\nG,8.5\nH,9").unwrap();

        assert_eq!(levels(&file), [("A".into(), 1), ("D".into(), 4), ("F,1".into(), 7), ("H".into(), 9)]);
        let errors: Vec<(usize, ErrorCode)> = file.errors.iter().map(|error| (error.line, error.error_code)).collect();
        assert_eq!(
            errors,
            [
                (3, ErrorCode::WrongType),
                (4, ErrorCode::Required),
                (5, ErrorCode::Required),
                (7, ErrorCode::TooLong),
                (9, ErrorCode::WrongType)
            ]
        );
        let latin = StockFile::receive(Some("text/csv"), b"sku,quantity\n\xe5,1\nA,2\n").unwrap();
        assert_eq!((levels(&latin), latin.errors[0].error_code), (vec![("A".into(), 2)], ErrorCode::InvalidEncoding));
    }

    #[test]
    fn json_lines_are_read_as_levels_of_a_request_are() {
        let text = b"{\"sku\":\"A\",\"quantity\":1}\n\n{\"SKU\":\"B\",\"quantity\":0}\n{\"sku\":7}\n{";
        let file = StockFile::receive(Some("application/x-ndjson"), text).unwrap();

        assert_eq!(levels(&file), [("A".into(), 1), ("B".into(), 0)]);
        assert_eq!(file.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [4, 5]);
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
        let many = "A,1\n".repeat(MAX_LEVELS + 1);
        assert_eq!(code("text/csv", &format!("sku,quantity\n{many}")), ErrorCode::PayloadTooLarge);
    }
}

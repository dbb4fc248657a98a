use crate::bounded::{Bounded, MAX_BYTES};
use crate::item::{self, ItemFault};
use crate::{End, Unreadable};
use csv::{ByteRecord, Reader, ReaderBuilder};
use restock_domain::{ErrorCode, FieldValue, Fields, MAX_IDENTIFIER_BYTES, Product};
use std::io::BufRead;

/// Reads a table whose first line names the columns. Of several possible delimiters the one counts that the first line
/// has most of; Nordic exports separate with semicolons.
pub fn read(
    mut input: Bounded<impl BufRead>,
    delimiters: &[u8],
    each: &mut dyn FnMut(u64, Result<Product, ItemFault>),
) -> Result<End, Unreadable> {
    let beginning = input.fill_buf()?;
    let first_line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| first_line.iter().filter(|byte| *byte == delimiter).count();
    // max_by_key takes the last of equals, so the preferred delimiter comes last.
    let delimiter = delimiters.iter().rev().copied().max_by_key(count).unwrap_or(b',');

    let mut table = reader(input, delimiter);
    let mut record = ByteRecord::new();
    if !table.read_byte_record(&mut record).map_err(broken)? || table.get_ref().exceeded() {
        return Err(Unreadable::NoIdColumn);
    }
    let columns: Vec<String> = record.iter().map(column).collect();
    let Some(id) = columns.iter().position(|column| column == "id") else { return Err(Unreadable::NoIdColumn) };
    let mut position = 0;
    let mut end = End::Complete;
    let mut lost = false;
    // Lines before those that this reader counts.
    let mut lines = 0;
    loop {
        table.get_mut().begin();
        match table.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(if lost { End::CutOff } else { end }),
            Err(error) => return Err(broken(error)),
        }
        let line = lines + record.position().map_or(0, csv::Position::line);
        if table.get_ref().exceeded() {
            position += 1;
            each(position, Err(too_large(record.get(id), line)));
            lost = true;
            lines += table.position().line();
            let mut input = table.into_inner();
            input.skip_line()?;
            table = reader(input, delimiter);
            continue;
        }
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        position += 1;
        // A last line with too few fields is what a file looks like that was cut off.
        end = if record.len() < columns.len() { End::CutOff } else { End::Complete };
        each(position, row(&columns, &record, line));
    }
}

fn reader<R: BufRead>(input: Bounded<R>, delimiter: u8) -> Reader<Bounded<R>> {
    ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(input)
}

/// Reports a row of which more is to come than anybody needs.
fn too_large(id: Option<&[u8]>, line: u64) -> ItemFault {
    let id = id.filter(|id| id.len() <= MAX_IDENTIFIER_BYTES).map(|id| String::from_utf8_lossy(id).trim().to_owned());
    let message = format!("The row that begins in line {line} has more than {MAX_BYTES} bytes. Is a quote not closed?");
    ItemFault { sku: id, error_code: ErrorCode::ItemTooLarge, message }
}

fn row(columns: &[String], record: &ByteRecord, line: u64) -> Result<Product, ItemFault> {
    let mut data = Fields::new();
    for (name, field) in columns.iter().zip(record) {
        let text = String::from_utf8_lossy(field);
        let text = text.trim();
        if !text.is_empty() && !name.is_empty() {
            item::add(&mut data, name, FieldValue::from(text));
        }
    }
    if record.len() != columns.len() {
        return Err(ItemFault {
            sku: data.get("id").and_then(FieldValue::as_text).map(ToOwned::to_owned),
            error_code: ErrorCode::WrongNumberOfFields,
            message: format!("Line {line} has {} fields, the first line has {}.", record.len(), columns.len()),
        });
    }
    item::product(data)
}

/// Returns the name of a field by its column: `sale_price` for `g:Sale Price`.
fn column(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).trim().to_lowercase().replace(' ', "_");
    name.strip_prefix("g:").map(ToOwned::to_owned).unwrap_or(name)
}

/// Says why a table can't be read on. With flexible records of bytes, only the input itself can fail.
fn broken(error: csv::Error) -> Unreadable {
    Unreadable::Input(error.into())
}

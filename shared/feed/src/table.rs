use crate::column::Column;
use crate::item::{self, Item, ItemFault, MAX_BYTES, NEVER_DIGITS, is_needed, is_price};
use crate::rows::{Form, Row, Rows};
use crate::{End, Unreadable, short_row};
use restock_domain::{Currency, ErrorCode, Fields, Invalid, MAX_IDENTIFIER_BYTES, Money};
use std::io::BufRead;

/// Lines before the one that names the columns: comments of a template, and empty ones.
const MAX_PREFACE: usize = 10;

/// Reads a table whose first line names the columns. Of several possible delimiters the one counts that this line has
/// most of; Nordic exports separate with semicolons.
pub fn read(
    input: impl BufRead,
    delimiters: &[u8],
    currency: Option<Currency>,
    each: &mut dyn FnMut(u64, Result<Item, ItemFault>),
) -> Result<End, Unreadable> {
    let mut rows = Rows::new(input);
    let (columns, form) = header(&mut rows, delimiters)?;
    let id = columns.iter().position(|column| column.name == "id").ok_or(Unreadable::NoIdColumn)?;
    let mut further_ids = further_ids(&columns, id);
    let (mut position, mut end, mut lost) = (0, End::Complete, false);
    while let Some(row) = rows.next(form)? {
        if row.fields.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        position += 1;
        lost |= row.hides_rows;
        let mut item = read_row(&columns, (id, form.delimiter), &row, currency);
        let cut_off = row.unfinished && is_cut(&columns, &row, &item);
        if cut_off && (item.is_err() || row.fields.len() < columns.len()) {
            let message = format!("The file breaks off within the row in line {}.", row.line);
            item = Err(fault(id, &row, ErrorCode::UnexpectedEnd, message));
        }
        end = if cut_off { End::CutOff } else { End::Complete };
        if let Ok(item) = &mut item {
            item.left_out.extend(further_ids.take().map(|message| fault(id, &row, ErrorCode::RepeatedField, message)));
        }
        each(position, item);
    }
    Ok(if lost { End::CutOff } else { end })
}

/// Returns what there is to say if several columns name an id.
fn further_ids(columns: &[Column], id: usize) -> Option<String> {
    let places = columns.iter().zip(1..).filter(|(column, _)| column.name == "id").map(|(_, place)| place.to_string());
    let places: Vec<String> = places.collect();
    let said = || {
        let (all, first) = (places.join(" and "), id + 1);
        format!("Columns {all} of the table name an id; column {first} is used, in every row.")
    };
    (places.len() > 1).then(said)
}

/// Returns true if a row whose line has no end may lack some of it: if it is not whole, or its last field can't be
/// used.
fn is_cut(columns: &[Column], row: &Row, item: &Result<Item, ItemFault>) -> bool {
    let Ok(item) = item else { return true };
    let Some((column, field)) = columns.last().zip(row.fields.get(columns.len() - 1)) else { return true };
    row.stray_quote || !(field.trim().is_empty() || item.product.data().contains_key(&column.name))
}

/// Returns the names of the columns, and how rows are told apart.
fn header(rows: &mut Rows<impl BufRead>, delimiters: &[u8]) -> Result<(Vec<Column>, Form), Unreadable> {
    for _ in 0..MAX_PREFACE {
        let line = rows.peek_line()?;
        let mut quotes = 0;
        let outside = line.iter().filter(|byte| {
            quotes += usize::from(**byte == b'"');
            quotes % 2 == 0
        });
        let outside: Vec<u8> = outside.copied().collect();
        let count = |delimiter: &u8| outside.iter().filter(|byte| *byte == delimiter).count();
        // max_by_key takes the last of equals, so the preferred delimiter comes last.
        let delimiter = delimiters.iter().rev().copied().max_by_key(count).unwrap_or(b',');
        let Some(row) = rows.next(Form { delimiter, columns: None })? else { break };
        let columns: Vec<Column> = row.fields.iter().map(|name| Column::parse(name)).collect();
        if columns.iter().any(|column| column.name == "id") {
            let address = columns.iter().position(|column| column.name == "link");
            let form = Form { delimiter, columns: address.map(|address| (columns.len(), address)) };
            return Ok((columns, form));
        }
        let first = row.fields.first().map(|field| field.trim()).unwrap_or_default();
        // Excel writes the delimiter in a line of its own.
        if !(first.is_empty() || first.starts_with('#') || first.to_ascii_lowercase().starts_with("sep=")) {
            break;
        }
    }
    Err(Unreadable::NoIdColumn)
}

fn read_row(
    columns: &[Column],
    (id, delimiter): (usize, u8),
    row: &Row,
    currency: Option<Currency>,
) -> Result<Item, ItemFault> {
    let line = row.line;
    if row.too_large {
        let message = format!("The row in line {line} has more than {MAX_BYTES} bytes.");
        return Err(fault(id, row, ErrorCode::ItemTooLarge, message));
    }
    let is_quoted = |place: usize| row.quoted.get(place).is_some_and(|quoted| *quoted);
    let begins = row.stray_quote && row.fields.get(id).is_some_and(|id| id.trim().starts_with('"'));
    // Where others stand in quotes, it is no sign of inches.
    let ends =
        !is_quoted(id) && row.quoted.contains(&true) && row.fields.get(id).is_some_and(|id| id.trim().ends_with('"'));
    if begins || ends {
        let message = format!("In line {line} the id has a quote at one end only.");
        return Err(fault(id, row, ErrorCode::StrayQuote, message));
    }
    // Many programs write a delimiter behind the last field, or none for columns at the end that have nothing.
    let further = row.fields.get(columns.len()..).unwrap_or_default();
    let lacking = columns.get(row.fields.len()..).unwrap_or_default();
    if further.iter().any(|field| !field.trim().is_empty()) || lacking.iter().any(|column| is_needed(&column.name)) {
        let message = format!("Line {line} has {} fields, the first line has {}.", row.fields.len(), columns.len());
        return Err(fault(id, row, ErrorCode::WrongNumberOfFields, message));
    }
    let mut data = Fields::new();
    for (place, (column, field)) in columns.iter().zip(&row.fields).enumerate() {
        let text = field.trim();
        // Of several columns that name an id, the first one counts, in every row.
        let is_another_id = column.name == "id" && place != id;
        if !text.is_empty() && !column.name.is_empty() && !is_another_id {
            item::add(&mut data, &column.name, column.value(text));
        }
    }
    let mut unreadable = if delimiter == b',' { prices_in_two(columns, row, currency) } else { Vec::new() };
    if unreadable.is_empty() {
        unreadable = short_row::uncertain(columns, row, currency);
    }
    let mut item = item::item(data, unreadable, currency)?;
    if row.stray_quote {
        let message = format!("In line {line} a field begins with a quote that nothing closes; it is taken as text.");
        item.left_out.push(fault(id, row, ErrorCode::StrayQuote, message));
    }
    Ok(item)
}

/// Returns the prices of a row of a table with commas that may go on in the field behind them, as `199,50` does, and
/// those that may be the rest of one. In a row that has as many fields as there are columns, or fewer, only what can't
/// be a field of its own does.
fn prices_in_two(columns: &[Column], row: &Row, currency: Option<Currency>) -> Vec<(String, Invalid)> {
    let field = |place: usize| row.fields.get(place).map_or("", |field| field.trim());
    let goes_on = |place: usize| {
        let (before, after) = (field(place), field(place + 1));
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let is_thousand = digits == 3 && after.len() == 3 && !before.is_empty();
        // What could be read in two ways, as 1,299 can, is no price either.
        let may_be_one = is_thousand || Money::parse_in(&format!("{before},{after}"), currency).is_ok();
        let has_more = row.fields.len() > columns.len();
        let is_mixed = digits > 0 && digits < after.len();
        let next = columns.get(place + 1).map_or("", |column| column.name.as_str());
        // No sale is dearer than its price; and of two prices both have a currency, or neither.
        let is_dearer = || number(after).zip(number(before)).is_none_or(|(after, before)| after > before);
        let is_no_value = NEVER_DIGITS.contains(&next) || (is_price(next) && is_dearer());
        let is_rest = is_mixed || (digits == after.len() && (1..=2).contains(&digits) && is_no_value);
        let is_quoted = |place: usize| row.quoted.get(place).is_some_and(|quoted| *quoted);
        may_be_one && (has_more || is_rest) && !is_quoted(place) && !is_quoted(place + 1)
    };
    let is_split = |place: usize| is_price(&columns[place].name) && goes_on(place);
    let prices = columns.iter().enumerate().filter(|(_, column)| is_price(&column.name));
    let unreadable = prices.filter_map(|(place, column)| {
        let begins = [Some(place), place.checked_sub(1)].into_iter().flatten().find(|place| is_split(*place))?;
        let message = format!(
            "The item is used without its {}: in line {}, {} may go on as {}. Write a decimal point, or put the price in quotes.",
            column.name,
            row.line,
            field(begins),
            field(begins + 1)
        );
        Some((column.name.clone(), Invalid::new(ErrorCode::InvalidPrice, message)))
    });
    unreadable.collect()
}

/// Returns a number that has nothing before or behind it.
fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn fault(id: usize, row: &Row, error_code: ErrorCode, message: String) -> ItemFault {
    // Without stray quotes.
    let sku = row
        .fields
        .get(id)
        .map(|id| id.trim().trim_matches('"').trim())
        .filter(|id| !id.is_empty() && id.len() <= MAX_IDENTIFIER_BYTES);
    ItemFault { sku: sku.map(ToOwned::to_owned), error_code, message }
}

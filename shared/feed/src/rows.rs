//! The rows of a table of text, one at a time, whatever its quotes are like.
//!
//! Only a quote at the beginning of a field opens one, and only one before a delimiter or a line's end closes it. Where
//! no quote closes a field, or the rows that would then be one are rows by themselves, the first quote is a part of the
//! text: a stray quote costs no more than itself.

use crate::item::MAX_BYTES;
use std::io::{BufRead, Read, Result};

/// Rows are looked for within so much of the file at a time.
const WINDOW: usize = 1024 * 1024;

/// A row of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub fields: Vec<String>,
    /// Which of them stood in quotes.
    pub quoted: Vec<bool>,
    /// The line that it begins in, from 1.
    pub line: u64,
    /// A field begins with a quote that nothing closes.
    pub stray_quote: bool,
    /// It has no line end, so it may not be whole.
    pub unfinished: bool,
    /// It has more than [`MAX_BYTES`]; `fields` has the beginning of it.
    pub too_large: bool,
    /// It is too large and has several lines, of which some may be rows.
    pub hides_rows: bool,
}

/// How the rows of a table are told apart.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub delimiter: u8,
    /// The number of columns, and which of them has an address: what tells rows that a quote has fused.
    pub columns: Option<(usize, usize)>,
}

pub struct Rows<R> {
    input: R,
    window: Vec<u8>,
    /// Bytes of the window that were handed out.
    used: usize,
    ended: bool,
    line: u64,
}

impl<R: BufRead> Rows<R> {
    pub fn new(input: R) -> Self {
        Self { input, window: Vec::new(), used: 0, ended: false, line: 1 }
    }

    /// Returns the line that comes next, without its end.
    pub fn peek_line(&mut self) -> Result<&[u8]> {
        self.fill()?;
        let rest = &self.window[self.used..];
        Ok(&rest[..rest.iter().position(is_line_end).unwrap_or(rest.len())])
    }

    /// Returns the next row; `None` at the end of the file.
    pub fn next(&mut self, form: Form) -> Result<Option<Row>> {
        self.fill()?;
        let rest = &self.window[self.used..];
        if rest.is_empty() {
            return Ok(None);
        }
        let mut row = Row { line: self.line, ..Row::default() };
        let mut at = 0;
        loop {
            let field = field(&rest[at..], row.fields.len(), form, self.ended);
            row.stray_quote |= field.stray_quote;
            row.fields.push(field.text);
            row.quoted.push(field.quoted);
            at += field.bytes;
            match rest.get(at) {
                Some(byte) if *byte == form.delimiter => at += 1,
                Some(_) => break,
                None => {
                    row.unfinished = true;
                    break;
                }
            }
            if at > MAX_BYTES {
                break;
            }
        }
        if at > MAX_BYTES {
            row.too_large = true;
            row.fields.iter_mut().for_each(|field| *field = field.chars().take(1_000).collect());
            let lines = line_ends(&rest[..at]);
            row.hides_rows = lines > 0;
            self.line += lines;
            self.used += at;
            row.unfinished = !self.skip_line()?;
            return Ok(Some(row));
        }
        at += match &rest[at..] {
            [b'\r', b'\n', ..] => 2,
            [_, ..] => 1,
            [] => 0,
        };
        self.line += line_ends(&rest[..at]);
        self.used += at;
        Ok(Some(row))
    }

    /// Reads on until the window has two rows of the largest size, or the rest of the file.
    fn fill(&mut self) -> Result<()> {
        if self.ended || self.window.len() - self.used >= 2 * MAX_BYTES {
            return Ok(());
        }
        self.window.drain(..self.used);
        self.used = 0;
        let missing = WINDOW - self.window.len();
        let read = self.input.by_ref().take(missing as u64).read_to_end(&mut self.window)?;
        self.ended = read < missing;
        Ok(())
    }

    /// Passes over the rest of the line; returns false if it has no end.
    fn skip_line(&mut self) -> Result<bool> {
        loop {
            self.fill()?;
            let rest = &self.window[self.used..];
            if let Some(end) = rest.iter().position(is_line_end) {
                self.used += end + 1;
                self.line += 1;
                return Ok(true);
            }
            self.used = self.window.len();
            if self.ended {
                return Ok(false);
            }
        }
    }
}

/// Returns true for a byte that ends a line: Windows has two of them, and old programs of the Mac the first one.
fn is_line_end(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn line_ends(bytes: &[u8]) -> u64 {
    let ends = bytes
        .iter()
        .enumerate()
        .filter(|(at, byte)| **byte == b'\n' || (**byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')));
    ends.count() as u64
}

struct Field {
    text: String,
    /// Of the file, with its quotes and without the delimiter.
    bytes: usize,
    quoted: bool,
    stray_quote: bool,
}

/// Reads the field at the beginning of `rest`, which belongs to that column. `last` says that the file has no more than
/// that.
fn field(rest: &[u8], column: usize, form: Form, last: bool) -> Field {
    // Some write a space behind the delimiter.
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    if rest.get(spaces) == Some(&b'"')
        && let Some((text, bytes)) = quoted(&rest[spaces..], column, form, last)
    {
        return Field { text, bytes: spaces + bytes, quoted: true, stray_quote: false };
    }
    let bytes = rest.iter().position(|byte| *byte == form.delimiter || is_line_end(byte)).unwrap_or(rest.len());
    // A quoted word within the text, as in "Hello" says the cat, has its own end.
    let stray_quote =
        rest.get(spaces) == Some(&b'"') && rest[..bytes].iter().filter(|byte| **byte == b'"').count() % 2 == 1;
    Field { text: text_of(&rest[..bytes]), bytes, quoted: false, stray_quote }
}

/// Returns the text of a quoted field and its bytes in the file; nothing if no quote closes it.
fn quoted(rest: &[u8], column: usize, form: Form, last: bool) -> Option<(String, usize)> {
    let rest = &rest[..rest.len().min(MAX_BYTES)];
    let mut text = Vec::new();
    let (mut at, mut within, mut lines) = (1, false, 0);
    loop {
        let byte = *rest.get(at)?;
        if byte != b'"' {
            lines += usize::from(is_line_end(&byte));
            if lines > 0 && within {
                return None;
            }
            text.push(byte);
            at += 1;
            continue;
        }
        if rest.get(at + 1) == Some(&b'"') {
            text.push(b'"');
            at += 2;
            continue;
        }
        let after = &rest[at + 1..];
        let closes = match after {
            [] => last,
            [next, ..] => *next == form.delimiter || is_line_end(next),
        };
        if closes {
            let fused = lines > 0 && has_rows(&text, after, column, form);
            return (!fused).then(|| (text_of(&text), at + 1));
        }
        // A quote within the text, which only a field of one line may have.
        within = true;
        text.push(b'"');
        at += 1;
        if lines > 0 {
            return None;
        }
    }
}

/// Returns true if a text that begins in a column is a part of several rows: if a line of it ends a row there, or is a
/// row by itself, with an address where one belongs; or if its first line ends a row and its last one, with what is
/// `after` it, makes another. Where one field does fit the columns, only rows that lack no column, or that have an
/// address, tell against it.
fn has_rows(text: &[u8], after: &[u8], column: usize, form: Form) -> bool {
    let Some((columns, address)) = form.columns else { return false };
    let lines = text.split(is_line_end).map(|line| line.split(|byte| *byte == form.delimiter).collect::<Vec<&[u8]>>());
    let lines: Vec<_> = lines.collect();
    let [first, others @ ..] = lines.as_slice() else { return false };
    let behind =
        after.split(is_line_end).next().unwrap_or_default().iter().filter(|byte| **byte == form.delimiter).count();
    let fits = column + 1 + behind == columns;
    // Rows may have blank fields behind the last column, and lack columns behind the address.
    let least = columns.min(address + 2);
    let enough = if fits { columns } else { least };
    // An address in quotes may itself end with a line.
    let at = address.checked_sub(column).filter(|at| *at > 0);
    if column + first.len() >= least && at.and_then(|at| first.get(at)).is_some_and(is_address) {
        return true;
    }
    // The quote that closes the text may do so in the middle of a row.
    let is_row = |fields: &Vec<&[u8]>| fields.len() >= enough && fields.get(address).is_some_and(is_address);
    let may_be_rows = !fits || column + first.len() >= columns;
    let begins_row = others
        .last()
        .is_some_and(|last| last.len() + behind == columns && (!fits || last.get(address).is_some_and(is_address)));
    let ends_row = column + first.len() == columns;
    (may_be_rows && others.iter().any(is_row)) || (ends_row && begins_row)
}

/// Returns true for what a link may be written as.
fn is_address(field: &&[u8]) -> bool {
    let field = field.trim_ascii().to_ascii_lowercase();
    let begins = ["http://", "https://", "www.", "/"].iter().any(|begin| field.starts_with(begin.as_bytes()));
    begins && field.len() > 1 && !field.contains(&b' ')
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

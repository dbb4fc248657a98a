//! Streaming readers of product feeds: RSS 2.0 and Atom with the Google Merchant namespace, CSV, TSV and JSON lines.
//!
//! Real feeds are broken in many ways. An item that can't be read is reported with its place and reason, and the others
//! are read. Memory is bounded, whatever the file holds: a row, or a field of XML, that is too large is
//! reported, and reading goes on behind it.

mod bounded;
mod clean;
mod column;
mod encoding;
mod format;
mod item;
mod lines;
mod misnamed;
mod mistaken;
mod plain;
mod rows;
mod short_row;
mod table;
#[cfg(test)]
mod tests;
mod xml;

pub use format::{Format, MediaType};
pub use item::{Item, ItemFault};
pub use mistaken::Mistaken;

use bounded::Bounded;
use clean::Clean;
use misnamed::Misnamed;
use restock_domain::{Currency, ErrorCode};
use serde::de::IgnoredAny;
use std::io::{Cursor, Read};

/// Bytes that tell what a file is.
const BEGINNING: u64 = 256;

/// How a feed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The whole file was read.
    Complete,
    /// The file breaks off or can't be read any further. Items that are missing may be in the rest.
    CutOff,
}

/// The file as a whole is no feed.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error(
        "The file has no items. An RSS feed has elements item, an Atom feed entry, and JSON lines an object to a line."
    )]
    NoItems,
    #[error(
        "The first line must name the columns, with commas, semicolons or tabs between them, and one of them must be id."
    )]
    NoIdColumn,
    #[error("This is {}, and no table. {}", .0.name(), .0.advice())]
    NoTable(Mistaken),
    #[error("This is {}, and no feed. {}", .0.name(), .0.advice())]
    NoFeed(Mistaken),
    #[error("The file could not be read.")]
    Input(#[from] std::io::Error),
}

impl Unreadable {
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::NoItems | Self::NoFeed(_) => ErrorCode::NoItems,
            Self::NoIdColumn | Self::NoTable(_) => ErrorCode::NoIdColumn,
            Self::Input(_) => ErrorCode::InputFailed,
        }
    }
}

/// Reads a feed from its beginning and hands over each item, or why it can't be used, with its place from 1. `currency`
/// is that of prices which say none.
pub fn read(
    input: impl Read,
    media_type: &MediaType,
    currency: Option<Currency>,
    each: &mut dyn FnMut(u64, Result<Item, ItemFault>),
) -> Result<End, Unreadable> {
    let mut text = encoding::to_utf8(input, media_type)?;
    let mut beginning = Vec::new();
    text.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
    let mistaken = Mistaken::by(&beginning);
    let is_no_lines = beginning.trim_ascii_start().first() == Some(&b'[') || goes_over_lines(&beginning);
    let text = Cursor::new(beginning).chain(text);
    let mut misnamed = Misnamed::default();
    let each = &mut |position, mut item: Result<Item, ItemFault>| {
        item.iter_mut().for_each(|item| misnamed.tell(item));
        each(position, item);
    };
    let end = match media_type.format {
        Format::Xml => xml::read(Bounded::new(Clean::new(text)), currency, each),
        Format::Csv => table::read(text, b",;\t", currency, each),
        Format::Tsv => table::read(text, b"\t", currency, each),
        // Each of its lines would be a broken one.
        Format::JsonLines if is_no_lines => Err(Unreadable::NoFeed(Mistaken::Json)),
        Format::JsonLines => lines::read(text, currency, each),
    };
    end.map_err(|error| match (error, mistaken) {
        (Unreadable::NoIdColumn, Some(mistaken)) => Unreadable::NoTable(mistaken),
        (Unreadable::NoItems, Some(mistaken @ (Mistaken::Html | Mistaken::Json | Mistaken::Zip))) => {
            Unreadable::NoFeed(mistaken)
        }
        (error, _) => error,
    })
}

/// Returns true if the first object of a file goes on in its second line, as a program indents it for people.
fn goes_over_lines(beginning: &[u8]) -> bool {
    let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning).trim_ascii_start();
    let Some(end) = beginning.iter().position(|byte| *byte == b'\n') else { return false };
    let (first, rest) = beginning.split_at(end);
    let is_open = serde_json::from_slice::<IgnoredAny>(first).is_err_and(|error| error.is_eof());
    first.starts_with(b"{") && is_open && rest.trim_ascii_start().first().is_some_and(|byte| *byte != b'{')
}

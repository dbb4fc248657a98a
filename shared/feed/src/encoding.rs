//! Feeds come in more than UTF-8; everything behind this module sees UTF-8 only.

use crate::{Format, MediaType};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::DecodeReaderBytesBuilder;
use std::io::{BufReader, Cursor, Read};

/// Enough for a byte order mark and an XML declaration, and to see whether a text is UTF-8.
const HEAD: u64 = 64 * 1024;

/// Decodes by byte order mark, content type or XML declaration, in this order (RFC 7303, section 3). Where the last two
/// differ and one of them says UTF-8, the bytes tell, as servers name an encoding without a look at the file. Bytes
/// that the encoding doesn't have become U+FFFD, which the items that hold them are reported for.
pub fn to_utf8<R: Read>(mut input: R, media_type: &MediaType) -> std::io::Result<BufReader<impl Read>> {
    let mut head = Vec::new();
    input.by_ref().take(HEAD).read_to_end(&mut head)?;
    let declared = if media_type.format == Format::Xml { xml_encoding(&head) } else { None };
    let encoding = match (media_type.charset, declared) {
        // The bytes tell.
        (_, Some(declared)) if declared == UTF_16BE || declared == UTF_16LE => declared,
        (Some(charset), Some(declared)) if charset != declared => match [charset, declared] {
            both if !both.contains(&UTF_8) => charset,
            _ if is_utf8(&head) => UTF_8,
            [other, _] if other != UTF_8 => other,
            [_, other] => other,
        },
        (charset, declared) => charset.or(declared).unwrap_or(UTF_8),
    };
    let whole = Cursor::new(head).chain(input);
    let decoded =
        DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).strip_bom(true).build(whole);
    Ok(BufReader::new(decoded))
}

/// Returns true if the beginning of a file may be UTF-8. It may end within a character.
fn is_utf8(head: &[u8]) -> bool {
    std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Returns the encoding of an XML file without byte order mark (XML 1.0, appendix F).
fn xml_encoding(head: &[u8]) -> Option<&'static Encoding> {
    if head.starts_with(&[0, b'<', 0, b'?']) {
        return Some(UTF_16BE);
    }
    if head.starts_with(&[b'<', 0, b'?', 0]) {
        return Some(UTF_16LE);
    }
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(&head[..end]).ok()?.trim_start();
    let (_, after) = declaration.strip_prefix("<?xml")?.split_once("encoding")?;
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let label = value.get(1..)?.split(['"', '\'']).next()?;
    // The declaration was readable byte by byte, so it can't be UTF-16, whatever it says.
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != UTF_16LE && *encoding != UTF_16BE)
}

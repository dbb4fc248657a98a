//! What a file is that is no feed, so that its sender reads what came.

/// What files are taken for feeds by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistaken {
    Html,
    Json,
    Xml,
    Zip,
}

impl Mistaken {
    /// Returns what a file is by its first bytes, if these tell.
    pub fn by(beginning: &[u8]) -> Option<Self> {
        if beginning.starts_with(b"PK\x03\x04") {
            return Some(Self::Zip);
        }
        let beginning = beginning.trim_ascii_start().to_ascii_lowercase();
        match beginning.first()? {
            b'{' | b'[' => Some(Self::Json),
            b'<' if beginning.starts_with(b"<html") || beginning.starts_with(b"<!doctype html") => Some(Self::Html),
            b'<' => Some(Self::Xml),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "HTML",
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::Zip => "a ZIP archive",
        }
    }

    pub fn advice(self) -> &'static str {
        match self {
            Self::Html => "It is a web page, perhaps one that asks to sign in: check the address of the feed.",
            Self::Json => "Send JSON lines, with an object to a line, as application/x-ndjson.",
            Self::Xml => "Send it as application/xml.",
            Self::Zip => "A workbook of Excel is one too: save it as CSV. Compress a feed with gzip.",
        }
    }
}

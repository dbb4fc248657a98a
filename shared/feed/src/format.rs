use encoding_rs::Encoding;

/// The kinds of file that a feed can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RSS 2.0 or Atom; the root element tells.
    Xml,
    Csv,
    Tsv,
    /// One JSON object to a line.
    JsonLines,
}

/// The format of a file by its content type.
#[derive(Debug, Clone, Copy)]
pub struct MediaType {
    pub format: Format,
    pub charset: Option<&'static Encoding>,
}

impl MediaType {
    /// Reads a `Content-Type`, such as `text/csv; charset=iso-8859-1`. `None` for what is no feed.
    pub fn parse(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let format = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/xml" | "text/xml" | "application/rss+xml" | "application/atom+xml" => Format::Xml,
            "text/csv" | "application/csv" => Format::Csv,
            "text/tab-separated-values" => Format::Tsv,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Format::JsonLines,
            _ => return None,
        };
        let charset = parts
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("charset"))
            .and_then(|(_, label)| Encoding::for_label(label.trim_matches('"').as_bytes()));
        Some(Self { format, charset })
    }

    /// Returns what a download is: by its content type if that says it, else by the end of its address, else by how it
    /// begins. Many shops serve feeds as `text/plain` or `application/octet-stream`.
    pub fn of_download(content_type: Option<&str>, path: &str, beginning: &[u8]) -> Self {
        let declared = content_type.and_then(Self::parse);
        let charset = content_type.and_then(|text| {
            let parameters = text.split_once(';')?.1;
            Self::parse(&format!("text/csv;{parameters}"))?.charset
        });
        let path = path.to_ascii_lowercase();
        let by_name = [
            (".xml", Format::Xml),
            (".rss", Format::Xml),
            (".atom", Format::Xml),
            (".csv", Format::Csv),
            (".tsv", Format::Tsv),
            (".jsonl", Format::JsonLines),
            (".ndjson", Format::JsonLines),
        ]
        .into_iter()
        .find(|(end, _)| path.ends_with(end))
        .map(|(_, format)| format);
        let format = declared.map(|declared| declared.format).or(by_name).unwrap_or_else(|| {
            let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning).trim_ascii_start();
            if beginning.starts_with(b"{") {
                Format::JsonLines
            } else if beginning.iter().take(64).any(|byte| *byte == b'<') {
                Format::Xml
            } else {
                Format::Csv
            }
        });
        Self { format, charset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_tells_format_and_charset() {
        let latin = MediaType::parse("text/csv; charset=\"ISO-8859-1\"").unwrap();

        assert_eq!((latin.format, latin.charset.unwrap().name()), (Format::Csv, "windows-1252"));
        assert_eq!(MediaType::parse("application/xml").unwrap().format, Format::Xml);
        assert!(MediaType::parse("application/json").is_none());
    }

    #[test]
    fn a_download_without_a_useful_content_type_is_recognised() {
        let format = |content_type, path, beginning| MediaType::of_download(content_type, path, beginning).format;

        assert_eq!(format(Some("text/plain"), "/feed.tsv", b"id\ttitle"), Format::Tsv);
        assert_eq!(format(Some("application/octet-stream"), "/feed", b"\xef\xbb\xbf<?xml"), Format::Xml);
        assert_eq!(format(None, "/feed", b"id,title"), Format::Csv);
        assert_eq!(format(Some("application/json"), "/feed", b"\xef\xbb\xbf {\"id\""), Format::JsonLines);
        assert_eq!(format(None, "/feed.jsonl", b""), Format::JsonLines);
        assert_eq!(format(Some("text/csv"), "/feed.xml", b""), Format::Csv);
    }
}

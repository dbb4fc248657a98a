//! Bodies of requests, and how successes are written.

use crate::operation::Operation;
use crate::schema::Described;
use crate::wire::{Read, unmarked};
use crate::{Errors, FieldError, Problem};
use restock_domain::ErrorCode;
use serde::Serialize;
use serde_json::Value;

/// How what gzip has compressed begins (RFC 1952).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A request body.
pub trait Body: Sized + Send {
    /// Reads the body, or returns the answer to one that can't be used.
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem>;

    fn describe(operation: Operation<'_>) -> Operation<'_>;
}

/// No body; one that is sent all the same is ignored.
impl Body for () {
    fn receive(_: Option<&str>, _: &[u8]) -> Result<Self, Problem> {
        Ok(())
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation
    }
}

impl<T: Read + Described + Send> Body for T {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        Ok(T::read(json(content_type, bytes)?)?)
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json_body::<T>()
    }
}

/// Reads a body as JSON. A missing content type is taken for JSON.
pub fn json(content_type: Option<&str>, bytes: &[u8]) -> Result<Value, Problem> {
    if !content_type.is_none_or(is_json) {
        return Err(Problem::unsupported_media_type("Send the body as application/json."));
    }
    let bytes = unmarked(bytes);
    if bytes.is_empty() {
        return Err(Problem::bad_request(ErrorCode::MissingBody, "The request needs a JSON body."));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::bad_request(
            ErrorCode::MalformedJson,
            format!("The body is not JSON that we can read: {}", why(bytes, &error)),
        )
    })
}

fn why(bytes: &[u8], error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    if bytes.starts_with(GZIP) {
        return "it is compressed. Send it as plain text.".to_owned();
    }
    if error.is_eof() {
        return format!("it ends too early, at {place}.");
    }
    format!("{} {place}.", fault(error))
}

/// Returns what is wrong with JSON, so that a place can follow.
pub(crate) fn fault(error: &serde_json::Error) -> &'static str {
    // The library tells them apart by its texts only.
    let all = [
        ("recursion limit", "its arrays and objects are in each other more than 127 times at"),
        ("number out of range", "it has a number that is too large at"),
        ("lone leading surrogate", "it has half of a character, such as \\ud83d alone, at"),
        ("unexpected end of hex escape", "it has half of a character, such as \\ud83d alone, at"),
        ("invalid unicode code point", "it has bytes that are not UTF-8 at"),
        ("control character", "it has a line break or a tab within a text, which are written \\n and \\t, at"),
        ("invalid escape", "it has a \\ before a letter where none may be, at"),
        ("trailing comma", "it has a comma with nothing behind it at"),
        ("key must be a string", "it has a name without double quotes at"),
        ("trailing characters", "it has something behind its end at"),
    ];
    let said = error.to_string();
    all.iter().find(|(sign, _)| said.starts_with(sign)).map_or("see", |(_, fault)| fault)
}

pub(crate) fn is_json(content_type: &str) -> bool {
    let media_type = media_type(content_type).to_ascii_lowercase();
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}

/// Returns a content type without its parameters.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Returns the first error's word, and every message.
pub fn summary(errors: &[FieldError]) -> (ErrorCode, String) {
    let error_code = errors.first().map_or(ErrorCode::ValidationFailed, |error| error.error_code);
    let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
    (error_code, messages.join(" "))
}

/// Reads each element of an array, or returns what is wrong with any.
pub fn each<T>(
    values: Vec<Value>,
    read: impl Fn(Value) -> Result<T, Vec<FieldError>>,
) -> Result<Vec<T>, Vec<FieldError>> {
    let mut errors = Errors::default();
    let values = values.into_iter().enumerate();
    // Every one is read, so that the answer names everything that is wrong.
    let each: Vec<T> = values.filter_map(|(index, value)| errors.take(&format!("/{index}"), read(value))).collect();
    errors.finish()?;
    Ok(each)
}

/// A success as it is written.
pub trait Answer: Send {
    const CONTENT_TYPE: &'static str = "application/json";
    /// Headers besides the content type.
    const HEADERS: &'static [(&'static str, &'static str)] = &[];

    fn write(&self) -> Result<String, serde_json::Error>;

    fn describe<'a>(operation: Operation<'a>, status: u16, meaning: &str) -> Operation<'a>;
}

impl<T: Serialize + Described + Send> Answer for T {
    fn write(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    fn describe<'a>(operation: Operation<'a>, status: u16, meaning: &str) -> Operation<'a> {
        operation.answer::<T>(status, meaning)
    }
}

/// A JSON document as it is.
pub struct RawJson(pub &'static str);

impl Answer for RawJson {
    fn write(&self) -> Result<String, serde_json::Error> {
        Ok(self.0.to_owned())
    }

    fn describe<'a>(operation: Operation<'a>, status: u16, meaning: &str) -> Operation<'a> {
        operation.any_object(status, meaning)
    }
}

/// A page for a person, in HTML.
pub struct HtmlPage(pub String);

impl Answer for HtmlPage {
    const CONTENT_TYPE: &'static str = "text/html; charset=utf-8";
    /// A page loads nothing but the shop's logo, runs no script, sends its form to where it came from, is shown in no
    /// frame, and tells nobody its address, which holds a token.
    const HEADERS: &'static [(&'static str, &'static str)] = &[
        (
            "content-security-policy",
            "default-src 'none'; img-src https: http:; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "noindex"),
    ];

    fn write(&self) -> Result<String, serde_json::Error> {
        Ok(self.0.clone())
    }

    fn describe<'a>(operation: Operation<'a>, status: u16, meaning: &str) -> Operation<'a> {
        operation.page(status, meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lines;
    use crate::stock_level::StockLevel;

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_body() {
        let level = StockLevel::receive(None, "\u{feff}{\"sku\":\"A\",\"quantity\":1}".as_bytes()).unwrap();
        let Lines(lines) = Lines::receive(Some("application/jsonl"), "\u{feff}{}\n\u{feff}{}\n".as_bytes()).unwrap();

        assert_eq!(level.sku.as_str(), "A");
        assert!(lines.iter().all(|(_, line)| line.is_ok()), "also where two files were put together");
        let only = StockLevel::receive(None, "\u{feff}".as_bytes()).unwrap_err();
        assert_eq!(only.document.error_code, ErrorCode::MissingBody);
    }

    #[test]
    fn what_is_no_json_says_what_it_is_instead() {
        let detail = |body: &[u8]| json(None, body).unwrap_err().document.detail;

        assert!(detail(b"\x1f\x8b\x08\0").contains("it is compressed. Send it as plain text."));
        assert!(detail("[".repeat(200).as_bytes()).contains("more than 127 times at line 1, column 128."));
        assert!(detail(br#"{"a": 1"#).contains("it ends too early, at line 1, column 7."));
        assert!(detail(b"{\n'a': 1}").contains("it has a name without double quotes at line 2, column 1."));
        for (body, fault) in [
            (&br#"{"a": 1e400}"#[..], "a number that is too large"),
            (br#"{"a": "\ud83d"}"#, "half of a character"),
            (br#"{"a": "\ud83d and more"}"#, "half of a character"),
            (b"{\"a\": \"\xe5\"}", "bytes that are not UTF-8"),
            (b"{\"a\": \"1\n2\"}", "a line break or a tab within a text"),
            (br#"{"a": "\x"}"#, "before a letter where none may be"),
            (br#"{"a": 1,}"#, "a comma with nothing behind it"),
            (br#"{"a": 1} {}"#, "something behind its end"),
            (br#"{"a": nil}"#, "that we can read: see line 1"),
        ] {
            assert!(detail(body).contains(fault), "{fault}: {}", detail(body));
        }
    }
}

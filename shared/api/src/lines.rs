//! Uploads of JSON lines, and the report about them.

use crate::operation::Operation;
use crate::payload::{Body, fault, media_type, summary};
use crate::wire::{alone, unmarked};
use crate::{FieldError, Problem, answer};
use restock_domain::{ErrorCode, Invalid};
use serde_json::Value;

/// A line of an upload: its number from 1, and its JSON.
pub type Line = (usize, Result<Value, Vec<FieldError>>);

/// An upload of JSON lines: one JSON object to a line. Blank lines are left out.
pub struct Lines(pub Vec<Line>);

/// Lambda takes 6 MB, and API Gateway hands these media types over in base64.
pub(crate) const MAX_UPLOAD_BYTES: usize = 4 * 1024 * 1024;
pub const MAX_LINES: usize = 2_000;
pub(crate) const JSON_LINES: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

impl Body for Lines {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if !has_one_of(content_type, &JSON_LINES) {
            let detail = "Send JSON lines as application/x-ndjson or application/jsonl.";
            return Err(Problem::unsupported_media_type(detail));
        }
        if bytes.len() > MAX_UPLOAD_BYTES {
            return Err(Problem::too_large("An upload has at most 4 MB. Send several smaller ones."));
        }
        if bytes.is_empty() {
            return Err(Problem::bad_request(ErrorCode::MissingBody, "Send one JSON object to a line."));
        }
        let lines: Vec<_> = numbered_lines(bytes).collect();
        if lines.len() > MAX_LINES {
            let detail = format!("An upload has at most {MAX_LINES} lines; this one has {}. Split it.", lines.len());
            return Err(Problem::too_large(detail));
        }
        Ok(Self(lines.into_iter().map(|(number, line)| (number, read_json(line))).collect()))
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.file(&JSON_LINES, true).problem(400, "There is no line.")
    }
}

/// Returns true if a content type is one of the given media types.
pub(crate) fn has_one_of(content_type: Option<&str>, media_types: &[&str]) -> bool {
    let found = content_type.map(media_type).unwrap_or_default();
    media_types.iter().any(|known| known.eq_ignore_ascii_case(found))
}

/// Returns the lines that are not blank, with their numbers from 1.
pub(crate) fn numbered_lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    // Old programs end lines by a carriage return alone.
    let line_end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    // Files that were put together have a byte order mark each.
    let lines = bytes.split(move |byte| *byte == line_end).map(unmarked).zip(1..);
    lines.filter(|(line, _)| !line.trim_ascii().is_empty()).map(|(line, number)| (number, line))
}

/// Reads a line as JSON.
pub(crate) fn read_json(line: &[u8]) -> Result<Value, Vec<FieldError>> {
    serde_json::from_slice(line).map_err(|error| {
        let what = fault(&error);
        let message = format!("The line is not JSON that we can read: {what} column {}.", error.column());
        alone(Invalid::new(ErrorCode::MalformedJson, message))
    })
}

answer! {
    /// The outcome of an upload.
    #[derive(Debug, Default, PartialEq, Eq)]
    pub struct LinesReport {
        /// Lines that are not blank: `created`, `updated`, `unchanged` and `rejected` together.
        pub lines: u64,
        pub created: u64,
        pub updated: u64,
        /// Known already.
        pub unchanged: u64,
        pub rejected: u64,
        /// Columns of a waiting list, or properties of its lines, that were not read. See that none of them is the time
        /// of subscribing.
        pub ignored: Option<Vec<String>>,
        /// The first hundred lines that were rejected.
        pub errors: Vec<LineError>,
    }
}

answer! {
    #[derive(Debug, PartialEq, Eq)]
    pub struct LineError {
        /// From 1, blank lines included.
        pub line: usize,
        pub error_code: ErrorCode,
        pub message: String,
    }
}

/// The outcome of one line.
#[derive(Debug)]
pub enum LineOutcome {
    Created,
    Updated,
    Unchanged,
    Rejected(Vec<FieldError>),
}

impl LineOutcome {
    /// Returns the outcome of a line that came to its turn too late.
    pub fn out_of_time() -> Self {
        Invalid::new(ErrorCode::OutOfTime, "There was no time left for this line. Send the file again.").into()
    }
}

impl From<Invalid> for LineOutcome {
    fn from(invalid: Invalid) -> Self {
        Self::Rejected(alone(invalid))
    }
}

/// Lines of a report that are told.
pub(crate) const MAX_ERRORS: usize = 100;

impl LinesReport {
    /// Makes the report of outcomes, in whatever order they came.
    pub fn of(mut outcomes: Vec<(usize, LineOutcome)>) -> Self {
        outcomes.sort_by_key(|(line, _)| *line);
        let mut report = Self { lines: outcomes.len() as u64, ..Self::default() };
        for (line, outcome) in outcomes {
            match outcome {
                LineOutcome::Created => report.created += 1,
                LineOutcome::Updated => report.updated += 1,
                LineOutcome::Unchanged => report.unchanged += 1,
                LineOutcome::Rejected(errors) => {
                    report.rejected += 1;
                    if report.errors.len() < MAX_ERRORS {
                        let (error_code, message) = summary(&errors);
                        report.errors.push(LineError { line, error_code, message });
                    }
                }
            }
        }
        report
    }
}

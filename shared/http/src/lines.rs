//! Uploads of JSON lines (one JSON object to a line), and the report about them.

use crate::{Call, Problem};
use restock_domain::{FieldError, Invalid};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Lambda takes 6 MB, and API Gateway hands these media types over in base64.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const MOST_LINES: usize = 2_000;
const MOST_ERRORS: usize = 100;

/// What became of an upload.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LinesReport {
    /// Lines that are not blank: `created`, `updated`, `unchanged` and `rejected` together.
    pub lines: u64,
    pub created: u64,
    pub updated: u64,
    /// Was known as it is.
    pub unchanged: u64,
    pub rejected: u64,
    /// The first hundred lines that were rejected.
    pub errors: Vec<LineError>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineError {
    /// From 1, blank lines included.
    pub line: usize,
    pub error_code: String,
    pub message: String,
}

/// What became of one line.
#[derive(Debug)]
pub enum LineOutcome {
    Created,
    Updated,
    Unchanged,
    Rejected(Vec<FieldError>),
}

impl From<Invalid> for LineOutcome {
    fn from(invalid: Invalid) -> Self {
        Self::Rejected(vec![invalid.at("")])
    }
}

/// A line and its number, from 1.
pub type Line = (usize, Result<Value, Invalid>);

/// The lines of the body with their numbers; blank ones are left out.
pub fn read_lines(call: &Call) -> Result<Vec<Line>, Problem> {
    let media_type = call.content_type().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !["application/x-ndjson", "application/ndjson", "application/jsonl"].contains(&media_type) {
        return Err(Problem::unsupported_media_type("Send JSON lines as application/x-ndjson or application/jsonl."));
    }
    if call.bytes().len() > MOST_BYTES {
        return Err(Problem::too_large("An upload has at most 4 MB. Send several smaller ones."));
    }
    if call.bytes().is_empty() {
        return Err(Problem::bad_request("MissingBody", "Send one JSON object to a line."));
    }
    let bytes = call.bytes().strip_prefix(b"\xef\xbb\xbf").unwrap_or(call.bytes());
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines: Vec<_> = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).collect();
    if lines.len() > MOST_LINES {
        let detail = format!("An upload has at most {MOST_LINES} lines; this one has {}. Split it.", lines.len());
        return Err(Problem::too_large(detail));
    }
    let read = |line: &[u8]| {
        serde_json::from_slice(line).map_err(|error| {
            Invalid::new(
                "MalformedJson",
                format!("The line is not JSON that we can read: see column {}.", error.column()),
            )
        })
    };
    Ok(lines.into_iter().map(|(index, line)| (index + 1, read(line))).collect())
}

impl LinesReport {
    /// From the outcomes, in whatever order they came.
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
                    if report.errors.len() < MOST_ERRORS {
                        let error_code = errors.first().map_or("Invalid", |error| error.error_code).to_owned();
                        let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
                        report.errors.push(LineError { line, error_code, message: messages.join(" ") });
                    }
                }
            }
        }
        report
    }
}

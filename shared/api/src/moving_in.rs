//! Moving in: the waiting list of another system, with the times at which people subscribed there.

use crate::lines::{JSON_LINES, MAX_LINES, MAX_UPLOAD_BYTES, has_one_of, numbered_lines, read_json};
use crate::operation::Operation;
use crate::payload::Body;
use crate::table::{Columns, TABLES, Table};
use crate::values::{ExportedTime, ShortText};
use crate::wire::Read;
use crate::{FieldError, KeyScope, LinesReport, Problem, body, endpoints};
use restock_domain::{EmailAddress, ErrorCode, ExternalId, Invalid, Locale, Sku};
use serde_json::Value;
use std::collections::BTreeSet;

/// The longest name of a column that is shown as not read, in characters, and the most of them.
const MAX_SHOWN_NAME: usize = 100;
const MAX_SHOWN_NAMES: usize = 50;

endpoints! {
    /// Move in who waits in another system, one to a line
    ImportSubscriptions("importSubscriptions"): Post "/inventory/backinstock/subscriptions/imports" ? {
            "locale": Option<Locale>, "Of lines that have none.";
        }, "import-subscriptions", Some(KeyScope::WriteContacts),
        WaitingList => 200 LinesReport, "What became of the lines, at most 2,000. The same list again changes nothing. Needs write-subscriptions too.",
        |operation| operation;
}

body! {
    /// Somebody who waits for a SKU in another system. Whoever has no contact with this address gets one.
    #[derive(Debug, Clone)]
    pub struct MovedIn {
        pub email: EmailAddress,
        /// Of a contact that is made; one that is there stays as it is.
        pub first_name: Option<ShortText>,
        pub last_name: Option<ShortText>,
        pub sku: Sku,
        /// Missing if the query has one for all lines.
        pub locale: Option<Locale>,
        pub external_id: Option<ExternalId>,
        /// When they subscribed there, which is their place in line. Now, if it is missing.
        pub subscribed_on: Option<ExportedTime>,
        /// What the other system says of it. Whoever was mailed there (`sent`, `notified`, `completed`) or has ended it
        /// (`unsubscribed`, `cancelled`, `deleted`, `expired`) waits no more, and is left out; other words say nothing.
        pub status: Option<ShortText>,
    }
}

/// Words of a status, folded, that say that somebody waits no more.
const WAITS_NO_MORE: [&str; 16] = [
    "sent",
    "notified",
    "emailed",
    "mailed",
    "delivered",
    "complete",
    "completed",
    "fulfilled",
    "done",
    "purchased",
    "unsubscribed",
    "cancelled",
    "canceled",
    "deleted",
    "expired",
    "inactive",
];

impl MovedIn {
    /// Returns the line, unless it says that it waits no more.
    fn waiting(self) -> Result<Self, Vec<FieldError>> {
        let status = self.status.as_ref().map(|ShortText(status)| status.as_str()).unwrap_or_default();
        if !WAITS_NO_MORE.contains(&status.trim().to_lowercase().as_str()) {
            return Ok(self);
        }
        let message = format!("The line waits no more, as its status is \"{status}\", and was left out.");
        Err(vec![FieldError::new("/status", Invalid::new(ErrorCode::NotWaiting, message))])
    }
}

/// Other names of columns, as Voyado, Klaviyo and apps of Shopify have them in their exports.
const ALIASES: [(&str, &str); 26] = [
    ("notificationstatus", "status"),
    ("subscriptionstatus", "status"),
    ("emailaddress", "email"),
    ("customeremail", "email"),
    ("profileemail", "email"),
    ("variantsku", "sku"),
    ("productsku", "sku"),
    ("articlenumber", "sku"),
    ("itemnumber", "sku"),
    ("language", "locale"),
    ("lang", "locale"),
    ("subscribedat", "subscribedOn"),
    ("subscribeddate", "subscribedOn"),
    ("createdon", "subscribedOn"),
    ("createdat", "subscribedOn"),
    ("created", "subscribedOn"),
    ("date", "subscribedOn"),
    ("datecreated", "subscribedOn"),
    ("signupdate", "subscribedOn"),
    ("requestedat", "subscribedOn"),
    ("requestedon", "subscribedOn"),
    ("dateadded", "subscribedOn"),
    ("addedat", "subscribedOn"),
    ("addedon", "subscribedOn"),
    ("signedupat", "subscribedOn"),
    ("timestamp", "subscribedOn"),
];

/// A list of those who wait: JSON lines, or a table (CSV). A line stands for itself.
#[derive(Debug)]
pub struct WaitingList {
    pub lines: Vec<ListLine>,
    /// Columns and properties that are none of [`MovedIn`]'s.
    pub ignored: Vec<String>,
}

/// The number of a line, from 1, and what it says.
pub type ListLine = (usize, Result<MovedIn, Vec<FieldError>>);

impl Body for WaitingList {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        let is_table = has_one_of(content_type, &TABLES);
        if !is_table && !has_one_of(content_type, &JSON_LINES) {
            let detail = "Send a table as text/csv, or JSON lines as application/x-ndjson or application/jsonl.";
            return Err(Problem::unsupported_media_type(detail));
        }
        if bytes.len() > MAX_UPLOAD_BYTES {
            return Err(Problem::too_large("A list has at most 4 MB. Send several smaller ones."));
        }
        let columns = Columns {
            properties: &MovedIn::properties(),
            aliases: &ALIASES,
            needed: &["email", "sku"],
            advice: "The first line of a table names its columns, with commas, semicolons or tabs between them and in UTF-8: email, sku and, if you have them, locale, externalId, subscribedOn, firstName and lastName.",
        };
        let mut lines = numbered_lines(bytes);
        let mut table = is_table.then(|| Table::of(lines.next(), &columns)).transpose()?;
        let (mut list, mut ignored) = (Vec::new(), BTreeSet::new());
        for (line, text) in lines {
            let value = match &mut table {
                Some(table) => table.row(text).map(|row| row.map(Value::Object)),
                None => read_json(text).and_then(|value| match value {
                    Value::Object(object) => Ok(Some(Value::Object(columns.renamed(object, &mut ignored)?))),
                    other => Ok(Some(other)),
                }),
            };
            list.extend(
                value.transpose().map(|value| (line, value.and_then(MovedIn::read).and_then(MovedIn::waiting))),
            );
        }
        ignored.extend(table.into_iter().flat_map(|table| table.ignored));
        ignored.retain(|name| name.chars().count() <= MAX_SHOWN_NAME);
        if list.is_empty() {
            return Err(Problem::bad_request(
                ErrorCode::MissingBody,
                "The list has no line. Send one subscription to a line.",
            ));
        }
        if list.len() > MAX_LINES {
            let detail = format!("A list has at most {MAX_LINES} lines; this one has {}. Split it.", list.len());
            return Err(Problem::too_large(detail));
        }
        Ok(Self { lines: list, ignored: ignored.into_iter().take(MAX_SHOWN_NAMES).collect() })
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let media_types: Vec<&str> = TABLES.into_iter().chain(JSON_LINES).collect();
        operation.file(&media_types, true).problem(400, "There is no line, or a column is missing.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &str, text: &str) -> Result<Vec<ListLine>, Problem> {
        WaitingList::receive(Some(content_type), text.as_bytes()).map(|list| list.lines)
    }

    #[test]
    fn exports_of_other_systems_are_read_whatever_their_columns_are_called() {
        for (content_type, text) in [
            ("text/csv", "Email,SKU,Locale,Created At\na@example.com,A,sv-SE,2024-05-01 12:34:56 -0400\n"),
            (
                "text/csv",
                "customer_email;Product;Variant SKU;Language;Date\na@example.com;Sweater;A;sv_SE;2024-05-01T16:34:56Z\n",
            ),
            (
                "text/tab-separated-values",
                "timestamp\tarticle number\te-mail\tlang\n2024-05-01 16:34:56\tA\ta@example.com\tsv-SE\n",
            ),
            (
                "application/x-ndjson",
                r#"{"email":"a@example.com","sku":"A","locale":"sv-SE","subscribedOn":"2024-05-01T16:34:56.000Z"}"#,
            ),
            (
                "application/x-ndjson",
                r#"{"customer_email":"a@example.com","variant_sku":"A","language":"sv-SE","created_at":"2024-05-01T16:34:56Z"}"#,
            ),
        ] {
            let lines = read(content_type, text).unwrap();
            let line = lines[0].1.as_ref().unwrap();
            let known = (line.email.as_str(), line.sku.as_str(), line.locale.as_ref().unwrap().as_str());
            assert_eq!(known, ("a@example.com", "A", "sv-SE"), "{text}");
            assert_eq!(line.subscribed_on.unwrap().0.to_string(), "2024-05-01T16:34:56Z", "{text}");
        }
    }

    #[test]
    fn a_property_goes_by_its_own_name_and_what_is_empty_is_missing() {
        let line = |members: &str| {
            let text = format!(r#"{{"email":"a@example.com","sku":"A",{members}}}"#);
            read("application/x-ndjson", &text).unwrap().remove(0).1
        };
        for (members, subscribed_on, locale) in [
            (r#""locale":"sv-SE","created_at":null,"subscribedOn":"2026-01-01""#, "2026-01-01T00:00:00Z", "sv-SE"),
            (r#""locale":"sv-SE","date":" ","subscribed_on":"2026-01-01""#, "2026-01-01T00:00:00Z", "sv-SE"),
            (
                r#""locale":"sv-SE","created_at":"2026-06-01","date":"2026-05-01","subscribedOn":"2026-01-01""#,
                "2026-01-01T00:00:00Z",
                "sv-SE",
            ),
            (r#""language":"de","locale":"sv-SE","date":"2026-01-01""#, "2026-01-01T00:00:00Z", "sv-SE"),
            (r#""language":"de","lang":"de","date":"2026-01-01""#, "2026-01-01T00:00:00Z", "de"),
        ] {
            let line = line(members).unwrap();
            assert_eq!(line.subscribed_on.unwrap().0.to_string(), subscribed_on, "{members}");
            assert_eq!(line.locale.unwrap().as_str(), locale, "{members}");
        }
        let errors = line(r#""date":"2026-01-01","created_at":"2026-06-01""#).unwrap_err();
        assert_eq!((errors.len(), errors[0].error_code), (1, ErrorCode::Duplicate));
    }

    #[test]
    fn whoever_was_mailed_or_has_ended_it_there_is_left_out_and_told() {
        let text = "email,sku,locale,Notification Status\na@example.com,A,sv-SE,Pending\nb@example.com,A,sv-SE,Sent\nc@example.com,A,sv-SE,\nd@example.com,A,sv-SE,Cancelled\n";

        let lines = read("text/csv", text).unwrap();

        let left_out = lines.iter().filter_map(|(line, read)| Some((*line, read.as_ref().err()?[0].error_code)));
        assert_eq!(left_out.collect::<Vec<_>>(), [(3, ErrorCode::NotWaiting), (5, ErrorCode::NotWaiting)]);
    }

    #[test]
    fn columns_and_properties_that_nobody_reads_are_named() {
        for (content_type, text) in [
            ("text/csv", "Email,SKU,Joined,Phone,\na@example.com,A,2024-05-01,1,\n"),
            (
                "application/jsonl",
                "{\"email\": \"a@example.com\", \"sku\": \"A\", \"Joined\": 1}\n{\"email\": \"b@example.com\", \"sku\": \"A\", \"Phone\": 1}",
            ),
        ] {
            let list = WaitingList::receive(Some(content_type), text.as_bytes()).unwrap();

            assert_eq!(list.ignored, ["Joined", "Phone"], "{content_type}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_says_why_and_a_broken_line_costs_no_other() {
        let code = |content_type: &str, text: &str| read(content_type, text).unwrap_err().document.error_code;

        assert_eq!(code("text/csv", "name,sku\nA,B\n"), ErrorCode::Required);
        assert_eq!(code("text/csv", "email,sku\n"), ErrorCode::MissingBody);
        assert_eq!(code("application/json", "[]"), ErrorCode::UnsupportedMediaType);
        assert_eq!(
            code("text/csv", &format!("email,sku\n{}", "a@example.com,A\n".repeat(2_001))),
            ErrorCode::PayloadTooLarge
        );
        let lines = read("text/csv", "email,sku,created at\nno,A,\nb@example.com,B,soon\nc@example.com,C,\n").unwrap();
        let broken: Vec<usize> = lines.iter().filter(|(_, line)| line.is_err()).map(|(number, _)| *number).collect();
        assert_eq!((lines.len(), broken), (3, vec![2, 3]));
    }
}

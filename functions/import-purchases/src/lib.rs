//! `POST /purchases/imports`

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_domain::wire::{self, Fields};
use restock_domain::{ContactId, EmailAddress, FieldError, Invalid, Receipt};
use restock_http::{Call, LineOutcome, LinesReport, Problem, Reply, read_lines};
use restock_store::{RecordedReceipts, Store};
use serde_json::Value;

const IN_FLIGHT: usize = 16;
/// What is written within the time of a request.
const MOST_ITEMS: usize = 10_000;

/// Records the receipt of each line, for the contact that it names by `contactId` or by `email`. The same file again
/// changes nothing.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let now = Timestamp::now();
    let lines = read_lines(&call)?;
    let items = |value: &Value| value["items"].as_array().map_or(0, Vec::len);
    if lines.iter().filter_map(|(_, value)| value.as_ref().ok()).map(items).sum::<usize>() > MOST_ITEMS {
        return Err(Problem::too_large("An upload has at most 10,000 items. Split it."));
    }
    let recorded = lines.into_iter().map(|(line, value)| async move {
        let outcome = match value {
            Ok(value) => record(store, value, now).await?,
            Err(invalid) => invalid.into(),
        };
        Ok::<_, restock_store::Error>((line, outcome))
    });
    let outcomes = stream::iter(recorded).buffer_unordered(IN_FLIGHT).try_collect().await?;
    Reply::ok(&LinesReport::of(outcomes))
}

async fn record(store: &Store, value: Value, now: Timestamp) -> Result<LineOutcome, restock_store::Error> {
    let (buyer, receipt) = match buyer(value.clone()).and_then(|buyer| Ok((buyer, Receipt::from_json(value, now)?))) {
        Ok(read) => read,
        Err(errors) => return Ok(LineOutcome::Rejected(errors)),
    };
    let id = match buyer {
        Buyer::Contact(id) => Some(id),
        Buyer::Email(email) => store.contact_id_of(&email).await?,
    };
    let recorded = match id {
        Some(id) => store.record_receipts(id, std::slice::from_ref(&receipt)).await?,
        None => None,
    };
    Ok(match recorded {
        Some(RecordedReceipts { recorded: 1, .. }) => LineOutcome::Created,
        Some(_) => LineOutcome::Unchanged,
        None => Invalid::new("ContactNotFound", "There is no such contact. Import contacts first.").into(),
    })
}

/// Whose receipt it is.
enum Buyer {
    Contact(ContactId),
    Email(EmailAddress),
}

fn buyer(value: Value) -> Result<Buyer, Vec<FieldError>> {
    let mut fields = Fields::of(value).map_err(|invalid| vec![invalid.at("")])?;
    let id = fields.optional("contactId", wire::string(ContactId::parse));
    let email = fields.optional("email", wire::string(EmailAddress::parse));
    fields.finish()?;
    if id.is_some() && email.is_some() {
        let message = "Name the contact by contactId or by email, not by both.";
        return Err(vec![Invalid::new("Ambiguous", message).at("/email")]);
    }
    let missing = || vec![Invalid::new("Required", "Name the contact by contactId or by email.").at("/contactId")];
    id.map(Buyer::Contact).or(email.map(Buyer::Email)).ok_or_else(missing)
}

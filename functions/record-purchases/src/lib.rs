//! `POST /contacts/{contactId}/purchases`

use jiff::Timestamp;
use restock_domain::wire::Errors;
use restock_domain::{ContactId, Receipt};
use restock_http::{Call, Problem, Reply};
use restock_store::Store;
use serde_json::Value;

const MOST_RECEIPTS: usize = 100;
/// What is written within the time of a request.
const MOST_SKUS: usize = 2_000;

/// Records what a contact bought: one receipt, or an array of them. A receipt that is sent again changes nothing.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let id = call.parsed_parameter("contactId", ContactId::parse)?;
    let receipts = receipts(call.json()?, Timestamp::now())?;
    if receipts.iter().map(|receipt| receipt.skus.len()).sum::<usize>() > MOST_SKUS {
        return Err(Problem::too_large("A request has at most 2,000 items. Send several requests."));
    }
    Reply::ok(&store.record_receipts(id, &receipts).await?.ok_or_else(Problem::no_contact)?)
}

fn receipts(body: Value, now: Timestamp) -> Result<Vec<Receipt>, Problem> {
    let Value::Array(values) = body else {
        return Ok(vec![Receipt::from_json(body, now).map_err(Problem::invalid)?]);
    };
    if values.len() > MOST_RECEIPTS {
        return Err(Problem::too_large("A request has at most 100 receipts. Send several requests, or import a file."));
    }
    let (mut receipts, mut errors) = (Vec::new(), Errors::default());
    for (index, value) in values.into_iter().enumerate() {
        match Receipt::from_json(value, now) {
            Ok(receipt) => receipts.push(receipt),
            Err(found) => errors.extend_at(&format!("/{index}"), found),
        }
    }
    // All or none: a shop that sends a handful can send them again.
    errors.finish().map_err(Problem::invalid)?;
    Ok(receipts)
}

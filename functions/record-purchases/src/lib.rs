//! Serves `POST /contacts/{contactId}/purchases`.

use jiff::Timestamp;
use restock_api::Problem;
use restock_api::purchases::{Receipts, RecordPurchases, RecordedReceipts};
use restock_domain::ContactId;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Records what a contact bought: one receipt, or several. A receipt that is sent again changes nothing.
impl Handles<RecordPurchases> for App {
    async fn handle(&self, call: Call, body: Receipts) -> Result<Reply<RecordPurchases>, Failure> {
        let id = call.path_parameter::<ContactId>()?;
        let receipts = body.into_receipts((self.clock)())?;
        let counts = self.store.record_receipts(id, &receipts).await?.ok_or_else(Problem::no_contact)?;
        Ok(Reply::new(RecordedReceipts { recorded: counts.recorded, known: counts.known }))
    }
}

//! Serves `DELETE /contacts/{contactId}`.

use restock_api::contacts::EraseContact;
use restock_api::{ErrorCode, IdReply, Problem};
use restock_domain::ContactId;
use restock_domain::signing::AddressKey;
use restock_http::{Call, FINISHED_AFTER, Failure, Handles, MAX_DELETING, Reply};
use restock_queue::{Erasure, Queues};
use restock_store::Store;
use tokio::time::Instant;

pub struct App {
    pub store: Store,
    pub address_key: AddressKey,
    pub queues: Queues,
}

/// Erases a contact: its personal data and its subscriptions, even those whose mail is queued.
impl Handles<EraseContact> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<EraseContact>, Failure> {
        let id = call.path_parameter::<ContactId>()?;
        // First, so that nothing is left of a contact that is gone if this breaks off.
        self.queues.send(&Erasure { contact_id: id, made_until: None }, FINISHED_AFTER).await?;
        if !self.store.erase_contact(id, &self.address_key, Instant::now() + MAX_DELETING).await? {
            let detail = "There is no contact with this id. It may be erased already.";
            return Err(Problem::not_found(ErrorCode::ContactNotFound, detail).into());
        }
        Ok(Reply::new(IdReply::of(id)))
    }
}

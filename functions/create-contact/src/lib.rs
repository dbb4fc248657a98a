//! Serves `POST /contacts`.

use jiff::Timestamp;
use restock_api::contacts::{ContactReply, CreateContact, NewContact};
use restock_api::{KeyScope, Problem};
use restock_domain::ContactId;
use restock_domain::signing::AddressKey;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::{CreatedContact, Store};
use uuid::Uuid;

pub struct App {
    pub store: Store,
    pub address_key: AddressKey,
    pub clock: fn() -> Timestamp,
}

/// Creates a contact. An address belongs to one contact only; a second one is refused with the first one's id.
impl Handles<CreateContact> for App {
    async fn handle(&self, call: Call, body: NewContact) -> Result<Reply<CreateContact>, Failure> {
        let may_read = call.may(KeyScope::ReadContacts);
        let contact = body.into_contact(ContactId::new(Uuid::new_v4()), (self.clock)());
        match self.store.create_contact(contact, &self.address_key).await? {
            CreatedContact::Done(contact) => Ok(Reply::new(ContactReply::of(*contact, may_read))),
            CreatedContact::EmailTaken(existing) => {
                Err(Problem::email_taken(existing, call.may(KeyScope::FindContacts)).into())
            }
        }
    }
}

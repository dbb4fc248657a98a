//! `POST /contacts`

use jiff::Timestamp;
use restock_domain::signing::SigningKey;
use restock_domain::{Contact, ContactId};
use restock_http::{Call, Problem, Reply};
use restock_store::{NewContact, Store};
use uuid::Uuid;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
}

impl App {
    /// Creates a contact. An address belongs to one contact only; a second one is refused with the first one's id.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let id = ContactId::new(Uuid::new_v4());
        let contact = Contact::from_json(call.json()?, id, Timestamp::now()).map_err(Problem::invalid)?;
        match self.store.create_contact(contact, &self.signing_key).await? {
            NewContact::Created(contact) => Reply::created(&contact),
            NewContact::EmailTaken(existing) => Err(Problem::email_taken(existing)),
        }
    }
}

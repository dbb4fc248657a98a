//! `POST /contacts`

use domain::signing::SigningKey;
use domain::{Contact, ContactId};
use http_api::{Call, Problem, Reply};
use jiff::Timestamp;
use store::{NewContact, Store};
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

//! `POST /contacts`

use domain::{Contact, ContactId};
use http_api::{Call, Problem, Reply};
use jiff::Timestamp;
use serde_json::json;
use store::{NewContact, Store};
use uuid::Uuid;

/// Creates a contact. An address belongs to one contact only; a second one is refused with the first one's id.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let id = ContactId::new(Uuid::new_v4());
    let contact = Contact::from_json(call.json()?, id, Timestamp::now()).map_err(Problem::invalid)?;
    match store.create_contact(&contact).await? {
        NewContact::Created => Reply::created(&contact),
        NewContact::EmailTaken(existing) => Err(Problem::conflict(
            "EmailTaken",
            "A contact with this email address exists. Use the contact whose id is in the member id.",
        )
        .with(json!({ "id": existing }))),
    }
}

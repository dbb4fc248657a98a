//! Serves `PATCH /contacts/{contactId}`.

use restock_api::contacts::{ContactPatch, ContactReply, UpdateContact};
use restock_api::{KeyScope, Problem};
use restock_domain::ContactId;
use restock_domain::signing::AddressKey;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::{ChangedContact, ContactChange, Store};

pub struct App {
    pub store: Store,
    pub address_key: AddressKey,
}

/// Changes what the body has and leaves the rest: a merge patch (RFC 7396), in which `null` removes. Attributes are
/// merged one by one. `acceptsEmail: true` also lifts an unsubscription.
impl Handles<UpdateContact> for App {
    async fn handle(&self, call: Call, body: ContactPatch) -> Result<Reply<UpdateContact>, Failure> {
        let id = call.path_parameter::<ContactId>()?;
        let may_read = call.may(KeyScope::ReadContacts);
        let apply = |contact: &_| body.apply(contact);
        let change = ContactChange { apply: &apply, of_address: None, asked_again: body.accepts_email() };
        match self.store.change_contact(id, &change, &self.address_key).await? {
            ChangedContact::Done(contact) | ChangedContact::Unchanged(contact) => {
                Ok(Reply::new(ContactReply::of(*contact, may_read)))
            }
            ChangedContact::Invalid(errors) => Err(errors.into()),
            ChangedContact::EmailTaken(other) => {
                Err(Problem::email_taken(other, call.may(KeyScope::FindContacts)).into())
            }
            ChangedContact::Gone => Err(Problem::no_contact().into()),
        }
    }
}

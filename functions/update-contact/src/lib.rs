//! `PATCH /contacts/{contactId}`

use restock_domain::ContactId;
use restock_domain::signing::SigningKey;
use restock_domain::wire::Fields;
use restock_http::{Call, Problem, Reply};
use restock_store::{ContactPatch, PatchedContact, Store};
use serde_json::Value;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
}

impl App {
    /// Changes what the body has and leaves the rest: a merge patch (RFC 7396), in which `null` removes. Attributes are
    /// merged one by one. `acceptsEmail: true` also lifts an unsubscription.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let id = call.parsed_parameter("contactId", ContactId::parse)?;
        let patch = call.json()?;
        let mut fields = Fields::of(patch.clone()).map_err(|invalid| Problem::invalid(vec![invalid.at("")]))?;
        let asked_again = fields.take("acceptsEmail") == Some(Value::Bool(true));
        let patch = ContactPatch { body: &patch, of_address: None, asked_again };
        match self.store.patch_contact(id, &patch, &self.signing_key).await? {
            PatchedContact::Done(contact) | PatchedContact::Unchanged(contact) => Reply::ok(&contact),
            PatchedContact::Invalid(errors) => Err(Problem::invalid(errors)),
            PatchedContact::EmailTaken(other) => Err(Problem::email_taken(other)),
            PatchedContact::Gone => Err(Problem::no_contact()),
        }
    }
}

//! `POST /contacts/imports`

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_domain::signing::SigningKey;
use restock_domain::wire::{self, Fields};
use restock_domain::{Contact, ContactId, EmailAddress, Invalid};
use restock_http::{Call, LineOutcome, LinesReport, Problem, Reply, read_lines};
use restock_store::{ContactPatch, NewContact, PatchedContact, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

const IN_FLIGHT: usize = 16;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
}

/// The lines about one address, in their order.
type Lines = Vec<(usize, Value)>;

impl App {
    /// Creates the contact of each line, or changes the one with its address as `PATCH /contacts/{id}` does; an
    /// unsubscription stays, as the file may be older than it. The same file again changes nothing.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let mut outcomes = Vec::new();
        let mut by_address: BTreeMap<String, (EmailAddress, Lines)> = BTreeMap::new();
        for (line, value) in read_lines(&call)? {
            match value.map_err(LineOutcome::from).and_then(|value| Ok((address(&value)?, value))) {
                Ok((email, value)) => {
                    let (_, lines) = by_address.entry(email.key()).or_insert((email, Vec::new()));
                    lines.push((line, value));
                }
                Err(outcome) => outcomes.push((line, outcome)),
            }
        }
        let imported = by_address.into_values().map(|(email, lines)| self.import(email, lines));
        let imported: Vec<Vec<_>> = stream::iter(imported).buffer_unordered(IN_FLIGHT).try_collect().await?;
        outcomes.extend(imported.into_iter().flatten());
        Reply::ok(&LinesReport::of(outcomes))
    }

    async fn import(
        &self,
        email: EmailAddress,
        lines: Lines,
    ) -> Result<Vec<(usize, LineOutcome)>, restock_store::Error> {
        let mut outcomes = Vec::new();
        for (line, value) in lines {
            outcomes.push((line, self.import_line(&email, &value).await?));
        }
        Ok(outcomes)
    }

    async fn import_line(&self, email: &EmailAddress, value: &Value) -> Result<LineOutcome, restock_store::Error> {
        // The contact may be made or erased between looking and writing, but hardly so often.
        for _ in 0..5 {
            if let Some(id) = self.store.contact_id_of(email).await? {
                let patch = ContactPatch { body: value, of_address: Some(email), asked_again: false };
                match self.store.patch_contact(id, &patch, &self.signing_key).await? {
                    PatchedContact::Done(_) => return Ok(LineOutcome::Updated),
                    PatchedContact::Unchanged(_) => return Ok(LineOutcome::Unchanged),
                    PatchedContact::Invalid(errors) => return Ok(LineOutcome::Rejected(errors)),
                    PatchedContact::EmailTaken(_) | PatchedContact::Gone => continue,
                }
            }
            let contact = Contact::from_json(value.clone(), ContactId::new(Uuid::new_v4()), Timestamp::now());
            match contact {
                Err(errors) => return Ok(LineOutcome::Rejected(errors)),
                Ok(contact) => match self.store.create_contact(contact, &self.signing_key).await? {
                    NewContact::Created(_) => return Ok(LineOutcome::Created),
                    NewContact::EmailTaken(_) => {}
                },
            }
        }
        Ok(Invalid::new("Busy", "Others are changing this contact. Send the line again.").into())
    }
}

fn address(value: &Value) -> Result<EmailAddress, LineOutcome> {
    let mut fields = Fields::of(value.clone()).map_err(LineOutcome::from)?;
    let email = fields.required("email", wire::string(EmailAddress::parse));
    fields.finish().map_err(LineOutcome::Rejected)?;
    email.ok_or_else(|| LineOutcome::Rejected(Vec::new()))
}

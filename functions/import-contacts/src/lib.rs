//! Serves `POST /contacts/imports`.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_api::contacts::{ContactPatch, ImportContacts, NewContact, address_of};
use restock_api::{ErrorCode, LineOutcome, Lines, LinesReport, Read};
use restock_domain::signing::AddressKey;
use restock_domain::{ContactId, EmailAddress, Invalid};
use restock_http::{Call, Failure, Handles, LONG_REQUEST, Reply};
use restock_store::{ChangedContact, ContactChange, CreatedContact, Race, Store};
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::time::Instant;
use uuid::Uuid;

const IN_FLIGHT: usize = 16;

pub struct App {
    pub store: Store,
    pub address_key: AddressKey,
    pub clock: fn() -> Timestamp,
}

/// The lines about one address, in their order.
type LinesOfOne = Vec<(usize, Value)>;

/// Creates the contact of each line, or changes the one with its address as `PATCH /contacts/{id}` does; an
/// unsubscription stays, as the file may be older than it. The same file again changes nothing.
impl Handles<ImportContacts> for App {
    async fn handle(&self, _: Call, Lines(lines): Lines) -> Result<Reply<ImportContacts>, Failure> {
        let until = Instant::now() + LONG_REQUEST;
        let mut outcomes = Vec::new();
        let mut by_address: BTreeMap<String, (EmailAddress, LinesOfOne)> = BTreeMap::new();
        for (line, value) in lines {
            match value.and_then(|value| Ok((address_of(&value)?, value))) {
                Ok((email, value)) => {
                    let (_, lines) = by_address.entry(email.key()).or_insert((email, Vec::new()));
                    lines.push((line, value));
                }
                Err(errors) => outcomes.push((line, LineOutcome::Rejected(errors))),
            }
        }
        let imported = by_address.into_values().map(|(email, lines)| self.import(email, lines, until));
        let imported: Vec<Vec<_>> = stream::iter(imported).buffer_unordered(IN_FLIGHT).try_collect().await?;
        outcomes.extend(imported.into_iter().flatten());
        Ok(Reply::new(LinesReport::of(outcomes)))
    }
}

impl App {
    async fn import(
        &self,
        email: EmailAddress,
        lines: LinesOfOne,
        until: Instant,
    ) -> Result<Vec<(usize, LineOutcome)>, restock_store::Error> {
        let mut outcomes = Vec::new();
        for (line, value) in lines {
            let late = Instant::now() >= until;
            let outcome = if late { LineOutcome::out_of_time() } else { self.import_line(&email, value).await? };
            outcomes.push((line, outcome));
        }
        Ok(outcomes)
    }

    async fn import_line(&self, email: &EmailAddress, value: Value) -> Result<LineOutcome, restock_store::Error> {
        let patch = match ContactPatch::new(value.clone()) {
            Ok(patch) => patch,
            Err(errors) => return Ok(LineOutcome::Rejected(errors)),
        };
        let mut race = Race::about("a line");
        while race.enter().is_ok() {
            if let Some(id) = self.store.contact_id_of(email).await? {
                let apply = |contact: &_| patch.apply(contact);
                let change = ContactChange { apply: &apply, of_address: Some(email), asked_again: false };
                match self.store.change_contact(id, &change, &self.address_key).await? {
                    ChangedContact::Done(_) => return Ok(LineOutcome::Updated),
                    ChangedContact::Unchanged(_) => return Ok(LineOutcome::Unchanged),
                    ChangedContact::Invalid(errors) => return Ok(LineOutcome::Rejected(errors)),
                    ChangedContact::EmailTaken(_) | ChangedContact::Gone => continue,
                }
            }
            let contact = match NewContact::read(value.clone()) {
                Ok(contact) => contact.into_contact(ContactId::new(Uuid::new_v4()), (self.clock)()),
                Err(errors) => return Ok(LineOutcome::Rejected(errors)),
            };
            if let CreatedContact::Done(_) = self.store.create_contact(contact, &self.address_key).await? {
                return Ok(LineOutcome::Created);
            }
        }
        Ok(Invalid::new(ErrorCode::Busy, "Others are changing this contact. Send the line again.").into())
    }
}

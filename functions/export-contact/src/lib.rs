//! Serves `GET /contacts/{contactId}/export`.

use jiff::Timestamp;
use restock_api::contacts::{ContactExport, ExportContact, ExportedMail};
use restock_api::subscriptions::{MAX_LISTED, NEXT_CURSOR};
use restock_api::{Moment, Problem};
use restock_domain::{ContactId, Subscription, time};
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

/// What a position begins with that is among the subscriptions, and one that is among the receipts, which follow them.
const SUBSCRIPTIONS: &str = "s#";
const RECEIPTS: &str = "r#";

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Exports a page of what is known of a contact.
impl Handles<ExportContact> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ExportContact>, Failure> {
        let id = call.path_parameter::<ContactId>()?;
        let is_position = |position: &str| position.starts_with(SUBSCRIPTIONS) || position.starts_with(RECEIPTS);
        let after = call.position(is_position)?.unwrap_or_default();
        let contact = self.store.contact(id).await?.ok_or_else(Problem::no_contact)?;

        let mut subscriptions = Vec::new();
        if !after.starts_with(RECEIPTS) {
            subscriptions = self.store.subscriptions_of(id).await?;
            subscriptions.retain(|subscription| place(subscription) > after);
        }
        let is_full = subscriptions.len() >= MAX_LISTED;
        subscriptions.truncate(MAX_LISTED);
        let mut next = subscriptions.last().filter(|_| is_full).map(place);
        let mut receipts = Vec::new();
        if !is_full {
            let left = MAX_LISTED - subscriptions.len();
            let after = after.strip_prefix(RECEIPTS);
            let (found, last) = self.store.receipts_of(id, after, i32::try_from(left).unwrap_or(i32::MAX)).await?;
            receipts = found;
            next = last.map(|last| format!("{RECEIPTS}{last}"));
        }
        // A contact gets so few that the last page has all of them.
        let mails = if next.is_none() { self.store.deliveries_of(id).await? } else { Vec::new() };
        let reply = Reply::new(ContactExport {
            exported_on: Moment((self.clock)()),
            contact: contact.into(),
            subscriptions: subscriptions.into_iter().map(Into::into).collect(),
            receipts: receipts.into_iter().map(Into::into).collect(),
            mails: mails.into_iter().filter_map(ExportedMail::of).collect(),
        });
        Ok(match next {
            Some(next) => reply.with_header(NEXT_CURSOR, call.to_cursor(&next)),
            None => reply,
        })
    }
}

/// Returns the place of a subscription among those of its contact, as a text that sorts as they do.
fn place(subscription: &Subscription) -> String {
    format!("{SUBSCRIPTIONS}{}#{}", time::sortable(subscription.created_on), subscription.id().key)
}

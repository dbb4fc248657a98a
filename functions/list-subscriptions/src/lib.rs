//! Serves `GET /contacts/{contactId}/backinstock/subscriptions`.

use futures::future::try_join_all;
use jiff::Timestamp;
use restock_api::subscriptions::{ListSubscriptions, MAX_AHEAD, MAX_LISTED, MAX_PLACES, NEXT_CURSOR, Subscription};
use restock_domain::{ContactId, time};
use restock_http::{Call, Failure, Handles, Reply, limit};
use restock_store::Store;

pub struct App {
    pub store: Store,
    /// True if a short list has the places in line.
    pub shows_places: bool,
    pub clock: fn() -> Timestamp,
}

/// Lists what a contact waits for, oldest first, a page at a time; nothing for a contact that we don't know.
impl Handles<ListSubscriptions> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ListSubscriptions>, Failure> {
        let contact = call.path_parameter::<ContactId>()?;
        let limit = call.parsed_query("limit", |raw| limit(raw, MAX_LISTED))?.unwrap_or(MAX_LISTED);
        let after = call.position(|position| position.contains('#'))?;

        let mut subscriptions = self.store.subscriptions_of(contact).await?;
        let now = (self.clock)();
        subscriptions.retain(|subscription| !subscription.has_expired(now));
        if let Some(after) = after {
            subscriptions.retain(|subscription| place(subscription) > after);
        }
        let more = subscriptions.len() > limit;
        subscriptions.truncate(limit);
        let next = subscriptions.last().filter(|_| more).map(|last| call.to_cursor(&place(last)));
        let mut places = Vec::new();
        if self.shows_places && subscriptions.len() <= MAX_PLACES {
            let ahead = subscriptions.iter().map(|subscription| self.store.ahead_of(subscription, MAX_AHEAD));
            places = try_join_all(ahead).await?;
        }
        let mut listed: Vec<Subscription> = subscriptions.into_iter().map(Subscription::from).collect();
        for (subscription, ahead) in listed.iter_mut().zip(places) {
            subscription.ahead = Some(ahead as u64);
            subscription.position = Some(ahead as u64 + 1);
        }
        let reply = Reply::new(listed);
        Ok(match next {
            Some(next) => reply.with_header(NEXT_CURSOR, next),
            None => reply,
        })
    }
}

/// Returns the place of a subscription in the list, as a text that sorts like the list.
fn place(subscription: &restock_domain::Subscription) -> String {
    format!("{}#{}", time::sortable(subscription.created_on), subscription.id().key)
}

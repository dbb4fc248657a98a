//! Serves `POST /inventory/backinstock/subscriptions`.

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::subscriptions::{MAX_AHEAD, NewSubscription, Subscribe, Subscribed, UNSUBSCRIBE_URL};
use restock_api::{KeyScope, Problem};
use restock_domain::automation::ask_for_consent;
use restock_domain::signing::LinkKey;
use restock_domain::unsubscribe::{Unsubscribe, link, token};
use restock_domain::{DeliveryId, Sku, Subscription, time};
use restock_events::Events;
use restock_http::{Call, Failure, Handles, Reply};
use restock_metrics::Metric;
use restock_store::{CachedAutomations, CachedFeeds, Prospect, Store};
use std::num::NonZeroU64;
use std::time::Duration;
use tracing::warn;

pub struct App {
    pub store: Store,
    pub feeds: CachedFeeds,
    pub automations: CachedAutomations,
    pub link_key: LinkKey,
    /// Where the API is reachable from outside, without a slash at the end.
    pub public_url: String,
    /// How long subscriptions wait; `None` for as long as it takes.
    pub kept: Option<Duration>,
    /// True if whoever subscribes is told how many wait already.
    pub shows_places: bool,
    /// How many have to wait for a SKU for an event, and where it goes.
    pub announcer: Option<(NonZeroU64, Events)>,
    pub clock: fn() -> Timestamp,
}

/// How often, about, those who wait for a SKU are counted before there are enough for an event.
const COUNTS: u64 = 16;

/// Subscribes a contact to a SKU. The same call again answers with the subscription that the first one made.
impl Handles<Subscribe> for App {
    async fn handle(&self, call: Call, body: NewSubscription) -> Result<Reply<Subscribe>, Failure> {
        let NewSubscription { contact_id, sku, locale, external_id } = body;
        let created_on = time::to_millisecond((self.clock)());
        let delivery = DeliveryId::random();
        let expires_on = Subscription::end(created_on, self.kept);
        let wanted =
            Subscription { contact_id, sku, locale, external_id, created_on, moved_in_on: None, delivery, expires_on };

        let Prospect { mut outlook, marked, was_at_bound } =
            self.store.prospect(&wanted, self.feeds.serving(&wanted.locale), created_on).await?;
        if outlook.contact.is_none() {
            return Err(Problem::no_contact().into());
        }
        if !self.store.may_subscribe(&wanted, was_at_bound).await? {
            return Err(Problem::too_many_subscriptions().into());
        }
        if outlook.refuses_email() {
            let automations = self.automations.current().await?;
            outlook.asks_for_consent = ask_for_consent(&automations);
        }

        // The order matters. Whoever reads the demand mark after our answer must find the subscription; and a contact
        // that is erased meanwhile is either missing the second time, or its erasure finds the subscription.
        let subscription = self.store.put_subscription(wanted).await?;
        let mark = async { if marked { Ok(()) } else { self.store.mark_demand(&subscription.sku, created_on).await } };
        let (contact, ()) = tokio::try_join!(self.store.contact(subscription.contact_id), mark)?;
        if contact.is_none() {
            self.store.delete_subscription(subscription.id()).await?;
            return Err(Problem::no_contact().into());
        }
        restock_metrics::count(Metric::Subscribed, 1);
        self.announce(&subscription.sku, created_on).await;
        let token = token(&self.link_key, Unsubscribe::One(subscription.id()));
        let link = link(&self.public_url, &token, &subscription.locale);
        let may_see_contact = call.may(KeyScope::ReadContacts);
        let mut ahead = None;
        if self.shows_places {
            // The subscription is made, whether its place can be told or not.
            let read = self.store.ahead_of(&subscription, MAX_AHEAD).await;
            let read = read.inspect_err(|error| warn!(error = %DisplayErrorChain::new(error), "A place is not told"));
            ahead = read.ok().map(|ahead| ahead as u64);
        }
        let position = ahead.map(|ahead| ahead + 1);
        let subscribed = Subscribed { ahead, position, ..Subscribed::of(subscription, &outlook, may_see_contact) };
        Ok(Reply::new(subscribed).with_header(UNSUBSCRIBE_URL, link))
    }
}

impl App {
    /// Tells other systems once enough wait for a SKU. What goes wrong is left to a later call: the subscription is
    /// made.
    async fn announce(&self, sku: &Sku, now: Timestamp) {
        let Some((threshold, events)) = &self.announcer else { return };
        let threshold = threshold.get();
        if fastrand::u64(..threshold.div_ceil(COUNTS)) > 0 {
            return;
        }
        let told = async {
            if !self.store.reaches_threshold(sku, threshold).await? {
                return Ok(());
            }
            if let Err(error) = events.tell_of_demand(sku, threshold, now).await {
                warn!(%sku, error = %DisplayErrorChain::new(&error), "An event is told later");
                return Ok(());
            }
            self.store.note_announced(sku, threshold).await
        };
        if let Err::<(), restock_store::Error>(error) = told.await {
            warn!(%sku, error = %DisplayErrorChain::new(&error), "Those who wait are counted later");
        }
    }
}

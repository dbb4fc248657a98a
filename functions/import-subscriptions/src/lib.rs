//! Serves `POST /inventory/backinstock/subscriptions/imports`.

use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_api::contacts::NewContact;
use restock_api::moving_in::{ImportSubscriptions, MovedIn, WaitingList};
use restock_api::{ErrorCode, FieldError, KeyScope, LineOutcome, LinesReport, MAX_LINES, Problem};
use restock_domain::signing::AddressKey;
use restock_domain::{ContactId, DeliveryId, Invalid, Locale, Sku, Subscription, time};
use restock_http::{Call, Failure, Handles, LONG_REQUEST, Reply};
use restock_store::{CreatedContact, MovedIn as Moved, Race, Store};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

const IN_FLIGHT: usize = 16;

pub struct App {
    pub store: Store,
    pub address_key: AddressKey,
    /// How long subscriptions wait; `None` for as long as it takes.
    pub kept: Option<Duration>,
    pub clock: fn() -> Timestamp,
}

/// A line that is sound: its number, what it says, and its locale.
type Line = (usize, MovedIn, Locale);

/// Subscribes who waits elsewhere, at the places that they have there. The same list again changes nothing, even if
/// somebody was mailed or has ended the subscription meanwhile.
impl Handles<ImportSubscriptions> for App {
    async fn handle(&self, call: Call, list: WaitingList) -> Result<Reply<ImportSubscriptions>, Failure> {
        if !call.may(KeyScope::WriteSubscriptions) {
            let detail =
                "The key needs the scope write-subscriptions as well as write-contacts to move subscriptions in.";
            return Err(Problem::new(403, ErrorCode::MissingScope, detail).into());
        }
        let until = Instant::now() + LONG_REQUEST;
        let locale = call.parsed_query("locale", Locale::parse)?;
        let now = time::to_millisecond((self.clock)());
        let mut outcomes = Vec::new();
        let mut by_address: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        for (number, line) in list.lines {
            match line.and_then(|line| Ok((locale_of(&line, locale.as_ref(), now)?, line))) {
                Ok((locale, line)) => by_address.entry(line.email.key()).or_default().push((number, line, locale)),
                Err(errors) => outcomes.push((number, LineOutcome::Rejected(errors))),
            }
        }
        // Before the subscriptions: a mark stays for a day, so it is there when they are.
        let skus: HashSet<&Sku> = by_address.values().flatten().map(|(_, line, _)| &line.sku).collect();
        for some in skus.into_iter().collect::<Vec<_>>().chunks(IN_FLIGHT) {
            try_join_all(some.iter().map(|sku| self.store.mark_demand(sku, now))).await?;
        }
        let moved = by_address.into_values().map(|lines| self.move_in(lines, now, until));
        let moved: Vec<Vec<_>> = stream::iter(moved).buffer_unordered(IN_FLIGHT).try_collect().await?;
        outcomes.extend(moved.into_iter().flatten());
        let ignored = Some(list.ignored).filter(|ignored| !ignored.is_empty());
        Ok(Reply::new(LinesReport { ignored, ..LinesReport::of(outcomes) }))
    }
}

/// Returns the locale of a line, unless it has none or its time has not come yet.
fn locale_of(line: &MovedIn, of_all: Option<&Locale>, now: Timestamp) -> Result<Locale, Vec<FieldError>> {
    if line.subscribed_on.is_some_and(|on| on.0 > now) {
        let message = "Use the time at which they subscribed; this one has not come yet.";
        return Err(vec![FieldError::new("/subscribedOn", Invalid::new(ErrorCode::InvalidTimestamp, message))]);
    }
    line.locale.as_ref().or(of_all).cloned().ok_or_else(|| {
        let message = "Give each line a locale, or all of them one in the query: ?locale=sv-SE.";
        vec![FieldError::new("/locale", Invalid::new(ErrorCode::Required, message))]
    })
}

impl App {
    /// Moves in the lines about one address, the oldest first, so that of two about the same SKU the older one counts.
    async fn move_in(
        &self,
        mut lines: Vec<Line>,
        now: Timestamp,
        until: Instant,
    ) -> Result<Vec<(usize, LineOutcome)>, restock_store::Error> {
        lines.sort_by_key(|(_, line, _)| line.subscribed_on.map_or(now, |on| on.0));
        let mut outcomes = Vec::new();
        for (number, line, locale) in lines {
            let late = Instant::now() >= until;
            let outcome =
                if late { LineOutcome::out_of_time() } else { self.move_line(number, &line, &locale, now).await? };
            outcomes.push((number, outcome));
        }
        Ok(outcomes)
    }

    async fn move_line(
        &self,
        number: usize,
        line: &MovedIn,
        locale: &Locale,
        now: Timestamp,
    ) -> Result<LineOutcome, restock_store::Error> {
        // Those without a time are in the order of the list.
        let since = now - Duration::from_millis(MAX_LINES.saturating_sub(number) as u64);
        let mut race = Race::about("a line");
        while race.enter().is_ok() {
            let Some(contact_id) = self.contact(line, now).await? else { continue };
            let MovedIn { sku, external_id, subscribed_on, .. } = line.clone();
            let subscription = Subscription {
                contact_id,
                sku,
                locale: locale.clone(),
                external_id,
                created_on: subscribed_on.map_or(since, |on| time::to_millisecond(on.0)),
                moved_in_on: Some(now),
                delivery: DeliveryId::random(),
                expires_on: Subscription::end(now, self.kept),
            };
            let moved = self.store.move_in(&subscription, subscribed_on.is_some(), now).await?;
            // A contact that is erased meanwhile is either missing now, or its erasure finds the subscription.
            if self.store.contact(contact_id).await?.is_none() {
                self.store.delete_subscription(subscription.id()).await?;
                continue;
            }
            return Ok(match moved {
                Moved::Created => LineOutcome::Created,
                Moved::Earlier => LineOutcome::Updated,
                Moved::Known => LineOutcome::Unchanged,
            });
        }
        Ok(Invalid::new(ErrorCode::Busy, "Others are changing this contact. Send the line again.").into())
    }

    /// Returns the contact with the address of a line, which is made if there is none; `None` if somebody else was
    /// faster.
    async fn contact(&self, line: &MovedIn, now: Timestamp) -> Result<Option<ContactId>, restock_store::Error> {
        if let Some(id) = self.store.contact_id_of(&line.email).await? {
            return Ok(Some(id));
        }
        let MovedIn { email, first_name, last_name, .. } = line.clone();
        let contact = NewContact {
            email,
            first_name,
            last_name,
            language: None,
            country_code: None,
            attributes: None,
            accepts_email: None,
        };
        let contact = contact.into_contact(ContactId::new(Uuid::new_v4()), now);
        let id = contact.id;
        let created = self.store.create_contact(contact, &self.address_key).await?;
        Ok(matches!(created, CreatedContact::Done(_)).then_some(id))
    }
}

//! One recipient's mail, from the claim to what became of it.

use crate::ended::{Counted, Ended, Later, Stop, not_recorded};
use crate::{App, Settings, Shared, UNKNOWN_OUTCOME};
use display_error_chain::DisplayErrorChain;
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use restock_domain::delivery::{Hindrance, Milestone, Outcome, Settlement};
use restock_domain::{
    Arrival, Automation, Contact, Locale, Product, Skip, Sku, Subscription, Template, met_together, newest_covering,
    sold_out_since,
};
use restock_email::{Mail, Sent};
use restock_metrics::Metric;
use restock_queue::{AcceptedMail, Notification, Recipient, correlation_in};
use restock_store::{Accepted, Claimed, LastLook, LogKey, Turn, Waiting};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tracing::{error, info, warn};
use uuid::Uuid;

/// The longest time that is spent reading what a mail shows besides its product; a claim may be held meanwhile.
const MAX_READING: Duration = Duration::from_secs(1);
/// How long what was read about pauses and holds may be used. With the time that a request may be on its way, no mail is handed to SES
/// ten seconds after a pause was answered.
const STOPS_VALID_FOR: Duration = Duration::from_secs(5);

impl App {
    pub(crate) async fn mail(
        &self,
        waiting: &Waiting,
        notification: &Notification,
        shared: &Shared,
    ) -> Result<Ended, restock_store::Error> {
        let Settings { terms, patience, clock, .. } = self.settings;
        let subscription = &waiting.subscription;
        if subscription.has_expired(clock()) {
            return Ok(Ended::skipped(Skip::SubscriptionGone));
        }
        let Some((automation, template)) = &shared.automation else {
            return Ok(Ended::skipped(Skip::AutomationOff));
        };
        let of_feed = |feed: &Locale| shared.products.get_key_value(&(feed.key().to_owned(), subscription.sku.clone()));
        let Some(((feed, _), product)) = subscription.locale.feeds().iter().find_map(of_feed) else {
            return Ok(Ended::skipped(Skip::NoProductData));
        };
        let related = shared.related.get(feed).map_or(&[][..], Vec::as_slice);
        if let Some(free_at) = waiting.standing.taken_until(clock(), terms) {
            return Ok(Ended::later(Later::At(free_at)));
        }
        if self.refusals.is_blocked(automation) {
            // Another message about a mail that was refused already does not wait for a try, of which there are few.
            let seen = self.store.last_look(subscription).await?;
            return Ok(if was_refused(&seen, notification) { Ended::Done(None) } else { Ended::later(Later::Backoff) });
        }
        if !self.pace.turn(shared.until).await {
            return Ok(Ended::later(Later::AtOnce));
        }
        if !self.account.take() {
            return Ok(Ended::later(Later::Stopped(Stop::Quota)));
        }
        // The mails of the group before may have been refused meanwhile.
        if !self.refusals.take_try(automation) {
            return Ok(Ended::later(Later::Backoff));
        }
        let claim = match waiting.standing.claim(Uuid::new_v4(), clock(), terms) {
            Ok(claim) => claim,
            Err(free_at) => return Ok(Ended::later(Later::At(free_at))),
        };
        match self.store.claim(waiting, &claim, &notification.log_entry).await? {
            Claimed::Yours => {}
            Claimed::Gone => return Ok(Ended::skipped(Skip::SubscriptionGone)),
            Claimed::Changed(standing) => {
                let free_at = standing.taken_until(clock(), terms);
                return Ok(Ended::later(free_at.map_or(Later::Backoff, Later::At)));
            }
        }
        // What holds now counts, not what held when the level was matched.
        let look = tokio::try_join!(self.stops.of(&subscription.sku), self.store.last_look(subscription));
        let (stops, seen) = match look {
            Ok(seen) => seen,
            Err(error) => {
                self.store.release(subscription, &claim.give_back()).await?;
                return Err(error);
            }
        };
        if let Some(pause) = stops.pause() {
            self.store.release(subscription, &claim.give_back()).await?;
            return Ok(Ended::later(Later::Stopped(Stop::Paused { since: pause.since })));
        }
        // Its sender did not live to delete it, or a write that the SDK repeated has brought it back.
        if let Some(sent_at) = seen.sent_at {
            return self.use_up(subscription, sent_at).await;
        }
        // Another message about it was faster, and the same mail would be refused again.
        if was_refused(&seen, notification) {
            self.store.release(subscription, &claim.give_back()).await?;
            return Ok(Ended::Done(None));
        }
        let level = newest_covering(&seen.levels, &subscription.locale, subscription.external_id.as_ref()).cloned();
        let entry = |arrival: &Arrival| LogKey::new(subscription.sku.clone(), arrival).entry;
        let met = met_together(&seen.levels, subscription);
        let [current, earlier] = met.map(|arrivals| arrivals.into_iter().map(entry).collect::<BTreeSet<_>>());
        let contact = match mailable(seen, subscription, automation) {
            Ok(contact) => contact,
            Err(skip) => {
                // Left for the next level, it would be a second mail if another subscription was mailed for this one.
                let turn = self.store.turn_of(subscription, &notification.log_entry, clock()).await;
                self.store.release(subscription, &claim.give_back()).await?;
                return match turn? {
                    None | Some(Turn::Yours | Turn::Over) => Ok(Ended::skipped(skip)),
                    Some(theirs) => self.not_its_turn(subscription, notification, theirs).await,
                };
            }
        };
        let also_waiting = self.other_wishes(subscription, template).await;
        // The message of a newer level, or of one of another scope, may be handled at the same time.
        let known_by = claim.until() + terms.grace;
        let others = current.iter().filter(|entry| **entry != notification.log_entry);
        for entry in [&notification.log_entry].into_iter().chain(others) {
            let turn = self.store.take_turn(subscription, entry, &claim, known_by, clock()).await;
            if let Ok(Turn::Yours) = turn {
                continue;
            }
            self.store.release(subscription, &claim.give_back()).await?;
            return self.not_its_turn(subscription, notification, turn?).await;
        }
        // Another subscription of the contact may be mailed for a level before those.
        let turns = earlier.iter().map(|entry| self.store.turn_of(subscription, entry, clock()));
        let answered =
            try_join_all(turns).await.map(|turns| turns.into_iter().flatten().find(|turn| *turn != Turn::Over));
        if !matches!(answered, Ok(None)) {
            self.store.release(subscription, &claim.give_back()).await?;
            return self.not_its_turn(subscription, notification, answered?.unwrap_or(Turn::Theirs)).await;
        }
        if let (Some(bounds), Some(level)) = (&shared.bounds, level) {
            let scope = level.scope.clone();
            match self.take_place(bounds, subscription, notification.wave.as_ref(), level).await {
                Ok(true) => {}
                Ok(false) => {
                    self.store.release(subscription, &claim.give_back()).await?;
                    return Ok(Ended::later(Later::NextWave(scope)));
                }
                Err(error) => {
                    self.store.release(subscription, &claim.give_back()).await?;
                    return Err(error);
                }
            }
        }
        let asked_at = clock();
        let is_late = shared.bounds.as_ref().is_some_and(|bounds| bounds.is_late(subscription, asked_at));
        if is_late || !claim.covers(asked_at, patience) || stops.seen_at.elapsed() > STOPS_VALID_FOR {
            self.store.release(subscription, &claim.give_back()).await?;
            return Ok(Ended::later(Later::Backoff));
        }
        let brands = &shared.brands;
        let also_waiting = &also_waiting;
        let (contact, now) = (&contact, asked_at);
        let correlation = correlation_in(LogKey::arrival_id(&notification.log_entry));
        let mail = Mail {
            subscription,
            contact,
            product,
            automation,
            template,
            also_waiting,
            related,
            brands,
            correlation,
            now,
        };
        let Sent { outcome, template } = self.mailer.send(&claim, mail).await;
        if let (Some(bounds), Outcome::Accepted { .. } | Outcome::Unknown { .. }) = (&shared.bounds, &outcome) {
            bounds.note_used(subscription.delivery);
        }
        match &outcome {
            Outcome::Accepted { .. } => self.refusals.note_acceptance(automation),
            Outcome::Refused { reason } | Outcome::NotAccepted { reason, hindrance: Hindrance::Sender, .. } => {
                self.refusals.note_refusal(automation, reason);
            }
            Outcome::NotAccepted { hindrance: Hindrance::Moment, .. } => self.pace.note_throttling(),
            Outcome::NotAccepted { hindrance: Hindrance::Quota, .. } => self.account.note_used_up(),
            Outcome::Unknown { .. } => {}
        }
        self.settle(subscription, claim.settle(outcome, terms), notification, template, asked_at).await
    }

    /// Returns what the recipient waits for besides, if the template shows it.
    async fn other_wishes(&self, subscription: &Subscription, template: &Template) -> Vec<Product> {
        if !template.shows_other_wishes() {
            return Vec::new();
        }
        let Subscription { contact_id, sku, .. } = subscription;
        let read = self.store.other_wishes(*contact_id, sku, (self.settings.clock)());
        read_or_leave_out(sku, "what the recipient also waits for", read).await
    }

    /// Returns other products of each product's feed.
    pub(crate) async fn related(&self, products: &HashMap<(String, Sku), Product>) -> HashMap<String, Vec<Product>> {
        let each = products.iter().map(|((feed, sku), product)| async move {
            let read = self.store.related(feed, product);
            (feed.clone(), read_or_leave_out(sku, "other products of the feed", read).await)
        });
        join_all(each).await.into_iter().collect()
    }

    /// Ends a subscription whose contact was mailed by another one, and puts it off while that mail may be on its way.
    async fn not_its_turn(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        turn: Turn,
    ) -> Result<Ended, restock_store::Error> {
        let at = match turn {
            Turn::Mailed(at) => at,
            Turn::Over => return Ok(Ended::skipped(Skip::AlreadyMailed)),
            Turn::Yours | Turn::Theirs => return Ok(Ended::later(Later::Backoff)),
        };
        // Before it is gone, so that its history can be told.
        let (entry, kept) = (&notification.log_entry, self.settings.log_kept);
        self.store.record_unsent(subscription, entry, (self.settings.clock)(), kept).await?;
        Ok(match self.use_up(subscription, at).await? {
            Ended::Done(_) => Ended::skipped(Skip::SameContact),
            renewed @ Ended::PutOff(..) => renewed,
        })
    }

    /// Records an accepted mail and uses the subscription up. What can't be recorded travels on with the recipient, so that
    /// nobody sends the mail again.
    pub(crate) async fn finish(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        accepted: AcceptedMail,
    ) -> Ended {
        let AcceptedMail { message_id, asked_at, template, .. } = &accepted;
        let mail = Accepted { message_id, template: template.as_deref(), at: *asked_at };
        let (entry, kept) = (&notification.log_entry, self.settings.log_kept);
        match self.store.record_sent(subscription, entry, mail, kept).await {
            Err(error) => not_recorded(accepted, &error),
            Ok(news) => {
                // If the event was faster, whoever handled it has counted the mail.
                let outcome = news.then(|| Counted::Accepted(template.clone()));
                match self.use_up(subscription, *asked_at).await.unwrap_or_else(Ended::from) {
                    Ended::Done(_) => Ended::Done(outcome),
                    Ended::PutOff(_, when) => Ended::PutOff(outcome, when),
                }
            }
        }
    }

    async fn settle(
        &self,
        subscription: &Subscription,
        settlement: Settlement,
        notification: &Notification,
        template: String,
        asked_at: Timestamp,
    ) -> Result<Ended, restock_store::Error> {
        let (delivery, log_entry) = (subscription.delivery, notification.log_entry.as_str());
        match settlement {
            Settlement::Sent { message_id } => {
                info!(%delivery, message_id, "SES accepted a mail");
                if let Some(received_at) = LogKey::received_at(log_entry) {
                    restock_metrics::observe(Metric::SecondsToMail, asked_at.duration_since(received_at).as_secs_f64());
                }
                let key = subscription.id().key;
                let recipient = Recipient { contact_id: subscription.contact_id, key, delivery };
                let accepted = AcceptedMail { recipient, message_id, asked_at, template: Some(template) };
                Ok(self.finish(subscription, notification, accepted).await)
            }
            Settlement::Failed { reason, claim } => {
                error!(%delivery, reason, "SES permanently refused a mail");
                let kept = self.settings.log_kept;
                self.store.finish_failed(subscription, &claim, log_entry, &reason, asked_at, kept).await?;
                Ok(Ended::Done(Some(Counted::Word(Milestone::Failed.as_str()))))
            }
            Settlement::Released { reason, hindrance, after, claim } => {
                warn!(%delivery, reason, "SES did not accept a mail for now");
                self.store.release(subscription, &claim).await?;
                Ok(Ended::later(match hindrance {
                    Hindrance::Quota => Later::Stopped(Stop::Quota),
                    Hindrance::Moment | Hindrance::Sender => after.map_or(Later::Backoff, Later::After),
                }))
            }
            Settlement::Unknown { reason, look_again } => {
                warn!(%delivery, reason, "{UNKNOWN_OUTCOME}");
                Ok(Ended::PutOff(Some(Counted::Word("unknown")), Later::At(look_again)))
            }
        }
    }

    /// Ends a subscription whose mail is out.
    async fn use_up(&self, subscription: &Subscription, asked_at: Timestamp) -> Result<Ended, restock_store::Error> {
        let renewed = self.store.use_up(subscription.id(), subscription.delivery, asked_at).await?;
        Ok(if renewed { Ended::later(Later::AtOnce) } else { Ended::Done(None) })
    }
}

/// Returns what a mail shows besides, or nothing if it can't be read soon: the mail is worth more than that part of it.
async fn read_or_leave_out(
    sku: &Sku,
    what: &str,
    read: impl Future<Output = Result<Vec<Product>, restock_store::Error>>,
) -> Vec<Product> {
    match tokio::time::timeout(MAX_READING, read).await {
        Ok(Ok(products)) => return products,
        Ok(Err(error)) => {
            let error = DisplayErrorChain::new(&error);
            warn!(%sku, %error, "A mail leaves out {what}");
        }
        Err(_) => warn!(%sku, "A mail leaves out {what}, as reading took too long"),
    }
    Vec::new()
}

/// Returns true if SES has permanently refused the mail for this level or for a newer one. Entries begin with the times of their levels.
fn was_refused(seen: &LastLook, notification: &Notification) -> bool {
    seen.refused_for.as_ref() >= Some(&notification.log_entry)
}

/// Returns the contact if the mail may leave: the contact is there and may be mailed, and the SKU has not sold out again.
/// If not, the subscription stays for the next level.
fn mailable(seen: LastLook, subscription: &Subscription, automation: &Automation) -> Result<Contact, Skip> {
    if sold_out_since(&seen.levels, &subscription.locale, subscription.external_id.as_ref()) {
        return Err(Skip::SoldOutAgain);
    }
    let contact = seen.contact.ok_or(Skip::ContactGone)?;
    match contact.refusal(automation.requires_consent) {
        Some(refusal) => Err(refusal),
        None => Ok(contact),
    }
}

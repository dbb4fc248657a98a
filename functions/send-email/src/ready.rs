//! The last look before SES is asked, at all that a mail depends on: under the claim, so that nobody else mails
//! meanwhile.

use crate::content::Content;
use crate::ended::{Ended, Later, Stop};
use crate::{App, Settings, Shared};
use futures::future::try_join_all;
use jiff::Timestamp;
use restock_domain::delivery::Claim;
use restock_domain::{
    Arrival, Automation, Contact, Product, Skip, Subscription, just_before, met_together, newest_covering,
    sold_out_since,
};
use restock_queue::Notification;
use restock_store::{LastLook, LogKey, Turn};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long what was read about pauses and holds may be used. With the time that a request may be on its way, no mail
/// is handed to SES ten seconds after a pause was answered.
const STOPS_VALID_FOR: Duration = Duration::from_secs(5);

/// What else a mail shows, and when SES is asked for it.
pub(crate) struct Ready {
    pub contact: Contact,
    pub also_waiting: Vec<Product>,
    pub asked_at: Timestamp,
}

/// Why the holder of a claim gives it back before SES is asked.
pub(crate) enum Instead {
    Ended(Ended),
    /// Another subscription of the contact is mailed.
    NotItsTurn(Turn),
    Failed(restock_store::Error),
}

impl From<restock_store::Error> for Instead {
    fn from(error: restock_store::Error) -> Self {
        Self::Failed(error)
    }
}

impl App {
    /// Looks once more at all that the mail depends on, and takes the contact's turn and a place. What holds now
    /// counts, not what held when the level was matched.
    pub(crate) async fn ready(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        shared: &Shared,
        content: &Content<'_>,
        claim: &Claim,
    ) -> Result<Ready, Instead> {
        let Settings { patience, clock, .. } = self.settings;
        let (stops, seen) = tokio::try_join!(self.stops.of(&subscription.sku), self.store.last_look(subscription))?;
        if let Some(pause) = stops.pause() {
            return Err(Instead::Ended(Ended::later(Later::Stopped(Stop::Paused { since: pause.since }))));
        }
        // Its sender did not live to delete it, or a write that the SDK repeated has brought it back.
        if let Some(sent_at) = seen.sent_at {
            return Err(Instead::Ended(self.use_up(subscription, sent_at).await?));
        }
        // Another message about it was faster, and the same mail would be refused again.
        if was_refused(&seen, notification) {
            return Err(Instead::Ended(Ended::Done(None)));
        }
        let level = newest_covering(&seen.levels, &subscription.locale, subscription.external_id.as_ref()).cloned();
        let entry = |arrival: &Arrival| LogKey::new(subscription.sku.clone(), arrival).entry;
        let met = met_together(&seen.levels, subscription);
        let [current, earlier] = met.map(|arrivals| arrivals.into_iter().map(entry).collect::<BTreeSet<_>>());
        let before: BTreeSet<_> = just_before(&seen.levels, subscription).into_iter().map(entry).collect();
        let contact = match mailable(seen, subscription, content.automation) {
            Ok(contact) => contact,
            // Left for the next level, it would be a second mail if another subscription was mailed for this one.
            Err(skip) => return Err(self.unless_answered(subscription, notification, skip).await?),
        };
        self.was_mailed_before(subscription, notification, before).await?;
        let also_waiting = self.other_wishes(subscription, content.template).await;
        self.take_turns(subscription, notification, claim, &current, &earlier).await?;
        if let (Some(bounds), Some(level)) = (&shared.bounds, level) {
            let scope = level.scope.clone();
            if !self.take_place(bounds, subscription, notification.wave.as_ref(), level).await? {
                return Err(Instead::Ended(Ended::later(Later::NextWave(scope))));
            }
        }
        let asked_at = clock();
        let is_late = shared.bounds.as_ref().is_some_and(|bounds| bounds.is_late(subscription, asked_at));
        if is_late || !claim.covers(asked_at, patience) || stops.seen_at.elapsed() > STOPS_VALID_FOR {
            return Err(Instead::Ended(Ended::later(Later::Backoff)));
        }
        Ok(Ready { contact, also_waiting, asked_at })
    }

    /// Returns why there is no mail, or that another subscription of the contact was mailed for the level, which ends
    /// this one too.
    pub(crate) async fn unless_answered(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        skip: Skip,
    ) -> Result<Instead, restock_store::Error> {
        let turn = self.store.turn_of(subscription, &notification.log_entry, (self.settings.clock)()).await?;
        Ok(match turn {
            None | Some(Turn::Yours | Turn::Over) => Instead::Ended(Ended::skipped(skip)),
            Some(theirs) => Instead::NotItsTurn(theirs),
        })
    }

    /// Refuses a mail for a level that came before the subscription, if the contact was mailed for one of the levels
    /// just `before` it. Such a level meets it as clocks differ, or because it is handled late.
    async fn was_mailed_before(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        before: BTreeSet<String>,
    ) -> Result<(), Instead> {
        let received_at = LogKey::received_at(&notification.log_entry);
        if received_at.is_none_or(|received_at| received_at >= subscription.here_since()) {
            return Ok(());
        }
        let turns = before.iter().map(|entry| self.store.turn_of(subscription, entry, (self.settings.clock)()));
        match try_join_all(turns).await?.into_iter().flatten().next() {
            Some(theirs) => Err(Instead::NotItsTurn(theirs)),
            None => Ok(()),
        }
    }

    /// Takes the contact's turn at each of the current levels, unless another subscription of the contact has one, or
    /// is mailed for a level shortly before them.
    async fn take_turns(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        claim: &Claim,
        current: &BTreeSet<String>,
        earlier: &BTreeSet<String>,
    ) -> Result<(), Instead> {
        let Settings { terms, clock, .. } = self.settings;
        // The message of a newer level, or of one of another scope, may be handled at the same time.
        let known_by = claim.until() + terms.grace;
        let others = current.iter().filter(|entry| **entry != notification.log_entry);
        for entry in [&notification.log_entry].into_iter().chain(others) {
            match self.store.take_turn(subscription, entry, claim, known_by, clock()).await? {
                Turn::Yours => {}
                theirs => return Err(Instead::NotItsTurn(theirs)),
            }
        }
        let turns = earlier.iter().map(|entry| self.store.turn_of(subscription, entry, clock()));
        let answered = try_join_all(turns).await?.into_iter().flatten().find(|turn| *turn != Turn::Over);
        match answered {
            Some(theirs) => Err(Instead::NotItsTurn(theirs)),
            None => Ok(()),
        }
    }
}

/// Returns true if SES has permanently refused the mail for this level or for a newer one. Entries begin with the times
/// of their levels.
pub(crate) fn was_refused(seen: &LastLook, notification: &Notification) -> bool {
    seen.refused_for.as_ref() >= Some(&notification.log_entry)
}

/// Returns the contact if the mail may leave: the contact is there and may be mailed, and the SKU has not sold out
/// again. If not, the subscription stays for the next level.
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

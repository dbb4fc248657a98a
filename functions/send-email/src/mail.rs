//! One recipient's mail, from the claim to what became of it.

use crate::content::Content;
use crate::ended::{Counted, Ended, Later, Stop, not_recorded};
use crate::ready::{Instead, Ready, was_refused};
use crate::{App, Settings, Shared, UNKNOWN_OUTCOME};
use jiff::Timestamp;
use restock_domain::delivery::{Claim, Hindrance, Milestone, Outcome, Settlement};
use restock_domain::{Automation, Skip, Subscription};
use restock_email::{Mail, Sent};
use restock_metrics::Metric;
use restock_queue::{AcceptedMail, Notification, Recipient, correlation_in};
use restock_store::{Accepted, Claimed, LogKey, Refused, Turn, Waiting};
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

impl App {
    /// Mails one recipient if the mail may leave, and returns what became of it: claim, look, turn, place, SES, record.
    pub(crate) async fn mail(
        &self,
        waiting: &Waiting,
        notification: &Notification,
        shared: &Shared,
    ) -> Result<Ended, restock_store::Error> {
        let subscription = &waiting.subscription;
        let content = match self.content(subscription, shared) {
            Ok(content) => content,
            Err(Skip::SubscriptionGone) => return Ok(Ended::skipped(Skip::SubscriptionGone)),
            Err(skip) => {
                let instead = self.unless_answered(subscription, notification, skip).await?;
                return self.end(subscription, notification, instead).await;
            }
        };
        if let Some(ended) = self.hindrance(waiting, notification, content.automation, shared.until).await? {
            return Ok(ended);
        }
        let claim = match self.claim(waiting, notification).await? {
            Ok(claim) => claim,
            Err(ended) => return Ok(ended),
        };
        match self.ready(subscription, notification, shared, &content, &claim).await {
            Ok(ready) => self.ask(subscription, notification, shared, content, ready, claim).await,
            Err(instead) => {
                self.store.release(subscription, &claim.give_back()).await?;
                self.end(subscription, notification, instead).await
            }
        }
    }

    /// Ends the work on a recipient who is not mailed now.
    async fn end(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        instead: Instead,
    ) -> Result<Ended, restock_store::Error> {
        match instead {
            Instead::Ended(ended) => Ok(ended),
            Instead::NotItsTurn(turn) => self.not_its_turn(subscription, notification, turn).await,
            Instead::Failed(error) => Err(error),
        }
    }

    /// Waits until SES may be asked for one more mail, and returns what to do instead if it may not.
    async fn hindrance(
        &self,
        waiting: &Waiting,
        notification: &Notification,
        automation: &Automation,
        until: Instant,
    ) -> Result<Option<Ended>, restock_store::Error> {
        let Settings { terms, clock, .. } = self.settings;
        if let Some(free_at) = waiting.standing.taken_until(clock(), terms) {
            return Ok(Some(Ended::later(Later::At(free_at))));
        }
        if self.refusals.is_blocked(automation) {
            // Another message about a mail that was refused already does not wait for a try, of which there are few.
            let seen = self.store.last_look(&waiting.subscription).await?;
            let is_done = was_refused(&seen, notification);
            return Ok(Some(if is_done { Ended::Done(None) } else { Ended::later(Later::Backoff) }));
        }
        if !self.pace.turn(until).await {
            return Ok(Some(Ended::later(Later::AtOnce)));
        }
        if !self.account.take() {
            return Ok(Some(Ended::later(Later::Stopped(Stop::Quota))));
        }
        // The mails of the group before may have been refused meanwhile.
        Ok((!self.refusals.take_try(automation)).then(|| Ended::later(Later::Backoff)))
    }

    /// Claims the subscription, or returns what to do instead if somebody else was faster.
    async fn claim(
        &self,
        waiting: &Waiting,
        notification: &Notification,
    ) -> Result<Result<Claim, Ended>, restock_store::Error> {
        let Settings { terms, clock, .. } = self.settings;
        let claim = match waiting.standing.claim(Uuid::new_v4(), clock(), terms) {
            Ok(claim) => claim,
            Err(free_at) => return Ok(Err(Ended::later(Later::At(free_at)))),
        };
        Ok(match self.store.claim(waiting, &claim, &notification.log_entry, &notification.chosen_by()).await? {
            Claimed::Yours => Ok(claim),
            Claimed::Gone => Err(Ended::skipped(Skip::SubscriptionGone)),
            Claimed::Changed(standing) => {
                let free_at = standing.taken_until(clock(), terms);
                Err(Ended::later(free_at.map_or(Later::Backoff, Later::At)))
            }
        })
    }

    /// Asks SES for the mail, and settles what became of it.
    async fn ask(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        shared: &Shared,
        content: Content<'_>,
        ready: Ready,
        claim: Claim,
    ) -> Result<Ended, restock_store::Error> {
        let Content { automation, template, product, related } = content;
        let Ready { contact, also_waiting, asked_at } = ready;
        let mail = Mail {
            subscription,
            contact: &contact,
            product,
            automation,
            template,
            also_waiting: &also_waiting,
            related,
            brands: &shared.brands,
            correlation: correlation_in(LogKey::arrival_id(&notification.log_entry)),
            now: asked_at,
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
        self.settle(subscription, claim.settle(outcome, self.settings.terms), notification, template, asked_at).await
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

    /// Records an accepted mail and uses the subscription up. What can't be recorded travels on with the recipient, so
    /// that nobody sends the mail again.
    pub(crate) async fn finish(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        accepted: AcceptedMail,
    ) -> Ended {
        let AcceptedMail { message_id, asked_at, template, .. } = &accepted;
        let chosen_by = notification.chosen_by();
        let mail = Accepted { message_id, template: template.as_deref(), chosen_by: Some(&chosen_by), at: *asked_at };
        let (entry, kept) = (&notification.log_entry, self.settings.log_kept);
        match self.store.record_sent(subscription, entry, mail, kept).await {
            Err(error) => not_recorded(accepted, &error),
            Ok(news) => {
                // If the event was faster, whoever handled it has counted the mail.
                let outcome = news.then(|| Counted::Accepted { template: template.clone(), chosen_by });
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
                let mail = Refused { reason: &reason, chosen_by: &notification.chosen_by(), at: asked_at };
                self.store.finish_failed(subscription, &claim, log_entry, mail, self.settings.log_kept).await?;
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
    pub(crate) async fn use_up(
        &self,
        subscription: &Subscription,
        asked_at: Timestamp,
    ) -> Result<Ended, restock_store::Error> {
        let renewed = self.store.use_up(subscription.id(), subscription.delivery, asked_at).await?;
        Ok(if renewed { Ended::later(Later::AtOnce) } else { Ended::Done(None) })
    }
}

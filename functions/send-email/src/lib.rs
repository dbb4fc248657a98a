//! Consumes the notifications queue: one email for each recipient, and the subscription is used up.
//!
//! A claim on the subscription comes before SES is asked, so of several messages about one subscription, or several
//! deliveries of one message, only one sends. `restock_domain::delivery` says what may follow on what.

mod pace;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use display_error_chain::DisplayErrorChain;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use pace::Pace;
use restock_domain::delivery::{Claim, Milestone, Settlement, Terms};
use restock_domain::template::count_of;
use restock_domain::{
    Automation, Brands, Contact, ContactId, Locale, Product, Skip, Sku, Subscription, SubscriptionId, Template,
    TemplateId, restocked_since, sold_out_since, time,
};
use restock_email::{Mail, Mailer, built_in_template, default_template};
use restock_queue::{
    AcceptedMail, CountMails, Failure, MAX_DELAY, Notification, NotificationMessage, Queue, Queues, Recipient, Record,
    consume,
};
use restock_store::{
    CachedAutomations, CachedBrands, CachedTemplates, Claimed, LastLook, LogKey, Store, Turn, Waiting,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{error, info, warn};
use uuid::Uuid;

/// Mails of one message that are on their way at a time.
const IN_FLIGHT: usize = 5;
/// How often recipients are put off before their message fails; with the longest delays in between, about a day.
const MAX_ATTEMPTS: u32 = 100;
/// How often recipients are sent on, even if it is because the time of an invocation was over. Lambda's own detection of
/// loops is off for this function, as it puts recipients off by its own queue, so this bounds a loop that is a fault.
const MAX_HOPS: u32 = 10_000;

pub struct App {
    store: Store,
    queues: Queues,
    automations: CachedAutomations,
    brands: CachedBrands,
    templates: CachedTemplates,
    mailer: Box<dyn Mailer>,
    settings: Settings,
    pace: Pace,
}

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub terms: Terms,
    /// The longest that the mailer takes.
    pub patience: Duration,
    /// Mails a second that this instance may send.
    pub rate: f64,
    /// How long an invocation goes on beginning mails; what is left then is sent on in a message of its own.
    pub budget: Duration,
    /// How long automations, templates and the brand are used before they are read again.
    pub settings_kept: Duration,
    /// How long entries of the integration log are kept.
    pub log_kept: Duration,
    pub clock: fn() -> Timestamp,
}

/// The outcome of one recipient. A word is for the integration log; `None` if it is counted already.
enum Ended {
    Done(Option<&'static str>),
    PutOff(Option<&'static str>, Later),
}

/// A recipient that is to be looked at again, and when.
enum Later {
    /// Nothing was tried.
    AtOnce,
    After(Duration),
    At(Timestamp),
    /// The longer, the more often it was put off.
    Backoff,
    /// As `Backoff`, to record a mail that SES accepted.
    Record(AcceptedMail),
}

/// The facts that the recipients of one message share.
struct Shared {
    products: HashMap<(String, Sku), Product>,
    /// None if it was switched off or deleted since it accepted them.
    automation: Option<(Automation, Arc<Template>)>,
    brands: Arc<Brands>,
    until: Instant,
}

impl From<restock_store::Error> for Ended {
    fn from(error: restock_store::Error) -> Self {
        warn!(error = %DisplayErrorChain::new(&error), "A recipient is put off");
        Self::PutOff(None, Later::Backoff)
    }
}

impl Ended {
    fn skipped(why: Skip) -> Self {
        Self::Done(Some(why.as_str()))
    }

    fn later(when: Later) -> Self {
        Self::PutOff(None, when)
    }

    /// Returns the word for the log, and when the recipient is to be looked at again.
    fn parts(self) -> (Option<&'static str>, Option<Later>) {
        match self {
            Self::Done(outcome) => (outcome, None),
            Self::PutOff(outcome, when) => (outcome, Some(when)),
        }
    }
}

impl App {
    pub fn new(store: Store, queues: Queues, mailer: Box<dyn Mailer>, settings: Settings) -> Self {
        let automations = CachedAutomations::new(store.clone(), settings.settings_kept);
        let brands = CachedBrands::new(store.clone(), settings.settings_kept);
        let templates = CachedTemplates::new(store.clone(), settings.settings_kept);
        Self { store, queues, automations, brands, templates, mailer, pace: Pace::new(settings.rate), settings }
    }

    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let until = Instant::now() + self.settings.budget;
        consume(&self.queues, Queue::Notifications, event, |record| self.process(record, until)).await
    }

    async fn process(&self, record: Record, until: Instant) -> Result<(), Failure> {
        let message = NotificationMessage::parse(&record.body);
        match message.map_err(|error| Failure::Malformed(error.to_string()))? {
            NotificationMessage::Notify(notification) => self.notify(*notification, &record, until).await,
            NotificationMessage::CountMails(counts) => self.count_later(counts).await,
        }
    }

    async fn notify(&self, notification: Notification, record: &Record, until: Instant) -> Result<(), Failure> {
        let retry = |error: restock_store::Error| Failure::retry(&error);
        let waiting = self.waiting(&notification).await.map_err(retry)?;
        let locales: HashSet<_> = waiting.iter().flat_map(|(_, waiting)| waiting.subscription.locale.feeds()).collect();
        let products = self.store.products(locales.iter().map(|locale| (locale, &notification.sku)));
        let automation = self.automations.since(&notification.automation, notification.version);
        let read = tokio::try_join!(products, automation, self.brands.current());
        let (products, automation, brands) = read.map_err(retry)?;
        let automation = match automation.filter(|automation| automation.enabled) {
            None => None,
            Some(automation) => {
                let template = self.template(&automation.email.template).await.map_err(retry)?;
                Some((automation, template))
            }
        };
        let shared = Shared { products, automation, brands, until };

        let mails = waiting.iter().map(|(recipient, waiting)| async {
            let known = notification.accepted.iter().find(|accepted| accepted.recipient == *recipient);
            let ended = match known {
                Some(accepted) => self.finish(&waiting.subscription, &notification, accepted.clone()).await,
                None => self.mail(waiting, &notification, &shared).await.unwrap_or_else(Ended::from),
            };
            (*recipient, ended)
        });
        let ended: Vec<(Recipient, Ended)> = stream::iter(mails).buffer_unordered(IN_FLIGHT).collect().await;

        let gone = notification.recipients.len() - waiting.len();
        let mut outcomes = BTreeMap::new();
        // Later, those who were mailed in the meantime are gone too.
        if gone > 0 && notification.attempt == 0 && record.receives == 1 {
            outcomes.insert(Skip::SubscriptionGone.as_str().to_owned(), gone as i64);
        }
        let mut later: Vec<(Recipient, Later)> = Vec::new();
        for (recipient, ended) in ended {
            let (outcome, when) = ended.parts();
            if let Some(outcome) = outcome {
                *outcomes.entry(outcome.to_owned()).or_default() += 1;
            }
            later.extend(when.map(|when| (recipient, when)));
        }
        let accepted = outcomes.get(Milestone::Accepted.as_str()).copied();
        if let (Some(accepted), Some((_, template))) = (accepted, &shared.automation) {
            outcomes.insert(count_of(&template.tag()), accepted);
        }
        let (sku, log_entry) = (notification.sku.clone(), notification.log_entry.clone());
        let counts = CountMails { sku, log_entry, outcomes, estimated: false };
        if let Err(error) = self.count(&counts).await {
            // The mails are out; counting them is not worth sending the message round again.
            warn!(sku = %counts.sku, error = %DisplayErrorChain::new(&error), "Mails will be counted later");
            if let Err(error) = self.queues.send_counts(&counts.after(error.throttled())).await {
                warn!(error = %DisplayErrorChain::new(&error), "Mails were not counted");
            }
        }
        self.put_off(&notification, later).await
    }

    /// Returns a template. Where one was deleted in the moment in which an automation took it, the default one stands in.
    async fn template(&self, id: &TemplateId) -> Result<Arc<Template>, restock_store::Error> {
        if let Some(stored) = self.templates.get(id).await? {
            return Ok(stored);
        }
        let compiled_in = built_in_template(id).unwrap_or_else(|| {
            warn!(template = %id, "A template is missing; the default one is sent");
            default_template()
        });
        Ok(Arc::new(compiled_in))
    }

    /// Adds counts to the log that it could not take when the mails left.
    async fn count_later(&self, counts: CountMails) -> Result<(), Failure> {
        match self.count(&counts).await {
            Ok(()) => Ok(()),
            Err(error) if error.throttled() || counts.outcomes.is_empty() => Err(Failure::retry(&error)),
            // Adding them once more might count them twice.
            Err(_) => {
                let sent = self.queues.send_counts(&counts.after(false)).await;
                sent.map_err(|error| Failure::retry(&error))
            }
        }
    }

    async fn count(&self, counts: &CountMails) -> Result<(), restock_store::Error> {
        if counts.outcomes.is_empty() && !counts.estimated {
            return Ok(());
        }
        let key = LogKey { sku: counts.sku.clone(), entry: counts.log_entry.clone() };
        self.store.log_mails(&key, &counts.outcomes, counts.estimated, self.settings.log_kept).await
    }

    /// Sends recipients on in messages of their own, so that those who are done are done, and being throttled for long
    /// does not bring a message into the dead-letter queue.
    async fn put_off(&self, notification: &Notification, mut later: Vec<(Recipient, Later)>) -> Result<(), Failure> {
        let unsent = |(_, when): &&(Recipient, Later)| !matches!(when, Later::Record(_));
        let tried = later.iter().filter(unsent).filter(|(_, when)| !matches!(when, Later::AtOnce)).count();
        let reason = if tried > 0 && notification.attempt >= MAX_ATTEMPTS {
            Some(format!("{tried} recipients could not be mailed in {MAX_ATTEMPTS} attempts"))
        } else if later.iter().any(|one| unsent(&one)) && notification.hops >= MAX_HOPS {
            Some(format!("the recipients were sent on {MAX_HOPS} times, which none needs"))
        } else {
            None
        };
        // Whose other subscriptions have to wait.
        let contacts: HashSet<ContactId> = later.iter().map(|(recipient, _)| recipient.contact_id).collect();
        if reason.is_some() {
            // What is known of a mail is never given up.
            later.retain(|one| !unsent(&one));
        }
        let now = (self.settings.clock)();
        let mut by_delay: BTreeMap<Duration, (Vec<Recipient>, Vec<AcceptedMail>)> = BTreeMap::new();
        // One draw for the whole message, so that what was put off together stays together.
        let backoff = time::backoff(Duration::from_secs(2), notification.attempt, MAX_DELAY, fastrand::f64());
        for (recipient, when) in later {
            let mut accepted = None;
            let delay = match when {
                Later::AtOnce => Duration::ZERO,
                // SES may ask for none at all.
                Later::After(delay) => delay.max(Duration::from_secs(1)),
                Later::At(at) => Duration::try_from(at.duration_since(now)).unwrap_or_default(),
                Later::Backoff => backoff,
                Later::Record(mail) => {
                    accepted = Some(mail);
                    backoff
                }
            };
            // In whole seconds as SQS has them, so that those who wait for about the same moment share a message.
            let delay = Duration::from_secs(delay.as_millis().div_ceil(1000) as u64).min(MAX_DELAY);
            let (recipients, accepted_mails) = by_delay.entry(delay).or_default();
            recipients.push(recipient);
            accepted_mails.extend(accepted);
        }
        let hops = notification.hops + 1;
        let messages = by_delay.into_iter().map(|(delay, (recipients, accepted))| {
            let attempt = notification.attempt + u32::from(!delay.is_zero());
            info!(sku = %notification.sku, recipients = recipients.len(), seconds = delay.as_secs(), "Put off");
            let then = Vec::new();
            (Notification { recipients, accepted, then, attempt, hops, ..notification.clone() }, delay)
        });
        let mut messages: Vec<_> = messages.collect();
        let longest = messages.len().checked_sub(1);
        for next in &notification.then {
            let of = |wait: bool| {
                let recipients = next.recipients.iter().filter(|one| contacts.contains(&one.contact_id) == wait);
                Notification { recipients: recipients.copied().collect(), hops, ..next.clone() }
            };
            // With whoever waits longest, who may be of the same contact.
            let (waiting, free) = (of(true), of(false));
            if let Some(longest) = longest.filter(|_| !waiting.recipients.is_empty()) {
                messages[longest].0.then.push(waiting);
            }
            if !free.recipients.is_empty() {
                messages.push((free, Duration::ZERO));
            }
        }
        let sent = self.queues.send_notifications(messages).await;
        sent.map_err(|error| Failure::retry(&error))?;
        reason.map_or(Ok(()), |reason| Err(Failure::Retry { after: None, reason }))
    }

    /// Returns the recipients whose subscriptions still exist and are the ones that were matched, or follow them: who subscribed
    /// again while the mail was leaving waits for a level after that, and it may have come and met the old one.
    async fn waiting(&self, notification: &Notification) -> Result<Vec<(Recipient, Waiting)>, restock_store::Error> {
        let ids: HashSet<SubscriptionId> = notification.recipients.iter().map(id).collect();
        let found = self.store.waiting(&ids.into_iter().collect::<Vec<_>>()).await?;
        let mut recipients = Vec::new();
        for recipient in &notification.recipients {
            // A message may name an instance and the one that follows it.
            let Some(waiting) = found.get(&id(recipient)).cloned() else { continue };
            let subscription = &waiting.subscription;
            if subscription.delivery == recipient.delivery {
                recipients.push((*recipient, waiting));
            } else if waiting.follows == Some(recipient.delivery) {
                let levels = self.store.last_look(subscription).await?.levels;
                let external_id = subscription.external_id.as_ref();
                if restocked_since(&levels, &subscription.locale, external_id, subscription.created_on) {
                    recipients.push((Recipient { delivery: subscription.delivery, ..*recipient }, waiting));
                }
            }
        }
        Ok(recipients)
    }

    /// Ends a subscription whose mail is out.
    async fn use_up(&self, subscription: &Subscription, asked_at: Timestamp) -> Result<Ended, restock_store::Error> {
        let renewed = self.store.use_up(subscription.id(), subscription.delivery, asked_at).await?;
        Ok(if renewed { Ended::later(Later::AtOnce) } else { Ended::Done(None) })
    }

    async fn mail(
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
        let of_feed = |feed: &Locale| shared.products.get(&(feed.key().to_owned(), subscription.sku.clone()));
        let Some(product) = subscription.locale.feeds().iter().find_map(of_feed) else {
            return Ok(Ended::skipped(Skip::NoProductData));
        };
        if let Some(free_at) = waiting.standing.taken_until(clock(), terms) {
            return Ok(Ended::later(Later::At(free_at)));
        }
        if !self.pace.turn(shared.until).await {
            return Ok(Ended::later(Later::AtOnce));
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
        let seen = match self.store.last_look(subscription).await {
            Ok(seen) => seen,
            Err(error) => {
                self.store.release(subscription, &claim.give_back()).await?;
                return Err(error);
            }
        };
        // Its sender did not live to delete it, or a write that the SDK repeated has brought it back.
        if let Some(sent_at) = seen.sent_at {
            return self.use_up(subscription, sent_at).await;
        }
        // Another message about it was faster, and the same mail would be refused again.
        if seen.refused_for.as_deref() == Some(notification.log_entry.as_str()) {
            self.store.release(subscription, &claim.give_back()).await?;
            return Ok(Ended::Done(None));
        }
        let contact = match mailable(seen, subscription, automation) {
            Ok(contact) => contact,
            Err(skip) => {
                self.store.release(subscription, &claim.give_back()).await?;
                return Ok(Ended::skipped(skip));
            }
        };
        let claim = match self.turn(subscription, notification, claim).await? {
            Ok(claim) => claim,
            Err(ended) => return Ok(ended),
        };
        let asked_at = clock();
        if !claim.covers(asked_at, patience) {
            self.store.release(subscription, &claim.give_back()).await?;
            return Ok(Ended::later(Later::Backoff));
        }
        let brands = &shared.brands;
        let mail = Mail { subscription, contact: &contact, product, automation, template, brands, now: asked_at };
        let outcome = self.mailer.send(&claim, mail).await;
        self.settle(subscription, claim.settle(outcome, terms), notification, asked_at).await
    }

    /// Returns the claim if no other subscription of the contact is mailed for the level; else it is given back.
    async fn turn(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        claim: Claim,
    ) -> Result<Result<Claim, Ended>, restock_store::Error> {
        let Settings { terms, clock, .. } = self.settings;
        let known_by = claim.until() + terms.grace;
        let turn = self.store.take_turn(subscription, &notification.log_entry, &claim, known_by, clock()).await;
        if let Ok(Turn::Yours) = turn {
            return Ok(Ok(claim));
        }
        self.store.release(subscription, &claim.give_back()).await?;
        let Turn::Mailed(at) = turn? else { return Ok(Err(Ended::later(Later::Backoff))) };
        Ok(Err(match self.use_up(subscription, at).await? {
            Ended::Done(_) => Ended::skipped(Skip::SameContact),
            renewed @ Ended::PutOff(..) => renewed,
        }))
    }

    /// Records an accepted mail and uses the subscription up. What can't be recorded travels on with the recipient, so that
    /// nobody sends the mail again.
    async fn finish(&self, subscription: &Subscription, notification: &Notification, accepted: AcceptedMail) -> Ended {
        let AcceptedMail { message_id, asked_at, .. } = &accepted;
        match self.store.record_sent(subscription, &notification.log_entry, message_id, *asked_at).await {
            Err(error) => {
                let delivery = subscription.delivery;
                warn!(%delivery, error = %DisplayErrorChain::new(&error), "An accepted mail was not recorded yet");
                Ended::later(Later::Record(accepted))
            }
            Ok(news) => {
                // If the event was faster, whoever handled it has counted the mail.
                let outcome = news.then_some(Milestone::Accepted.as_str());
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
        asked_at: Timestamp,
    ) -> Result<Ended, restock_store::Error> {
        let (delivery, log_entry) = (subscription.delivery, notification.log_entry.as_str());
        match settlement {
            Settlement::Sent { message_id } => {
                info!(%delivery, message_id, "SES accepted a mail");
                let key = subscription.id().key;
                let recipient = Recipient { contact_id: subscription.contact_id, key, delivery };
                let accepted = AcceptedMail { recipient, message_id, asked_at };
                Ok(self.finish(subscription, notification, accepted).await)
            }
            Settlement::Failed { reason, claim } => {
                error!(%delivery, reason, "SES permanently refused a mail");
                self.store.finish_failed(subscription, &claim, log_entry, &reason, asked_at).await?;
                Ok(Ended::Done(Some(Milestone::Failed.as_str())))
            }
            Settlement::Released { reason, after, claim } => {
                warn!(%delivery, reason, "SES did not accept a mail for now");
                self.store.release(subscription, &claim).await?;
                Ok(Ended::later(after.map_or(Later::Backoff, Later::After)))
            }
            Settlement::Unknown { reason, look_again } => {
                warn!(%delivery, reason, "Whether SES accepted a mail is unknown");
                Ok(Ended::PutOff(Some("unknown"), Later::At(look_again)))
            }
        }
    }
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

fn id(recipient: &Recipient) -> SubscriptionId {
    SubscriptionId { contact_id: recipient.contact_id, key: recipient.key }
}

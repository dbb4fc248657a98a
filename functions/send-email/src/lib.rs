//! Consumes the notifications queue: one email for each recipient, and the subscription is used up.
//!
//! A claim on the subscription comes before SES is asked, so of several messages about one subscription, or several
//! deliveries of one message, only one sends. `restock_domain::delivery` says what may follow on what.

mod account;
mod content;
mod counts;
mod ended;
mod mail;
mod pace;
mod put_off;
mod ready;
mod refusals;
mod waves;

pub use put_off::{MAX_HOPS, MAX_STOPPED_RECEIVES};

use account::Account;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use display_error_chain::DisplayErrorChain;
use ended::{Counted, Ended, Later, Stop, not_recorded};
use futures::future::join_all;
use jiff::Timestamp;
use pace::Pace;
use refusals::Refusals;
use restock_domain::automation::Verdict;
use restock_domain::delivery::Terms;
use restock_domain::{
    Automation, Brands, Product, Skip, Sku, Subscription, SubscriptionId, Template, TemplateId, level_met,
};
use restock_email::{Mailer, built_in_template, default_template};
use restock_queue::{
    AcceptedMail, Failure, Notification, NotificationMessage, Queues, Recipient, Record, consume, correlate,
    correlation_in, named,
};
use restock_store::{
    CachedAutomations, CachedBrands, CachedStops, CachedTemplates, CachedWavePolicy, Decided, LogKey, Store, Waiting,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;
use waves::Bounds;

/// What the log says where SES did not say whether it accepted a mail.
pub const UNKNOWN_OUTCOME: &str = "Whether SES accepted a mail is unknown";

pub struct App {
    store: Store,
    queues: Queues,
    automations: CachedAutomations,
    wave_policy: CachedWavePolicy,
    brands: CachedBrands,
    templates: CachedTemplates,
    stops: CachedStops,
    mailer: Box<dyn Mailer>,
    settings: Settings,
    pace: Pace,
    account: Account,
    refusals: Refusals,
}

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub terms: Terms,
    /// The longest that the mailer takes.
    pub patience: Duration,
    /// Instances that may send at the same time; each has its share of what the account may send.
    pub senders: u32,
    /// The most mails a second that all of them send, even if the account may send more.
    pub max_rate: Option<f64>,
    /// How long an invocation goes on beginning mails; what is left then is sent on in a message of its own.
    pub budget: Duration,
    /// How long automations, templates and the brand are used before they are read again.
    pub settings_kept: Duration,
    /// How long entries of the integration log are kept.
    pub log_kept: Duration,
    pub clock: fn() -> Timestamp,
}

/// The facts that the recipients of one message share.
pub(crate) struct Shared {
    products: HashMap<(String, Sku), Product>,
    /// Other products of each feed, if the template shows them.
    related: HashMap<String, Vec<Product>>,
    /// None if it was switched off or deleted since it accepted them.
    automation: Option<(Automation, Arc<Template>)>,
    brands: Arc<Brands>,
    /// What bounds the mails, if anything bounds any.
    bounds: Option<Bounds>,
    until: Instant,
}

impl App {
    pub fn new(store: Store, queues: Queues, mailer: Box<dyn Mailer>, settings: Settings) -> Self {
        let automations = CachedAutomations::new(store.clone(), settings.settings_kept);
        let wave_policy = CachedWavePolicy::new(store.clone(), settings.settings_kept);
        let brands = CachedBrands::new(store.clone(), settings.settings_kept);
        let templates = CachedTemplates::new(store.clone(), settings.settings_kept);
        let stops = CachedStops::new(store.clone());
        let (account, refusals) = (Account::new(settings.senders, settings.max_rate), Refusals::default());
        let pace = Pace::new(account.rate(None));
        Self {
            store,
            queues,
            automations,
            wave_policy,
            brands,
            templates,
            stops,
            mailer,
            pace,
            account,
            refusals,
            settings,
        }
    }

    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let until = Instant::now() + self.settings.budget;
        consume(&self.queues, named::Notifications, event, |record| self.process(record, until)).await
    }

    async fn process(&self, record: Record, until: Instant) -> Result<(), Failure> {
        let message = NotificationMessage::parse(&record.body);
        match message? {
            NotificationMessage::Notify(notification) => self.notify(*notification, &record, until).await,
            NotificationMessage::CountMails(counts) => self.count_later(counts).await,
        }
    }

    async fn notify(&self, notification: Notification, record: &Record, until: Instant) -> Result<(), Failure> {
        correlate(correlation_in(LogKey::arrival_id(&notification.log_entry)));
        self.look_at_account().await;
        let automation = self.automations.since(&notification.automation, notification.version).await?;
        let automation = automation.filter(|automation| automation.enabled);
        let bounds = self.bounds(automation.as_ref()).await?;
        let stop = self.stop(&notification.sku).await?;
        if let Some(stop) = stop.filter(|_| notification.accepted.is_empty()) {
            return match bounds.as_ref().and_then(|bounds| bounds.share(&notification)) {
                Some(share) => self.wait_in_line(stop, share, &notification).await,
                None => self.wait_out(stop, &notification, record).await,
            };
        }
        let waiting = self.waiting(&notification).await?;
        let shared = self.shared(&notification.sku, &waiting, automation, bounds, until).await?;

        // What is known of mails comes first: another subscription of the contact may be among the others.
        let known = self.record(&notification, &waiting).await;
        let unsent = waiting.iter().filter(|(recipient, _)| !known.iter().any(|(one, ..)| one == recipient));
        let mails = unsent.map(|(recipient, waiting)| async {
            let ended = self.mail(waiting, &notification, &shared).await.unwrap_or_else(Ended::from);
            (*recipient, Some(&waiting.subscription), ended)
        });
        // All at the same time, so that they share requests.
        let mails = join_all(mails).await;

        let gone = notification.recipients.len() - waiting.len();
        let mut outcomes = BTreeMap::new();
        // Later, those who were mailed in the meantime are gone too.
        if gone > 0 && notification.attempt == 0 && record.receives == 1 {
            outcomes.insert(Skip::SubscriptionGone.as_str().to_owned(), gone as i64);
        }
        let mut later: Vec<(Recipient, Later)> = Vec::new();
        let mut not_sent = Vec::new();
        for (recipient, subscription, ended) in known.into_iter().chain(mails) {
            let (news, when) = ended.parts();
            if let Some(Counted::Word(word)) = news {
                not_sent.extend(subscription.zip(word.parse().ok()));
            }
            for name in news.into_iter().flat_map(Counted::names) {
                *outcomes.entry(name).or_default() += 1;
            }
            later.extend(when.map(|when| (recipient, when)));
        }
        self.count_now(&notification, outcomes).await;
        self.explain(&notification, not_sent).await;
        let accepted: Vec<_> = later.iter().filter(|(_, when)| matches!(when, Later::Record(_))).cloned().collect();
        let put_off = async {
            let later = match &shared.bounds {
                Some(bounds) => self.end_share(bounds, &notification, &waiting, later).await?,
                None => later,
            };
            self.put_off(&notification, later).await
        };
        let Err(failure) = put_off.await else { return Ok(()) };
        self.send_known_on(&notification, accepted, until).await;
        Err(failure)
    }

    /// Returns what keeps all mails about a SKU from leaving, if something does.
    async fn stop(&self, sku: &Sku) -> Result<Option<Stop>, restock_store::Error> {
        if self.account.is_used_up() {
            return Ok(Some(Stop::Quota));
        }
        let stops = self.stops.of(sku).await?;
        Ok(stops.pause().map(|pause| Stop::Paused { since: pause.since }))
    }

    async fn shared(
        &self,
        sku: &Sku,
        waiting: &[(Recipient, Waiting)],
        automation: Option<Automation>,
        bounds: Option<Bounds>,
        until: Instant,
    ) -> Result<Shared, restock_store::Error> {
        let locales: HashSet<_> = waiting.iter().flat_map(|(_, waiting)| waiting.subscription.locale.feeds()).collect();
        let products = self.store.products(locales.iter().map(|locale| (locale, sku)));
        let (products, brands) = tokio::try_join!(products, self.brands.current())?;
        let automation = match automation {
            None => None,
            Some(automation) => {
                let template = self.template(&automation.email.template).await?;
                Some((automation, template))
            }
        };
        let template = automation.as_ref().map(|(_, template)| template);
        let related = match template.filter(|template| template.shows_related()) {
            Some(_) => self.related(&products).await,
            None => HashMap::new(),
        };
        Ok(Shared { products, related, automation, brands, bounds, until })
    }

    /// Records the mails that SES accepted and nobody could record yet, even those whose subscriptions are gone: so
    /// that no other subscription of the contact is mailed for the same level.
    async fn record<'a>(
        &self,
        notification: &Notification,
        waiting: &'a [(Recipient, Waiting)],
    ) -> Vec<(Recipient, Option<&'a Subscription>, Ended)> {
        let record = notification.accepted.iter().map(|accepted| async {
            let recipient = accepted.recipient;
            let subscription = waiting.iter().find(|(one, _)| *one == recipient).map(|(_, found)| &found.subscription);
            let ended = match subscription {
                Some(subscription) => self.finish(subscription, notification, accepted.clone()).await,
                None => self.record_of_gone(notification, accepted).await,
            };
            (recipient, subscription, ended)
        });
        join_all(record).await
    }

    async fn record_of_gone(&self, notification: &Notification, accepted: &AcceptedMail) -> Ended {
        let AcceptedMail { recipient: Recipient { contact_id, delivery, .. }, message_id, asked_at, template } =
            accepted;
        let kept = self.settings.log_kept;
        match self.store.record_sent_of_gone(*contact_id, *delivery, message_id, *asked_at, kept).await {
            Ok(news) => {
                let counted = || Counted::Accepted { template: template.clone(), chosen_by: notification.chosen_by() };
                Ended::Done(news.then(counted))
            }
            Err(error) => not_recorded(accepted.clone(), &error),
        }
    }

    /// Writes down for support why mails were not sent after all. That is not worth sending the message round again.
    async fn explain(&self, notification: &Notification, not_sent: Vec<(&Subscription, Skip)>) {
        let (sku, entry) = (notification.sku.clone(), notification.log_entry.clone());
        // Of one that is gone, whoever had it knows more: another message about it, or its owner.
        let here = not_sent.into_iter().filter(|(_, skip)| *skip != Skip::SubscriptionGone);
        let decided =
            here.map(|(subscription, skip)| Decided { subscription, verdict: Verdict::skipped(skip), place: None });
        let (key, kept) = (LogKey { sku, entry }, self.settings.log_kept);
        if let Err(error) = self.store.log_not_sent(&key, decided.collect(), kept).await {
            let (sku, error) = (&key.sku, DisplayErrorChain::new(&error));
            warn!(%sku, %error, "Histories will lack why mails were not sent");
        }
    }

    /// Returns a template. Where one was deleted in the moment in which an automation took it, the default one stands
    /// in.
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

    /// Returns the recipients whose subscriptions still exist and are the ones that were matched, or follow them: who
    /// subscribed again while the mail was leaving waits for a level after that, and it may have come and met the old
    /// one.
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
                if level_met(&levels, subscription).is_some() {
                    recipients.push((Recipient { delivery: subscription.delivery, ..*recipient }, waiting));
                }
            }
        }
        Ok(recipients)
    }
}

fn id(recipient: &Recipient) -> SubscriptionId {
    SubscriptionId { contact_id: recipient.contact_id, key: recipient.key }
}

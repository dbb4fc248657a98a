//! Consumes what SES says about mails: stops mail to addresses that bounce or complain, settles deliveries whose sender
//! did not live to record them, tells the integration log, and pauses sending if too many bounce or complain.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_domain::delivery::Milestone;
use restock_domain::mail_count::template_of;
use restock_domain::signing::AddressKey;
use restock_domain::{MailCount, MailCounts, Pause, Suppression};
use restock_metrics::Metric;
use restock_queue::{CountMails, EmailEvent, EmailEventKind, Failure, Queues, Record, consume, correlate, named};
use restock_store::{Accepted, LogKey, Noted, SettledSent, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{error, info, warn};

pub struct App {
    pub store: Store,
    pub queues: Queues,
    pub address_key: AddressKey,
    /// How long entries of the integration log are kept.
    pub log_kept: Duration,
    pub clock: fn() -> Timestamp,
}

impl App {
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let news = &News::default();
        let answer = consume(&self.queues, named::EmailEvents, event, |record| self.process(record, news)).await;
        self.tell_log(news).await;
        self.guard(news.counts()).await;
        answer
    }

    async fn process(&self, record: Record, news: &News) -> Result<(), Failure> {
        let event = EmailEvent::parse(&record.body)?;
        match event {
            None => Ok(()),
            Some(event) => self.take(&event, news).await.map_err(Failure::from),
        }
    }

    /// Records an event. Each step may be done twice, and does nothing the second time, but for the count of mails
    /// sent.
    async fn take(&self, event: &EmailEvent, news: &News) -> Result<(), restock_store::Error> {
        if let Some(correlation) = &event.correlation {
            correlate(correlation);
        }
        let now = (self.clock)();
        let (milestone, suppression) = match event.kind {
            EmailEventKind::Sent => (None, None),
            EmailEventKind::Delivered => (Some(Milestone::Delivered), None),
            EmailEventKind::Bounced { permanent: true } => (Some(Milestone::Bounced), Some(Suppression::Bounce)),
            EmailEventKind::Bounced { permanent: false } => (Some(Milestone::Bounced), None),
            EmailEventKind::Complained => (Some(Milestone::Complained), Some(Suppression::Complaint)),
            EmailEventKind::Rejected => (Some(Milestone::Rejected), None),
            EmailEventKind::NotRendered => (Some(Milestone::NotRendered), None),
        };
        if let Some(why) = suppression {
            let contact = event.subscription.contact_id;
            let known = match &event.recipient {
                Some(address) => self.store.suppress_address(contact, address, why, &self.address_key).await?,
                None => self.store.suppress(contact, why).await?,
            };
            info!(known, contact = %event.subscription.contact_id, why = why.as_str(), "A contact gets no more mail");
        }
        // Whatever else SES says about a mail, it has accepted it. Mostly that is recorded already.
        let Some(milestone) = milestone else {
            self.settle(event, news).await?;
            news.count(MailCounts { accepted: 1, ..MailCounts::default() });
            return Ok(());
        };
        let mut noted = self.store.note(event.subscription.contact_id, event.delivery, milestone, now).await?;
        if milestone == Milestone::NotRendered {
            let (delivery, template) = (event.delivery, event.template.as_deref());
            error!(%delivery, template, "SES could not make a mail of its template, so it was never sent");
        } else if let Noted::NotRecorded = noted {
            self.settle(event, news).await?;
            noted = self.store.note(event.subscription.contact_id, event.delivery, milestone, now).await?;
        }
        if let Noted::News(entry) = noted {
            news.add_milestone(entry, milestone);
            match suppression {
                Some(Suppression::Bounce) => news.count(MailCounts { bounced: 1, ..MailCounts::default() }),
                Some(Suppression::Complaint) => news.count(MailCounts { complained: 1, ..MailCounts::default() }),
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts what became of mails, a few perhaps twice or not at all, and pauses sending before SES pauses the
    /// account. What can't be counted is not worth taking the events again.
    async fn guard(&self, counts: MailCounts) {
        if counts.is_empty() {
            return;
        }
        if let Err(error) = self.count_and_pause(counts).await {
            warn!(error = %DisplayErrorChain::new(&error), "Bounces and complaints were not looked at");
        }
    }

    async fn count_and_pause(&self, counts: MailCounts) -> Result<(), restock_store::Error> {
        let now = (self.clock)();
        self.store.count_outcomes(counts, now).await?;
        if !counts.has_harm() {
            return Ok(());
        }
        let Some(reason) = self.store.outcomes_of_a_day(now).await?.alarm() else { return Ok(()) };
        if self.store.pause_in_force().await?.is_none() {
            error!(reason, "Restock has paused sending");
            self.store.pause(&Pause { since: now, reason: Some(reason), by_itself: true }).await?;
        }
        Ok(())
    }

    /// Records that SES accepted a mail, if its sender has not.
    async fn settle(&self, event: &EmailEvent, news: &News) -> Result<(), restock_store::Error> {
        let EmailEvent { subscription, delivery, message_id, accepted_at, template, .. } = event;
        let mail = Accepted { message_id, template: template.as_deref(), chosen_by: None, at: *accepted_at };
        let settled = self.store.settle_sent(*subscription, *delivery, mail, self.log_kept).await?;
        let Some(SettledSent { entry, chosen_by }) = settled else { return Ok(()) };
        let template =
            template.as_deref().and_then(template_of).map(|(id, version)| MailCount::OfTemplate(id, version));
        let chosen_by = chosen_by.map(|(id, version)| MailCount::ByAutomation(id, version));
        template.into_iter().chain(chosen_by).for_each(|count| news.add(entry.clone(), count.name()));
        news.add_milestone(Some(entry), Milestone::Accepted);
        Ok(())
    }

    /// Adds the news of a batch to the log, one write for each entry: most events of a batch are about one level.
    async fn tell_log(&self, news: &News) {
        let news = std::mem::take(&mut *news.lock());
        for (entry, outcomes) in news {
            let Err(error) = self.store.log_mails(&entry, &outcomes, false, self.log_kept).await else { continue };
            warn!(sku = %entry.sku, error = %DisplayErrorChain::new(&error), "Mails will be counted later");
            let LogKey { sku, entry: log_entry } = entry;
            let counts = CountMails { sku, log_entry, outcomes, estimated: false };
            // What counts is recorded; taking the messages again would find no news.
            if let Err(error) = self.queues.send_counts(&counts.after(error.throttled())).await {
                warn!(error = %DisplayErrorChain::new(&error), "Mails were not counted");
            }
        }
    }
}

/// What the events of a batch have to tell the log, and how their mails were received.
#[derive(Default)]
struct News {
    of_entries: Mutex<HashMap<LogKey, BTreeMap<String, i64>>>,
    counts: Mutex<MailCounts>,
}

impl News {
    fn add_milestone(&self, entry: Option<LogKey>, milestone: Milestone) {
        if let Some(entry) = entry {
            restock_metrics::count_of(Metric::Mails, milestone.as_str(), 1);
            self.add(entry, milestone.as_str().to_owned());
        }
    }

    fn add(&self, entry: LogKey, count: String) {
        *self.lock().entry(entry).or_default().entry(count).or_default() += 1;
    }

    fn count(&self, counts: MailCounts) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }

    fn counts(&self) -> MailCounts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LogKey, BTreeMap<String, i64>>> {
        self.of_entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

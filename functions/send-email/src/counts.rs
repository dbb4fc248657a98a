//! Counts of mails, for the integration log.

use crate::App;
use display_error_chain::DisplayErrorChain;
use restock_domain::MailCount;
use restock_metrics::Metric;
use restock_queue::{CountMails, Failure, Notification};
use restock_store::LogKey;
use std::collections::BTreeMap;
use tracing::warn;

impl App {
    /// Counts what became of a message's mails, in metrics and in the log. The mails are out, so it is not worth
    /// sending the message round again: what the log can't take now is added later.
    pub(crate) async fn count_now(&self, notification: &Notification, outcomes: BTreeMap<String, i64>) {
        for (name, count) in &outcomes {
            if let MailCount::Outcome(outcome) = MailCount::restore(name) {
                restock_metrics::count_of(Metric::Mails, &outcome, *count as u64);
            }
        }
        let (sku, log_entry) = (notification.sku.clone(), notification.log_entry.clone());
        let counts = CountMails { sku, log_entry, outcomes, estimated: false };
        if let Err(error) = self.count(&counts).await {
            warn!(sku = %counts.sku, error = %DisplayErrorChain::new(&error), "Mails will be counted later");
            if let Err(error) = self.queues.send_counts(&counts.after(error.throttled())).await {
                warn!(error = %DisplayErrorChain::new(&error), "Mails were not counted");
            }
        }
    }

    /// Adds counts to the log that it could not take when the mails left.
    pub(crate) async fn count_later(&self, counts: CountMails) -> Result<(), Failure> {
        match self.count(&counts).await {
            Ok(()) => Ok(()),
            Err(error) if error.throttled() || counts.outcomes.is_empty() => Err(error.into()),
            // Adding them once more might count them twice.
            Err(_) => {
                let sent = self.queues.send_counts(&counts.after(false)).await;
                sent.map_err(Failure::from)
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
}

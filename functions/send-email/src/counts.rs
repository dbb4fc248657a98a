//! Counts of mails, for the integration log.

use crate::App;
use restock_queue::{CountMails, Failure};
use restock_store::LogKey;

impl App {
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

    pub(crate) async fn count(&self, counts: &CountMails) -> Result<(), restock_store::Error> {
        if counts.outcomes.is_empty() && !counts.estimated {
            return Ok(());
        }
        let key = LogKey { sku: counts.sku.clone(), entry: counts.log_entry.clone() };
        self.store.log_mails(&key, &counts.outcomes, counts.estimated, self.settings.log_kept).await
    }
}

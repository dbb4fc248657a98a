//! Imports by schedule: every quarter of an hour, EventBridge Scheduler asks for those that are due.

use crate::App;
use restock_domain::{Feed, FeedWarning};
use restock_metrics::Metric;
use restock_queue::{Failure, FeedImport, FeedSource};
use tracing::{error, info};
use uuid::Uuid;

impl App {
    /// Queues an import of each feed that is due, and tells about each that somebody should look at.
    pub(crate) async fn import_due(&self) -> Result<(), Failure> {
        let now = (self.clock)();
        for feed in self.store.feeds().await? {
            if let Some(since) = feed.last_succeeded_on.or(feed.configured_on) {
                let age = now.duration_since(since).as_secs_f64();
                restock_metrics::observe_of(Metric::FeedAge, feed.locale.as_str(), age);
            }
            if let Some(warning) = feed.warning(now) {
                warn(&feed, warning);
            }
            let Some(url) = feed.url.clone().filter(|_| feed.is_due(now)) else { continue };
            let import = FeedImport {
                locale: feed.locale,
                import_id: Uuid::new_v4().to_string(),
                started_at: now,
                source: FeedSource::Url(url),
                allow_shrink: false,
                scheduled: true,
            };
            self.queues.send_feed_import(&import).await?;
            info!(locale = %import.locale, import = import.import_id, "A feed is due");
        }
        Ok(())
    }
}

/// Logs what the alarm of `template.yaml` counts, which knows it by its message.
fn warn(feed: &Feed, warning: FeedWarning) {
    let warning: &str = warning.into();
    error!(locale = %feed.locale, warning, failures = feed.failures, "A feed needs attention");
}

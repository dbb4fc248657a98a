//! Consumes the queue of imports: brings the stored products of a locale to what its feed has, and puts the levels of
//! stock files that are fetched onto their queue.
//!
//! The changes to write are found by comparing with what is stored, so an import that was interrupted goes on where it
//! stopped, and one that runs twice writes nothing the second time.

mod addresses;
mod asked;
mod due;
mod file;
mod gone;
mod progress;
mod received;
mod stock_file;
mod survey;

pub use addresses::Addresses;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use display_error_chain::DisplayErrorChain;
use file::{File, Obtained, Version};
use gone::Gone;
use jiff::Timestamp;
use progress::{SHOWN_EVERY, shown};
use restock_domain::{ErrorCode, Feed, Import, ImportError, ImportStatus, Locale, Product, Sku, hex, time};
use restock_feed::End;
use restock_queue::{Failure, FeedImport, FeedMessage, FeedSource, Queues, Record, consume, named, while_hidden};
use restock_store::{Fetch, ProductChange, RelatedBy, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use survey::{Survey, digest};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

/// Changes that are written at a time; what bounds the memory of an import besides the digests of its items.
const CHANGES: usize = 500;
const CUT_OFF: &str = "The file breaks off, or hides a part of itself, so nothing was removed that is missing from it. Send all of it, up to the end of its last line or its last tag.";
/// Whatever is wrong with stored products, or with what a server says of its file, is mended after so long.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3600);

pub struct App {
    pub store: Store,
    pub queues: Queues,
    pub settings: Settings,
    pub clock: fn() -> Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often the queue delivers a message before it gives it up.
    pub max_receives: u32,
    /// How long after a crash the import is tried again. The locale's next import waits as long.
    pub lease: Duration,
    /// The longest that an import takes.
    pub time: Duration,
    /// Where feeds may be fetched from.
    pub addresses: Addresses,
}

/// Why an import ended without success.
#[derive(Debug)]
enum Stop {
    /// Trying again with the same file would not help. Shown to whoever manages the feed.
    Refused { error_code: ErrorCode, message: String },
    /// A service failed; the import is tried again.
    Store(restock_store::Error),
}

impl From<restock_store::Error> for Stop {
    fn from(error: restock_store::Error) -> Self {
        Self::Store(error)
    }
}

impl App {
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        consume(&self.queues, named::FeedImports, event, |record| self.process(record)).await
    }

    async fn process(&self, record: Record) -> Result<(), Failure> {
        let message = FeedMessage::parse(&record.body)?;
        let lease = self.settings.lease;
        match message {
            FeedMessage::ImportDue => self.import_due().await,
            FeedMessage::Import(job) => {
                let work = self.run(&job, record.receives);
                while_hidden(&self.queues, named::FeedImports, &record, lease, work).await
            }
            FeedMessage::ImportStock(job) => {
                let work = self.import_stock(&job, record.receives);
                while_hidden(&self.queues, named::FeedImports, &record, lease, work).await
            }
        }
    }

    /// Ends an import that is no longer wanted, if it is shown as running since an earlier try.
    async fn leave_out(&self, job: &FeedImport, mut import: Import, feed: Option<&Feed>) -> Result<(), Failure> {
        if feed.and_then(|feed| feed.last_import.as_ref()).is_none_or(|last| last.id != job.import_id) {
            return Ok(());
        }
        let message = "The feed was reconfigured before the import was done. The next one takes the new settings.";
        import.status = ImportStatus::Failed;
        import.errors.push(ImportError::new(0, None, ErrorCode::FetchFailed, message.into()));
        import.finished_at = Some(time::to_millisecond((self.clock)()));
        self.store.put_import(&job.locale, &import).await.map_err(Failure::from)
    }

    /// Imports, and records how it ended.
    async fn run(&self, job: &FeedImport, receives: u32) -> Result<(), Failure> {
        let last_try = receives >= self.settings.max_receives;
        let mut import = Import::running(job.import_id.clone(), job.started_at);
        // One that broke off makes way for the corrected file that was sent since.
        if job.scheduled || receives > 1 {
            let feed = self.store.feed(&job.locale).await?;
            let feed = feed.as_ref();
            if is_superseded(job, feed) || (job.scheduled && !is_of_schedule(job, feed)) {
                info!(locale = %job.locale, import = job.import_id, "An import is no longer wanted");
                return self.leave_out(job, import, feed).await;
            }
        }
        if last_try {
            self.record_crash(job, import.clone()).await?;
        } else if job.scheduled {
            // Nobody has shown it yet.
            self.store.put_import(&job.locale, &import).await?;
        }
        let written = AtomicU64::new(0);
        let limited =
            tokio::time::timeout(self.settings.time, self.import(job, &mut import, &written, !last_try)).await;
        let outcome = limited.unwrap_or_else(|_| Err(self.out_of_time()));
        // Even if it was ended: what it wrote stays.
        import.imported = written.into_inner();
        import.status = ImportStatus::Succeeded;
        let mut retry = None;
        if let Err(stop) = outcome {
            let (error_code, message) = match stop {
                Stop::Refused { error_code, message } => (error_code, message),
                Stop::Store(error) => {
                    let failure = Failure::from(error);
                    if !last_try {
                        return Err(failure);
                    }
                    retry = Some(failure);
                    (ErrorCode::InternalError, "Something failed on our side. Start the import again.".into())
                }
            };
            error!(locale = %job.locale, import = job.import_id, error_code = error_code.as_str(), message, "A feed was not imported");
            import.status = ImportStatus::Failed;
            report(&mut import, error_code, message);
        }
        import.finished_at = Some(time::to_millisecond((self.clock)()));
        self.store.put_import(&job.locale, &import).await?;
        info!(
            locale = %job.locale, import = job.import_id, items = import.items, imported = import.imported,
            unchanged = import.unchanged, removed = import.removed, rejected = import.rejected,
            incomplete = import.incomplete, "A feed import ended"
        );
        retry.map_or(Ok(()), Err)
    }

    /// Shows an import as failed before it is tried for the last time: whatever ended the tries before may end this one
    /// too, and then nobody else tells.
    async fn record_crash(&self, job: &FeedImport, mut import: Import) -> Result<(), Failure> {
        let message = "The import broke off each time so far and is tried once more. Make the file smaller, or see the logs of import-feed.";
        import.status = ImportStatus::Failed;
        import.errors.push(ImportError::new(0, None, ErrorCode::InternalError, message.into()));
        import.finished_at = Some(time::to_millisecond((self.clock)()));
        self.store.put_import(&job.locale, &import).await.map_err(Failure::from)
    }

    fn out_of_time(&self) -> Stop {
        Stop::Refused {
            error_code: ErrorCode::ImportTooLong,
            message: format!(
                "The import took longer than {} seconds and was ended. What it wrote stays; import again to go on, or make the file smaller.",
                self.settings.time.as_secs()
            ),
        }
    }

    /// Imports, and notes in `import` what came of it, and in `written` how many products it has written. `shows` says
    /// whether to show meanwhile how far it is: on the last try it is shown as failed until it has succeeded.
    async fn import(
        &self,
        job: &FeedImport,
        import: &mut Import,
        written: &AtomicU64,
        shows: bool,
    ) -> Result<(), Stop> {
        let show = async |import: Import| {
            let shown = if shows { self.store.put_import(&job.locale, &import).await } else { Ok(()) };
            if let Err(error) = shown {
                // The next one is shown soon.
                warn!(locale = %job.locale, error = %DisplayErrorChain::new(&error), "Could not show how far an import is");
            }
        };
        let surveyed = Arc::new(AtomicU64::new(0));
        let known = self.known(job).await?;
        let (file, version) = match File::obtain(&self.store, job, known.as_ref(), self.settings.addresses).await? {
            Obtained::Unchanged(fetch) => {
                // What was left out of the file is told still.
                let Import { items, rejected, incomplete, errors, .. } = fetch.import;
                (import.items, import.rejected, import.incomplete, import.errors) =
                    (items, rejected, incomplete, errors);
                import.unchanged = items - rejected;
                return Ok(());
            }
            Obtained::File(file, version) => (Arc::new(file), version),
        };

        // First look at everything, and change nothing until the whole file was judged.
        let taking = survey::take(file.clone(), surveyed.clone());
        let show_items = async || show(Import { items: surveyed.load(Ordering::Relaxed), ..import.clone() }).await;
        let (mut survey, end) = shown(taking, SHOWN_EVERY, show_items).await?;
        import.items = survey.items;
        import.rejected = survey.rejected;
        import.incomplete = survey.incomplete();
        import.errors = survey.errors();
        if end == End::CutOff {
            report(import, ErrorCode::UnexpectedEnd, CUT_OFF.into());
        }
        survey.judge()?;
        let content = survey.content();
        if let Some(fetch) = known.filter(|fetch| end == End::Complete && fetch.content.as_ref() == Some(&content)) {
            // Its server does not say so, or has written it anew. Products are compared a day after the last time.
            import.unchanged = survey.used();
            let compared = Import { started_at: fetch.import.started_at, ..import.clone() };
            return self.remember(&job.locale, version, content, compared).await;
        }
        let mut gone = Gone::default();
        self.store
            .each_product(&job.locale, |sku, digest| {
                let comparison = survey.compare(&sku, digest);
                gone.note(sku, &comparison);
            })
            .await?;
        if end == End::CutOff {
            gone.keep_missing();
        }
        if !job.allow_shrink {
            gone.judge()?;
        }
        let gone = gone.into_skus();

        import.unchanged = survey.unchanged();
        self.store.forget_fetch(&job.locale).await?;
        let writing = self.write_changes(&job.locale, file, Arc::new(survey), written);
        let show_imported = async || show(Import { imported: written.load(Ordering::Relaxed), ..import.clone() }).await;
        shown(writing, SHOWN_EVERY, show_imported).await?;
        import.removed = gone.len() as u64;
        self.remove(&job.locale, gone).await?;
        let version = version.filter(|_| end == End::Complete);
        self.remember(&job.locale, version, content, import.clone()).await
    }

    /// Remembers which file the products are from, if it came from a server, and the import that compared them.
    async fn remember(
        &self,
        locale: &Locale,
        version: Option<Version>,
        content: String,
        import: Import,
    ) -> Result<(), Stop> {
        let Some(Version { url, currency, etag, last_modified }) = version else { return Ok(()) };
        let fetch = Fetch { url, currency, etag, last_modified, content: Some(content), import };
        Ok(self.store.put_fetch(locale, &fetch).await?)
    }

    /// Returns the file that the products are from, if it is enough to ask whether it has changed. A person who asks
    /// for an import gets one, and each day the whole file is read, whatever its server says.
    async fn known(&self, job: &FeedImport) -> Result<Option<Fetch>, Stop> {
        if !job.scheduled {
            return Ok(None);
        }
        let fetch = self.store.fetch(&job.locale).await?;
        Ok(fetch.filter(|fetch| fetch.import.started_at + READ_AGAIN_AFTER > job.started_at))
    }

    /// Reads the file once more and writes what is new or changed, counting it.
    async fn write_changes(
        &self,
        locale: &Locale,
        file: Arc<File>,
        survey: Arc<Survey>,
        written: &AtomicU64,
    ) -> Result<(), Stop> {
        let (sender, mut changes) = mpsc::channel::<ProductChange>(CHANGES);
        let reader = tokio::task::spawn_blocking(move || {
            file.read(&mut |position, item| {
                let Ok(item) = item else { return };
                if survey.is_change(item.product.sku(), position) {
                    // A closed channel means that writing failed, which ends the import.
                    let _ = sender.blocking_send(put(&item.product));
                }
            })
        });
        let mut batch = Vec::with_capacity(CHANGES);
        while changes.recv_many(&mut batch, CHANGES).await > 0 {
            let changes = batch.len() as u64;
            self.store.change_products(locale, std::mem::take(&mut batch)).await?;
            written.fetch_add(changes, Ordering::Relaxed);
        }
        file::joined(reader.await).map(drop)
    }

    async fn remove(&self, locale: &Locale, gone: Vec<Sku>) -> Result<(), Stop> {
        let removals = gone.into_iter().map(|sku| ProductChange::Remove { sku }).collect();
        Ok(self.store.change_products(locale, removals).await?)
    }
}

/// Reports what is wrong with the file as a whole, before what is wrong with its items.
fn report(import: &mut Import, error_code: ErrorCode, message: String) {
    import.errors.insert(0, ImportError::new(0, None, error_code, message));
    import.errors.truncate(survey::MAX_ERRORS);
}

/// Returns true if the feed was imported since an import was asked for, or another import waits. One that failed may
/// never have come onto the queue.
fn is_superseded(job: &FeedImport, feed: Option<&Feed>) -> bool {
    let is_newer = |last: &Import| {
        last.id != job.import_id && last.started_at >= job.started_at && last.status != ImportStatus::Failed
    };
    feed.and_then(|feed| feed.last_import.as_ref()).is_some_and(is_newer)
}

/// Returns false for a scheduled import whose feed is another one by now, or has no schedule any longer.
fn is_of_schedule(job: &FeedImport, feed: Option<&Feed>) -> bool {
    feed.is_some_and(|feed| {
        feed.schedule.is_some() && matches!(&job.source, FeedSource::Url(url) if feed.url.as_ref() == Some(url))
    })
}

fn put(product: &Product) -> ProductChange {
    let data = serialized(product);
    ProductChange::Put {
        sku: product.sku().clone(),
        digest: hex(&digest(product, &data)),
        related_by: RelatedBy::shown(product),
        data,
    }
}

/// Returns the fields as JSON, in the order of their names, so that equal items have equal digests.
fn serialized(product: &Product) -> String {
    serde_json::json!(product.data()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_makes_way_for_one_that_was_asked_for_later_unless_that_failed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let job = FeedImport {
            locale: Locale::parse("sv-SE").unwrap(),
            import_id: "old".into(),
            started_at: at(10),
            source: FeedSource::Upload,
            allow_shrink: false,
            scheduled: false,
        };
        let is_superseded_by = |id: &str, second, status| {
            let last_import = Some(Import { status, ..Import::running(id.into(), at(second)) });
            let locale = job.locale.clone();
            let (url, currency, user, schedule, configured_on, last_succeeded_on) = Default::default();
            let feed = Feed {
                locale,
                url,
                currency,
                user,
                schedule,
                configured_on,
                last_import,
                last_succeeded_on,
                failures: 0,
            };
            is_superseded(&job, Some(&feed))
        };

        assert!(is_superseded_by("new", 11, ImportStatus::Running));
        assert!(is_superseded_by("new", 11, ImportStatus::Succeeded));
        assert!(!is_superseded_by("new", 11, ImportStatus::Failed), "it may never have come onto the queue");
        assert!(!is_superseded_by("new", 9, ImportStatus::Succeeded));
        assert!(!is_superseded_by("old", 10, ImportStatus::Running));
        assert!(!is_superseded(&job, None));
    }
}

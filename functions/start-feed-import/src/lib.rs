//! Serves `POST /feeds/{locale}/imports`.

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::feeds::{FeedFile, ImportFeed, StartedImport};
use restock_api::{ErrorCode, Problem};
use restock_domain::{Import, ImportError, ImportStatus, Locale, time};
use restock_feed::MediaType;
use restock_http::{Call, Failure, Handles, Reply, boolean};
use restock_queue::{FeedImport, FeedSource, Queues};
use restock_store::Store;
use tracing::error;
use uuid::Uuid;

pub struct App {
    pub store: Store,
    pub queues: Queues,
    pub clock: fn() -> Timestamp,
}

/// Queues an import: of the body if there is one, else of the feed's URL. `?allowShrink=true` imports a file even if
/// most of the stored products are missing from it.
impl Handles<ImportFeed> for App {
    async fn handle(&self, call: Call, FeedFile(file): FeedFile) -> Result<Reply<ImportFeed>, Failure> {
        let locale = call.path_parameter::<Locale>()?;
        let allow_shrink = call.parsed_query("allowShrink", boolean)?.unwrap_or(false);
        let import_id = Uuid::new_v4().to_string();
        let now = (self.clock)();

        let source = match file {
            None => FeedSource::Url(self.configured_url(&locale).await?),
            Some((content_type, _)) if MediaType::parse(&content_type).is_none() => {
                let detail = "Say what the file is with Content-Type: application/xml, text/csv, text/tab-separated-values or application/x-ndjson.";
                return Err(Problem::unsupported_media_type(detail).into());
            }
            Some((content_type, bytes)) => {
                self.store.put_upload(&import_id, &content_type, &bytes, now).await?;
                FeedSource::Upload
            }
        };
        let mut import = Import::running(import_id.clone(), now);
        self.store.put_import(&locale, &import).await?;
        let queued = FeedImport {
            locale: locale.clone(),
            import_id: import_id.clone(),
            started_at: import.started_at,
            source,
            allow_shrink,
            scheduled: false,
        };
        if let Err(error) = self.queues.send_feed_import(&queued).await {
            let message = "The import could not be queued. Start it again.".to_owned();
            import.status = ImportStatus::Failed;
            import.finished_at = Some(time::to_millisecond((self.clock)()));
            import.errors.push(ImportError::new(0, None, ErrorCode::InternalError, message));
            if let Err(error) = self.store.put_import(&locale, &import).await {
                error!(%locale, import = import_id, error = %DisplayErrorChain::new(&error), "A failed import was not recorded");
            }
            return Err(error.into());
        }
        Ok(Reply::new(StartedImport { import_id }))
    }
}

impl App {
    async fn configured_url(&self, locale: &Locale) -> Result<String, Failure> {
        let feed = self.store.feed(locale).await?.ok_or_else(|| {
            let detail = "No product feed is configured for this locale. Configure its URL, or upload the file.";
            Problem::not_found(ErrorCode::FeedNotFound, detail)
        })?;
        let no_url = || {
            let detail = "This feed has no URL to fetch. Configure one, or send the file as the body.";
            Problem::conflict(ErrorCode::FeedHasNoUrl, detail)
        };
        Ok(feed.url.ok_or_else(no_url)?)
    }
}

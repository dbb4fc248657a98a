//! `POST /feeds/{locale}/imports`

use jiff::Timestamp;
use restock_domain::Locale;
use restock_feed::MediaType;
use restock_http::{Call, Problem, Reply};
use restock_queue::{FeedImport, FeedSource, Queues};
use restock_store::{Import, ImportStatus, Store};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Limit of an upload (`contract.md`); a larger file comes by URL.
const MOST_BYTES: usize = 5 * 1024 * 1024;

/// `lastImport` of the feed shows how it goes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedImport {
    pub import_id: String,
}

/// Queues an import: of the body if there is one, else of the feed's URL. `?allowShrink=true` imports a file also if most
/// of the stored products are missing from it.
pub async fn handle(store: &Store, queues: &Queues, call: Call) -> Result<Reply, Problem> {
    let locale = call.parsed_parameter("locale", Locale::parse)?;
    let import_id = Uuid::new_v4().to_string();
    let now = Timestamp::now();

    let source = if call.bytes().is_empty() {
        FeedSource::Url(configured_url(store, &locale).await?)
    } else {
        let media_type = feed_media_type(&call)?;
        store.put_upload(&import_id, media_type, call.bytes(), now).await?;
        FeedSource::Upload
    };
    let mut import = Import::running(import_id.clone(), now);
    store.put_import(&locale, &import).await?;
    let queued = queues
        .send_feed_import(&FeedImport {
            locale: locale.clone(),
            import_id: import_id.clone(),
            started_at: import.started_at,
            source,
            allow_shrink: call.query("allowShrink").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
        .await;
    if let Err(error) = queued {
        import.status = ImportStatus::Failed;
        store.put_import(&locale, &import).await?;
        return Err(error.into());
    }
    Reply::accepted(&StartedImport { import_id })
}

async fn configured_url(store: &Store, locale: &Locale) -> Result<String, Problem> {
    let feed = store.feed(locale).await?.ok_or_else(|| {
        Problem::not_found(
            "FeedNotFound",
            "No product feed is configured for this locale. Configure its URL, or upload the file.",
        )
    })?;
    feed.url.ok_or_else(|| {
        Problem::conflict("FeedHasNoUrl", "This feed has no URL to fetch. Configure one, or send the file as the body.")
    })
}

fn feed_media_type(call: &Call) -> Result<&str, Problem> {
    if call.bytes().len() > MOST_BYTES {
        return Err(Problem::too_large("An upload has at most 5 MB. Put a larger file at a URL and configure that."));
    }
    call.content_type().filter(|content_type| MediaType::parse(content_type).is_some()).ok_or_else(|| {
        Problem::unsupported_media_type(
            "Say what the file is with Content-Type: application/xml, text/csv or text/tab-separated-values.",
        )
    })
}

use crate::Stop;
use crate::addresses::{Addresses, Checked};
use crate::asked::Question;
use crate::received::{Counted, Received};
use flate2::bufread::MultiGzDecoder;
use restock_domain::{Currency, ErrorCode};
use restock_feed::{End, Item, ItemFault, MediaType, Unreadable};
use restock_queue::{FeedImport, FeedSource};
use restock_store::{Fetch, Store};
use std::cell::Cell;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, spawn_blocking};
use tracing::warn;
use ureq::http::StatusCode;
use ureq::unversioned::transport::DefaultConnector;

/// The size of a download; `/tmp` of the function has 4 GB (`EphemeralStorage` in `template.yaml`).
const MAX_BYTES: u64 = 3 * 1024 * 1024 * 1024;

/// How a file that is packed by gzip begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// A longer ETag is not kept.
const MAX_VALIDATOR_BYTES: usize = 1_000;

/// A feed that can be read more than once.
pub struct File {
    media_type: MediaType,
    /// Of prices that say none.
    currency: Option<Currency>,
    content: Content,
}

/// What an import is to read.
pub enum Obtained {
    /// The file, and which version it is if it came from a server.
    File(File, Option<Version>),
    /// It is the one that was imported last.
    Unchanged(Fetch),
}

/// A file as its server names it, if it does, and the currency that its prices were read in.
pub struct Version {
    pub url: String,
    pub currency: Option<Currency>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// A file that came from a server, and which version it is.
pub type Fetched = (File, Version);

enum Content {
    Memory(Vec<u8>),
    Disk(tempfile::NamedTempFile),
}

impl File {
    /// Obtains the file of an import, unless it is known and has not changed.
    pub async fn obtain(
        store: &Store,
        job: &FeedImport,
        known: Option<&Fetch>,
        addresses: Addresses,
    ) -> Result<Obtained, Stop> {
        let currency = store.feed(&job.locale).await?.and_then(|feed| feed.currency);
        match &job.source {
            FeedSource::Upload => {
                let (content_type, bytes) = store.upload(&job.import_id).await?;
                let media_type = MediaType::of_download(Some(&content_type), "", &bytes);
                Ok(Obtained::File(Self { media_type, currency, content: Content::Memory(bytes) }, None))
            }
            FeedSource::Url(url) => {
                let credentials = store.feed_credentials(&job.locale, url).await?;
                let known = known.filter(|fetch| fetch.url == *url && fetch.currency == currency).cloned();
                let fetched = Self::fetch(url, credentials, currency, known.as_ref(), addresses, MAX_BYTES).await?;
                let unchanged = || known.map(Obtained::Unchanged).ok_or_else(|| failed("its server sent no file"));
                fetched.map_or_else(unchanged, |(file, version)| Ok(Obtained::File(file, Some(version))))
            }
        }
    }

    /// Fetches a file, and returns it with its version; `None` if its server says that it is the known one.
    pub async fn fetch(
        url: &str,
        credentials: Option<(String, String)>,
        currency: Option<Currency>,
        known: Option<&Fetch>,
        addresses: Addresses,
        max_bytes: u64,
    ) -> Result<Option<Fetched>, Stop> {
        let (etag, last_modified) =
            known.map(|fetch| (fetch.etag.clone(), fetch.last_modified.clone())).unwrap_or_default();
        let question = Question { credentials, etag, last_modified };
        let (url, received) = (url.to_owned(), Arc::new(Received::default()));
        let counted = received.clone();
        let download = spawn_blocking(move || download(&url, &question, currency, &counted, addresses, max_bytes));
        tokio::select! {
            downloaded = download => {
                let downloaded = downloaded.map_err(|error| failed(&error.to_string()))?;
                downloaded.map_err(|error| unfetched(&*error))
            }
            reason = received.stalls() => Err(failed(&reason)),
        }
    }

    /// Returns the content, unpacked, or `None` if there is more than that of it; and whether it breaks off.
    pub fn bytes(&self, max: u64) -> io::Result<(Option<Vec<u8>>, bool)> {
        let (breaks_off, mut bytes) = (Cell::new(false), Vec::new());
        self.content.open(&breaks_off)?.take(max + 1).read_to_end(&mut bytes)?;
        let fits = bytes.len() as u64 <= max;
        Ok((fits.then_some(bytes), breaks_off.get()))
    }

    pub fn read(&self, each: &mut dyn FnMut(u64, Result<Item, ItemFault>)) -> Result<End, Unreadable> {
        let breaks_off = Cell::new(false);
        let end = restock_feed::read(self.content.open(&breaks_off)?, &self.media_type, self.currency, each)?;
        Ok(if breaks_off.get() { End::CutOff } else { end })
    }
}

impl Content {
    /// Returns the content from its beginning, unpacked if it is packed by gzip, and no more of it than a feed may
    /// have. A packed file says there if it breaks off.
    fn open<'a>(&'a self, breaks_off: &'a Cell<bool>) -> io::Result<Box<dyn Read + 'a>> {
        let mut packed: Box<dyn BufRead> = match self {
            Self::Memory(bytes) => Box::new(bytes.as_slice()),
            Self::Disk(file) => Box::new(BufReader::new(file.reopen()?)),
        };
        // By its first bytes: neither names nor content types can be relied on.
        let content: Box<dyn Read> = if packed.fill_buf()?.starts_with(&GZIP) {
            Box::new(Unpacked { content: MultiGzDecoder::new(packed), has_begun: false, breaks_off })
        } else {
            Box::new(packed)
        };
        Ok(Box::new(Limited { content, left: MAX_BYTES }))
    }
}

/// Unpacks gzip as `gzip -d` does: what it can of a file that breaks off, and without what is behind the last member.
struct Unpacked<'a, R> {
    content: MultiGzDecoder<R>,
    has_begun: bool,
    breaks_off: &'a Cell<bool>,
}

impl<R: BufRead> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.content.read(buffer) {
            Ok(bytes) => {
                self.has_begun |= bytes > 0;
                Ok(bytes)
            }
            Err(error) if self.has_begun && error.kind() == io::ErrorKind::UnexpectedEof => {
                self.breaks_off.set(true);
                Ok(0)
            }
            // Tapes and disks fill their last block with zeros.
            Err(error) if self.has_begun && error.to_string() == "invalid gzip header" => Ok(0),
            Err(error) => Err(error),
        }
    }
}

/// Fails where there is more than a feed may have, so that what is cut off is not taken for the whole.
struct Limited<R> {
    content: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.content.read(buffer)?;
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or_else(|| io::Error::other(format!("it has more than {MAX_BYTES} bytes")))?;
        Ok(bytes)
    }
}

/// Returns what a reading that ran on another thread ended with.
pub fn joined<T>(ended: Result<Result<T, Unreadable>, JoinError>) -> Result<T, Stop> {
    match ended {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Stop::Refused { error_code: error.error_code(), message: error.to_string() }),
        Err(error) => Err(failed(&error.to_string())),
    }
}

fn download(
    url: &str,
    question: &Question,
    currency: Option<Currency>,
    received: &Received,
    addresses: Addresses,
    max_bytes: u64,
) -> Result<Option<Fetched>, Box<dyn Error + Send + Sync>> {
    let config = ureq::Agent::config_builder()
        // It would resolve names itself.
        .proxy(None)
        // Where a server leads to is looked at here.
        .max_redirects(0)
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_global(Some(Duration::from_secs(600)))
        .user_agent(concat!("Restock/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), Checked::new(addresses));
    let mut response = question.ask(&agent, url)?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(ToOwned::to_owned);
    let content_type = header("content-type");
    let short = |value: &String| value.len() <= MAX_VALIDATOR_BYTES;
    let (etag, last_modified) = (header("etag").filter(short), header("last-modified").filter(short));
    let version = Version { url: url.to_owned(), currency, etag, last_modified };
    let mut body = Counted(response.body_mut().with_config().limit(max_bytes).reader(), received);
    let mut file = tempfile::NamedTempFile::new()?;
    io::copy(&mut body, &mut file)?;
    file.flush()?;
    let content = Content::Disk(file);
    let mut beginning = Vec::new();
    // What can't be unpacked is told when it is read.
    let _ = content.open(&Cell::new(false))?.take(1024).read_to_end(&mut beginning);
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.strip_suffix(".gz").unwrap_or(path);
    let media_type = MediaType::of_download(content_type.as_deref(), path, &beginning);
    Ok(Some((File { media_type, currency, content }, version)))
}

/// Returns why a file was not fetched, to whoever manages it. What its server answered is told; all that may happen on
/// the way to it has one text, so that nobody learns by feeds what there is in a network.
fn unfetched(error: &(dyn Error + Send + Sync + 'static)) -> Stop {
    // Of a body that is read, ureq's error is inside.
    let inside = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref()?.downcast_ref());
    match error.downcast_ref().or(inside) {
        Some(ureq::Error::StatusCode(status)) => failed(&format!("its server answered with the status {status}")),
        Some(ureq::Error::BodyExceedsLimit(bytes)) => failed(&format!("it has more than {bytes} bytes")),
        Some(ureq::Error::TooManyRedirects) => failed("its server leads from one address to the next too often"),
        _ if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull) => {
            failed("there is no room for it")
        }
        _ => {
            warn!(error = %error, "The server of a file was not reached");
            failed("its server was not reached at a public address, or the connection broke")
        }
    }
}

fn failed(reason: &str) -> Stop {
    Stop::Refused {
        error_code: ErrorCode::FetchFailed,
        message: format!(
            "The file could not be fetched ({reason}), so nothing was changed. Check its URL and import again."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_answered_is_told_and_what_happened_on_the_way_is_not() {
        let message = |error: Box<dyn Error + Send + Sync>| match unfetched(&*error) {
            Stop::Refused { message, .. } => message,
            Stop::Store(_) => String::new(),
        };
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let too_large = io::Error::other(ureq::Error::BodyExceedsLimit(5));

        assert!(message(ureq::Error::StatusCode(404).into()).contains("status 404"));
        assert!(message(too_large.into()).contains("more than 5 bytes"));
        assert!(message(io::Error::from(io::ErrorKind::StorageFull).into()).contains("no room"));
        assert_eq!(message(refused.into()), message(ureq::Error::HostNotFound.into()));
    }
}

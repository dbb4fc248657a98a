//! A file of stock levels that is fetched from a URL, and goes onto the queue part by part.
//!
//! After each part the import is written down, so one that was interrupted goes on where it stopped. Levels that were
//! sent and not written down are sent again, as levels may be.

use crate::file::File;
use crate::{App, Stop};
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::stock_file::{StockLines, none_valid};
use restock_api::{LineError, Problem};
use restock_domain::{ErrorCode, ImportStatus, StockImport, StockLevel, time};
use restock_queue::{Failure, StockFileImport};
use tracing::{error, info, warn};

const MAX_LINES: usize = 1_000_000;
/// The file is held in memory, unpacked.
const MAX_MEGABYTES: u64 = 128;
const MAX_BYTES: u64 = MAX_MEGABYTES * 1024 * 1024;
/// Lines that are sent together.
const PART: usize = 10_000;

/// Why an import ended before the whole file was sent.
enum Ended {
    Refused(ErrorCode, String),
    /// Something failed on our side; the import is tried again.
    Failed(Failure),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused { error_code, message } => Self::Refused(error_code, message),
            Stop::Store(error) => Self::Failed(Failure::from(error)),
        }
    }
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.document.error_code, problem.document.detail.clone())
    }
}

impl App {
    /// Imports a file, and records how it ended.
    pub(crate) async fn import_stock(&self, job: &StockFileImport, receives: u32) -> Result<(), Failure> {
        let StockFileImport { import_id, started_at, .. } = job;
        let known = self.store.stock_import(import_id).await?;
        let mut import = known.unwrap_or_else(|| StockImport::running(import_id.clone(), *started_at));
        match import.status {
            ImportStatus::Running => {}
            ImportStatus::Succeeded => return Ok(()),
            ImportStatus::Failed => import = import.resumed(),
        }
        let is_last_try = receives >= self.settings.max_receives;
        if is_last_try {
            self.show_stock(&import, is_last_try).await?;
        }
        let sending = self.send_stock(job, &mut import, receives, is_last_try);
        let sent = tokio::time::timeout(self.settings.time, sending).await;
        let now = (self.clock)();
        let (import, failure) = match sent.unwrap_or_else(|_| Err(self.out_of_time().into())) {
            Ok(()) => {
                let finished_at = Some(time::to_millisecond(now));
                (StockImport { status: ImportStatus::Succeeded, finished_at, ..import }, None)
            }
            Err(Ended::Refused(error_code, mut message)) => {
                if import.accepted > 0 {
                    message += &format!(" {} levels had been sent before.", import.accepted);
                }
                (import.failed(error_code, message, now), None)
            }
            Err(Ended::Failed(failure)) if !is_last_try => return Err(failure),
            Err(Ended::Failed(failure)) => {
                error!(import = import_id, ?failure, "A file of stock levels was not imported");
                let message = "Something failed on our side. Start the import again.".to_owned();
                (import.failed(ErrorCode::InternalError, message, now), Some(failure))
            }
        };
        self.store.put_stock_import(&import).await?;
        let StockImport { lines, accepted, rejected, status, .. } = &import;
        info!(import = import_id, ?status, lines, accepted, rejected, "An import of stock levels ended");
        failure.map_or(Ok(()), Err)
    }

    /// Writes down how far an import is. On its last try it is shown as failed: whatever ended the tries before may end
    /// this one too, and then nobody else tells.
    async fn show_stock(&self, import: &StockImport, is_last_try: bool) -> Result<(), restock_store::Error> {
        if !is_last_try {
            return self.store.put_stock_import(import).await;
        }
        let message = "The import broke off each time so far and is tried once more. Make the file smaller, or see the logs of import-feed.";
        let failed = import.clone().failed(ErrorCode::InternalError, message.into(), (self.clock)());
        self.store.put_stock_import(&failed).await
    }

    /// Sends what was not sent yet, and writes down after each part how far it is.
    async fn send_stock(
        &self,
        job: &StockFileImport,
        import: &mut StockImport,
        receives: u32,
        is_last_try: bool,
    ) -> Result<(), Ended> {
        // What comes while the file is fetched is newer.
        let at = (self.clock)();
        let bytes = self.fetch_stock(&job.url).await?;
        // A table's first line has the names.
        if StockLines::count(&bytes) > MAX_LINES + 1 {
            return Err(Problem::too_large(format!("A file has at most {MAX_LINES} lines. Use several.")).into());
        }
        let mut lines = StockLines::of_any(&bytes)?;
        let mut read = 0;
        loop {
            let part: Vec<_> = lines.by_ref().take(PART).collect();
            if part.is_empty() {
                break;
            }
            read += part.len() as u64;
            // It was sent before an interruption.
            if read <= import.lines {
                continue;
            }
            let correlation = format!("{}-{receives}-{read}", job.import_id);
            self.send_part(part, import, &correlation, at).await?;
            import.lines = read;
            if let Err(error) = self.show_stock(import, is_last_try).await {
                // The next part shows it.
                warn!(error = %DisplayErrorChain::new(&error), "Could not show how far an import is");
            }
        }
        if import.accepted == 0 {
            let first = import.errors.first().map(|error| (error.position as usize, error.message.as_str()));
            return Err(none_valid(first).into());
        }
        Ok(())
    }

    /// Sends the levels of a part, and notes the other lines.
    async fn send_part(
        &self,
        part: Vec<Result<restock_api::StockLevel, LineError>>,
        import: &mut StockImport,
        correlation: &str,
        at: Timestamp,
    ) -> Result<(), Ended> {
        let (mut levels, mut rejected) = (Vec::<StockLevel>::with_capacity(part.len()), Vec::new());
        for line in part {
            match line {
                Ok(level) => levels.push(level.into()),
                Err(error) => rejected.push(error),
            }
        }
        let sent = self.queues.send_levels(&levels, correlation, at).await;
        sent.map_err(|error| Ended::Failed(Failure::from(error)))?;
        import.accepted += levels.len() as u64;
        for LineError { line, error_code, message } in rejected {
            import.reject(line as u64, error_code, message);
        }
        Ok(())
    }

    async fn fetch_stock(&self, url: &str) -> Result<Vec<u8>, Stop> {
        let refused = |error_code, message: String| Stop::Refused { error_code, message };
        let Some((file, _)) = File::fetch(url, None, None, None, self.settings.addresses, MAX_BYTES).await? else {
            return Err(refused(ErrorCode::FetchFailed, "The server did not send the file.".to_owned()));
        };
        let (bytes, breaks_off) = file.bytes(MAX_BYTES).map_err(|error| {
            refused(ErrorCode::FetchFailed, format!("The file could not be read ({error}), so nothing was changed."))
        })?;
        if breaks_off {
            let message =
                "The file breaks off, so nothing was changed: its last line may not be whole. Send all of it.";
            return Err(refused(ErrorCode::UnexpectedEnd, message.to_owned()));
        }
        bytes.ok_or_else(|| {
            let message = format!("A file has at most {MAX_MEGABYTES} MB, unpacked. Send several smaller ones.");
            refused(ErrorCode::PayloadTooLarge, message)
        })
    }
}

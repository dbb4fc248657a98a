use crate::{ErrorCode, ImportError, ImportStatus, time};
use jiff::Timestamp;

/// The import of a file of stock levels that is fetched from a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockImport {
    pub id: String,
    pub status: ImportStatus,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Lines that were read so far.
    pub lines: u64,
    /// Of these, the levels that are safe on the queue.
    pub accepted: u64,
    pub rejected: u64,
    /// Why it failed, if it did; then the first lines that were rejected. Positions are lines, from 1; 0 is the file as
    /// a whole.
    pub errors: Vec<ImportError>,
}

impl StockImport {
    /// Errors that are kept.
    pub const MAX_ERRORS: usize = 100;

    /// Returns an import that has just been asked for.
    pub fn running(id: String, started_at: Timestamp) -> Self {
        let started_at = time::to_millisecond(started_at);
        let (status, errors) = (ImportStatus::Running, Vec::new());
        Self { id, status, started_at, finished_at: None, lines: 0, accepted: 0, rejected: 0, errors }
    }

    /// Notes that a line was rejected.
    pub fn reject(&mut self, line: u64, error_code: ErrorCode, message: String) {
        self.rejected += 1;
        if self.errors.len() < Self::MAX_ERRORS {
            self.errors.push(ImportError::new(line, None, error_code, message));
        }
    }

    /// Returns one that failed as it goes on where it stopped.
    pub fn resumed(mut self) -> Self {
        self.errors.retain(|error| error.position > 0);
        Self { status: ImportStatus::Running, finished_at: None, ..self }
    }

    /// Returns it as failed, for this reason.
    pub fn failed(mut self, error_code: ErrorCode, message: String, at: Timestamp) -> Self {
        self.errors.insert(0, ImportError::new(0, None, error_code, message));
        self.errors.truncate(Self::MAX_ERRORS);
        Self { status: ImportStatus::Failed, finished_at: Some(time::to_millisecond(at)), ..self }
    }
}

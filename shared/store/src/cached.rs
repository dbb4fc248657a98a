use crate::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A value as it was not longer than a while ago.
pub(crate) struct Cached<T: ?Sized> {
    kept: Duration,
    seen: Mutex<Option<(Instant, Arc<T>)>>,
}

impl<T: ?Sized> Cached<T> {
    pub fn new(kept: Duration) -> Self {
        Self { kept, seen: Mutex::default() }
    }

    /// Returns the value that was read last, or reads it if that is too long ago.
    pub async fn current(&self, read: impl Future<Output = Result<Arc<T>, Error>>) -> Result<Arc<T>, Error> {
        self.not_older_than(self.kept, read).await
    }

    /// Reads the value.
    pub async fn newest(&self, read: impl Future<Output = Result<Arc<T>, Error>>) -> Result<Arc<T>, Error> {
        self.not_older_than(Duration::ZERO, read).await
    }

    async fn not_older_than(
        &self,
        kept: Duration,
        read: impl Future<Output = Result<Arc<T>, Error>>,
    ) -> Result<Arc<T>, Error> {
        let mut seen = self.seen.lock().await;
        if let Some((since, value)) = &*seen
            && since.elapsed() < kept
        {
            return Ok(value.clone());
        }
        let asked = Instant::now();
        let value = read.await?;
        *seen = Some((asked, value.clone()));
        Ok(value)
    }
}

use crate::{Error, Since};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A value as it was not longer than a while ago.
pub(crate) struct Cached<T: ?Sized> {
    kept: Duration,
    seen: Mutex<Option<(Since, Arc<T>)>>,
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
        let asked = Since::now();
        let value = read.await?;
        *seen = Some((asked, value.clone()));
        Ok(value)
    }
}

/// Values by a key, each as it was not longer than a while ago.
pub(crate) struct CachedEach<K, T> {
    kept: Duration,
    seen: Mutex<HashMap<K, (Since, T)>>,
}

impl<K: Clone + Eq + Hash, T: Clone> CachedEach<K, T> {
    /// Keys that are remembered. A shop has a few of whatever is kept so.
    const MAX_SEEN: usize = 100;

    pub fn new(kept: Duration) -> Self {
        Self { kept, seen: Mutex::default() }
    }

    /// Returns the value that was read last, or reads it if that is too long ago. One that is not `settled` is not
    /// kept.
    pub async fn current(
        &self,
        key: &K,
        settled: impl Fn(&T) -> bool,
        read: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut seen = self.seen.lock().await;
        if let Some((since, value)) = seen.get(key)
            && since.elapsed() < self.kept
        {
            return Ok(value.clone());
        }
        let asked = Since::now();
        let value = read.await?;
        if settled(&value) {
            if seen.len() >= Self::MAX_SEEN {
                seen.clear();
            }
            seen.insert(key.clone(), (asked, value.clone()));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_is_read_again_after_a_while_and_each_time_as_long_as_it_is_not_settled() {
        let cached = CachedEach::<&str, u32>::new(Duration::from_secs(60));
        let get = async |key, value| cached.current(&key, |value| *value > 0, async { Ok(value) }).await.unwrap();

        assert_eq!((get("a", 0).await, get("a", 1).await, get("a", 2).await, get("b", 3).await), (0, 1, 1, 3));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(get("a", 4).await, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(get("a", 5).await, 5);
    }
}

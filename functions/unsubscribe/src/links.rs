use restock_domain::Invalid;
use restock_domain::signing::LinkKey;
use restock_domain::unsubscribe::{Unsubscribe, verify};
use restock_store::{Error, Since, Store};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long the links of a key still work that was taken away.
const TRUSTED: Duration = Duration::from_secs(30);
/// How often the keys are read for links that none of them has signed, which mostly nobody has.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Reads links, with the keys that sign them.
pub struct Links {
    store: Store,
    keys: Mutex<(Vec<LinkKey>, Since)>,
}

impl Links {
    /// Reads links with keys that were read a moment ago.
    pub fn signed_by(keys: Vec<LinkKey>, store: Store) -> Self {
        Self { store, keys: Mutex::new((keys, Since::now())) }
    }

    /// Returns what a token ends. A key that was added since is known.
    pub async fn read(&self, token: &str) -> Result<Result<Unsubscribe, Invalid>, Error> {
        let (keys, read_at) = &mut *self.keys.lock().await;
        let known = verify(keys, token);
        let trusted = if known.is_ok() { TRUSTED } else { READ_AGAIN_AFTER };
        if read_at.elapsed() < trusted {
            return Ok(known);
        }
        *keys = self.store.link_keys().await?;
        *read_at = Since::now();
        Ok(verify(keys, token))
    }
}

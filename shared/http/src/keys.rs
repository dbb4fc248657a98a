use crate::{Call, Failure, KeyLimits};
use jiff::Timestamp;
use restock_api::{ErrorCode, KeyScope, Problem};
use restock_store::{ApiKey, Since, Store};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::warn;

/// How long a key that was found is trusted without another look; a revoked key works for so long.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How long a key that was not found is not looked up again; a new key that was tried too early waits for so long.
const UNKNOWN_REMEMBERED: Duration = Duration::from_secs(10);
/// Far more than a shop has. Whoever makes keys up fills no more memory.
const MAX_REMEMBERED: usize = 10_000;

/// Says what a call may do.
pub trait Authorize: Send + Sync {
    /// Returns the scopes of a call's key, if the one that the endpoint asks for is among them.
    fn authorize<'a>(&'a self, call: &'a Call, scope: KeyScope) -> Authorized<'a>;
}

pub type Authorized<'a> = Pin<Box<dyn Future<Output = Result<Vec<KeyScope>, Failure>> + Send + 'a>>;

/// Checks API keys. It remembers by its digest each key that it has looked up, also one that does not exist.
pub struct Keys {
    store: Store,
    limits: KeyLimits,
    looked_up: Mutex<HashMap<String, (Option<Known>, Since)>>,
    clock: fn() -> Timestamp,
}

#[derive(Clone)]
struct Known {
    key: ApiKey,
    scopes: Vec<KeyScope>,
}

impl Authorize for Keys {
    fn authorize<'a>(&'a self, call: &'a Call, scope: KeyScope) -> Authorized<'a> {
        Box::pin(async move {
            let Some(key) = call.api_key() else {
                let detail = "Send your API key in the header apikey.";
                return Err(Problem::unauthorized(ErrorCode::MissingApiKey, detail).into());
            };
            let digest = ApiKey::digest(key);
            let Some(Known { key, scopes }) = self.find(&digest).await? else {
                let detail = "This API key is not known. Check it, or ask for a new one.";
                return Err(Problem::unauthorized(ErrorCode::UnknownApiKey, detail).into());
            };
            let now = (self.clock)();
            if key.has_expired(now) {
                let detail = "This API key has expired. Ask for a new one.";
                return Err(Problem::unauthorized(ErrorCode::ExpiredApiKey, detail).into());
            }
            self.limits.admit(&digest, key.max_calls_per_second, now).await?;
            if scopes.contains(&scope) {
                return Ok(scopes);
            }
            Err(Problem::new(403, ErrorCode::MissingScope, format!("This API key lacks the scope {scope}.")).into())
        })
    }
}

impl Keys {
    pub fn of(store: Store, clock: fn() -> Timestamp) -> Self {
        Self { limits: KeyLimits::of(store.clone()), store, looked_up: Mutex::default(), clock }
    }

    async fn find(&self, digest: &str) -> Result<Option<Known>, Failure> {
        if let Some(remembered) = self.remembered(digest) {
            return Ok(remembered);
        }
        let known = self.store.api_key(digest).await?.map(|key| Known::new(key, digest));
        let mut looked_up = self.lock();
        if looked_up.len() >= MAX_REMEMBERED {
            looked_up.retain(|_, (known, _)| known.is_some());
        }
        looked_up.insert(digest.to_owned(), (known.clone(), Since::now()));
        Ok(known)
    }

    /// Returns the outcome of a look-up, if there was one a short time ago.
    fn remembered(&self, digest: &str) -> Option<Option<Known>> {
        let looked_up = self.lock();
        let (known, since) = looked_up.get(digest)?;
        let kept = if known.is_some() { REMEMBERED } else { UNKNOWN_REMEMBERED };
        (since.elapsed() < kept).then(|| known.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Option<Known>, Since)>> {
        self.looked_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn new(key: ApiKey, digest: &str) -> Self {
        let mut scopes = Vec::new();
        for word in &key.scopes {
            let of_word = KeyScope::of_word(word);
            if of_word.is_empty() {
                // It allows nothing, and whoever wrote it believes that it does.
                warn!(key = digest, scope = word, "A key has a scope that there is not");
            }
            scopes.extend(of_word);
        }
        Self { key, scopes }
    }
}

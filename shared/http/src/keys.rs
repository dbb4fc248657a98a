use crate::{Call, Failure};
use restock_api::{ErrorCode, KeyScope, Problem};
use restock_store::{ApiKey, Store};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::warn;

/// How long a key that was found is trusted without another look; a revoked key works for so long.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Says what a call may do.
pub trait Authorize: Send + Sync {
    /// Returns the scopes of a call's key, if the one that the endpoint asks for is among them.
    fn authorize<'a>(&'a self, call: &'a Call, scope: KeyScope) -> Authorized<'a>;
}

pub type Authorized<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, Failure>> + Send + 'a>>;

/// Checks API keys, and remembers those it found by their digest.
pub struct Keys {
    store: Store,
    found: Mutex<HashMap<String, (ApiKey, Instant)>>,
}

impl Authorize for Keys {
    fn authorize<'a>(&'a self, call: &'a Call, scope: KeyScope) -> Authorized<'a> {
        Box::pin(async move {
            let Some(key) = call.header("apikey").or_else(|| call.header("x-api-key")) else {
                let detail = "Send your API key in the header apikey.";
                return Err(Problem::unauthorized(ErrorCode::MissingApiKey, detail).into());
            };
            let known = self.find(&ApiKey::digest(key)).await?;
            if known.scopes.iter().any(|known| known == scope.as_str()) {
                return Ok(known.scopes);
            }
            Err(Problem::new(403, ErrorCode::MissingScope, format!("This API key lacks the scope {scope}.")).into())
        })
    }
}

impl Keys {
    pub fn of(store: Store) -> Self {
        Self { store, found: Mutex::default() }
    }

    async fn find(&self, digest: &str) -> Result<ApiKey, Failure> {
        if let Some(known) = self.remembered(digest) {
            return Ok(known);
        }
        let Some(known) = self.store.api_key(digest).await? else {
            let detail = "This API key is not known. Check it, or ask for a new one.";
            return Err(Problem::unauthorized(ErrorCode::UnknownApiKey, detail).into());
        };
        // It allows nothing, and whoever wrote it believes that it does.
        for scope in known.scopes.iter().filter(|word| !KeyScope::knows(word)) {
            warn!(key = digest, scope, "A key has a scope that there is not");
        }
        let mut remembered = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.insert(digest.to_owned(), (known.clone(), Instant::now()));
        Ok(known)
    }

    fn remembered(&self, digest: &str) -> Option<ApiKey> {
        let remembered = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, since) = remembered.get(digest)?;
        (since.elapsed() < REMEMBERED).then(|| key.clone())
    }
}

use crate::{Call, Failure};
use restock_api::{ErrorCode, KeyScope, Problem};
use restock_store::{ApiKey, Store};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a key that was found is trusted without another look; a revoked key works for so long.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Checks API keys, and remembers those it found by their digest.
#[derive(Default)]
pub struct Keys {
    found: Mutex<HashMap<String, (ApiKey, Instant)>>,
}

impl Keys {
    /// Returns the scopes of a call's key, if the one that the endpoint asks for is among them.
    pub async fn authorize(&self, store: &Store, call: &Call, scope: KeyScope) -> Result<Vec<String>, Failure> {
        let Some(key) = call.header("apikey").or_else(|| call.header("x-api-key")) else {
            return Err(
                Problem::unauthorized(ErrorCode::MissingApiKey, "Send your API key in the header apikey.").into()
            );
        };
        let digest = ApiKey::digest(key);
        let known = match self.remembered(&digest) {
            Some(known) => known,
            None => {
                let found = store.api_key(&digest).await?;
                let known = found.ok_or_else(|| {
                    Problem::unauthorized(
                        ErrorCode::UnknownApiKey,
                        "This API key is not known. Check it, or ask for a new one.",
                    )
                })?;
                let mut remembered = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                remembered.insert(digest, (known.clone(), Instant::now()));
                known
            }
        };
        // A word that is no scope of ours allows nothing.
        if known.scopes.iter().any(|known| known == scope.as_str()) {
            return Ok(known.scopes);
        }
        Err(Problem::new(403, ErrorCode::MissingScope, format!("This API key lacks the scope {scope}.")).into())
    }

    fn remembered(&self, digest: &str) -> Option<ApiKey> {
        let remembered = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, since) = remembered.get(digest)?;
        (since.elapsed() < REMEMBERED).then(|| key.clone())
    }
}

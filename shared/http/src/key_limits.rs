use crate::Failure;
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::Problem;
use restock_store::{Calls, Store, Taken};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// Calls that an instance takes at first: many instances may begin at the same time, and most of them make few calls.
const FIRST_TAKEN: u32 = 4;
/// Calls that it takes at a time once it has made some: one request for so many.
const MIN_TAKEN: u32 = 16;
/// The part of a second's calls that is taken at a time, if that is more.
const TAKEN_OF_A_SECOND: u32 = 20;
/// What a key that was not used for a while may make up for, at the least.
const MIN_BURST: Duration = Duration::from_secs(2);
/// Calls are taken as often as this in a burst, at the least.
const TAKES_IN_A_BURST: u32 = 6;
/// How long is waited for what the key has left. A call waits for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Holds each key to its calls a second, all functions and instances together: each instance takes some calls at a time
/// from what the key has, and lets them through whenever they come.
pub struct KeyLimits {
    store: Store,
    by_key: Mutex<HashMap<String, Share>>,
}

/// What one instance has of a key's calls.
#[derive(Clone, Copy)]
struct Share {
    left: u32,
    /// How many it takes next.
    takes: u32,
    refuses_until: Timestamp,
    after_a_rest: bool,
}

impl KeyLimits {
    pub fn of(store: Store) -> Self {
        Self { store, by_key: Mutex::default() }
    }

    /// Lets a call through, or refuses it with the time after which it may be sent again. If nobody can say what the
    /// key has left, calls are let through.
    pub async fn admit(&self, digest: &str, calls_per_second: u32, now: Timestamp) -> Result<(), Failure> {
        let new = Share { left: 0, takes: FIRST_TAKEN, refuses_until: now, after_a_rest: true };
        let mut share = self.lock().get(digest).copied().unwrap_or(new);
        if share.left == 0 && share.refuses_until <= now {
            share = self.take(digest, calls_per_second, share, now).await;
        }
        let admitted = share.left > 0;
        self.lock().insert(digest.to_owned(), Share { left: share.left.saturating_sub(1), ..share });
        if admitted { Ok(()) } else { Err(refused(calls_per_second, share.refuses_until, now)) }
    }

    async fn take(&self, digest: &str, calls_per_second: u32, share: Share, now: Timestamp) -> Share {
        let calls_per_second = calls_per_second.max(1);
        let most = MIN_TAKEN.max(calls_per_second / TAKEN_OF_A_SECOND);
        let time_of = |calls: u32| Duration::from_secs(calls.into()) / calls_per_second;
        let left = share.takes.min(most);
        let burst = MIN_BURST.max(time_of(most) * TAKES_IN_A_BURST);
        let calls = Calls { take: time_of(left), burst };
        let taken = Share { left, takes: (2 * left).min(most), refuses_until: now, ..share };
        let take = self.store.take_calls(digest, calls, share.after_a_rest, now);
        let error = match tokio::time::timeout(PATIENCE, take).await {
            Ok(Ok(Taken::Yes { after_a_rest })) => return Share { after_a_rest, ..taken },
            Ok(Ok(Taken::NotBefore(at))) => {
                info!(key = digest, calls_per_second, "A key makes more calls than it may");
                // So that not each call is a request. What the key gets meanwhile is not lost, as a burst is longer.
                return Share { refuses_until: at.max(now + burst / 2), after_a_rest: false, ..share };
            }
            Ok(Err(error)) => DisplayErrorChain::new(&error).to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        warn!(key = digest, error, "Calls are let through uncounted");
        taken
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Share>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(calls_per_second: u32, until: Timestamp, now: Timestamp) -> Failure {
    let seconds = until.duration_since(now).as_secs_f64().ceil() as u32;
    Problem::key_is_at_its_limit(calls_per_second, seconds.max(1)).into()
}

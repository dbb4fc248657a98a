//! Serves `GET`, `PUT` and `DELETE /waves`.

use jiff::Timestamp;
use restock_api::waves::{DeleteWaves, GetWaves, PutWaves, WaveSettings, Waves};
use restock_api::{IdReply, Problem};
use restock_http::{Call, Failure, Handles, Reply, expected_version};
use restock_store::{DocumentChange, ShopPolicy, Store};
use std::time::Duration;

pub struct App {
    pub store: Store,
    /// The shortest interval that a policy may have.
    pub shortest: Duration,
    pub clock: fn() -> Timestamp,
}

impl Handles<GetWaves> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<GetWaves>, Failure> {
        let stored = self.store.wave_policy().await?.ok_or_else(Problem::no_waves)?;
        let version = stored.version;
        Ok(Reply::new(shown(stored)).with_version(version))
    }
}

/// Stores the policy as a whole. `If-Match` with the `ETag` that was read refuses to overwrite somebody else's change.
impl Handles<PutWaves> for App {
    async fn handle(&self, call: Call, body: WaveSettings) -> Result<Reply<PutWaves>, Failure> {
        let policy = body.into_policy(self.shortest)?;
        match self.store.put_wave_policy(policy, expected_version(&call), (self.clock)()).await? {
            DocumentChange::Done(stored) => {
                let version = stored.version;
                Ok(Reply::new(shown(*stored)).with_version(version))
            }
            DocumentChange::Stale | DocumentChange::Missing | DocumentChange::TooMany => Err(Problem::stale().into()),
        }
    }
}

/// Deletes the policy. Those who wait for a wave are mailed for the next level.
impl Handles<DeleteWaves> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<DeleteWaves>, Failure> {
        match self.store.delete_wave_policy(expected_version(&call)).await? {
            DocumentChange::Done(_) => Ok(Reply::new(IdReply::of("waves"))),
            DocumentChange::Stale => Err(Problem::stale().into()),
            DocumentChange::Missing | DocumentChange::TooMany => Err(Problem::no_waves().into()),
        }
    }
}

fn shown(stored: ShopPolicy) -> Waves {
    Waves::of_shop(stored.policy, stored.version, stored.updated_on)
}

//! Serves `PUT` and `DELETE /sending/pause`.

use jiff::Timestamp;
use restock_api::sending::{PauseReason, PauseSending, ResumeSending, Sending};
use restock_domain::Pause;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;
use tracing::{info, warn};

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Pauses sending. Senders look at the pause just before each mail.
impl Handles<PauseSending> for App {
    async fn handle(&self, _: Call, PauseReason(reason): PauseReason) -> Result<Reply<PauseSending>, Failure> {
        let pause = self.store.pause(&Pause { since: (self.clock)(), reason, by_itself: false }).await?;
        warn!(since = %pause.since, "Sending is paused");
        Ok(Reply::new(Sending::of(self.store.send_quota().await?, Some(pause))))
    }
}

/// Ends the pause; that there is none is fine.
impl Handles<ResumeSending> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ResumeSending>, Failure> {
        if self.store.pause_in_force().await?.is_some_and(|pause| pause.by_itself) {
            // First, or the next bounce would pause for what is known already.
            self.store.forget_outcomes().await?;
        }
        let ended = self.store.resume().await?;
        info!(paused_on = ended.map(|pause| pause.since.to_string()), "Sending goes on");
        Ok(Reply::new(Sending::of(self.store.send_quota().await?, None)))
    }
}

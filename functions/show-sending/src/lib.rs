//! Serves `GET /sending`.

use restock_api::sending::{Sending, ShowSending};
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Shows what SES lets the account send, as the senders last read it, and the pause.
impl Handles<ShowSending> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ShowSending>, Failure> {
        Ok(Reply::new(Sending::of(self.store.send_quota().await?, self.store.pause_in_force().await?)))
    }
}

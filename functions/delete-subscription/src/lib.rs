//! Serves `DELETE /inventory/backinstock/subscriptions/{subscriptionId}`.

use restock_api::subscriptions::Unsubscribe;
use restock_api::{ErrorCode, IdReply, Problem};
use restock_domain::SubscriptionId;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Ends a subscription. The body, if there is one, is ignored.
impl Handles<Unsubscribe> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<Unsubscribe>, Failure> {
        let not_found = || {
            let detail = "There is no subscription with this id. It may have been used up or deleted.";
            Problem::not_found(ErrorCode::SubscriptionNotFound, detail)
        };
        let id = SubscriptionId::parse(call.parameter("subscriptionId")).map_err(|_| not_found())?;
        if !self.store.delete_subscription(id).await? {
            return Err(not_found().into());
        }
        Ok(Reply::new(IdReply::of(id)))
    }
}

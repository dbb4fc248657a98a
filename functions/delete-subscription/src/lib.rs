//! `DELETE /inventory/backinstock/subscriptions/{subscriptionId}`

use restock_domain::SubscriptionId;
use restock_http::{Call, Problem, Reply};
use restock_store::Store;

/// Ends a subscription. The body, if there is one, is ignored.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let not_found = || {
        Problem::not_found(
            "SubscriptionNotFound",
            "There is no subscription with this id. It may have been used up or deleted.",
        )
    };
    let id = SubscriptionId::parse(call.parameter("subscriptionId")).map_err(|_| not_found())?;
    if !store.delete_subscription(id).await? {
        return Err(not_found());
    }
    Reply::id(id)
}

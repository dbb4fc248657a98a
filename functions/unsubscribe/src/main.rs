use jiff::Timestamp;
use lambda_http::Error;
use restock_api::subscriptions;
use restock_email::Pages;
use restock_http::Service;
use restock_runtime::Runtime;
use unsubscribe::{App, Links};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let links = Links::signed_by(store.link_keys().await?, store.clone());
    let address_key = store.address_key().await?;
    let pages = Pages::new()?.into();
    let app = App { address_key, links, store, pages, queues: runtime.queues(), clock: Timestamp::now };
    Service::public(app)
        .serving::<subscriptions::AskToUnsubscribe>()
        .serving::<subscriptions::CheckUnsubscribe>()
        .serving::<subscriptions::ConfirmUnsubscribe>()
        .run()
        .await
}

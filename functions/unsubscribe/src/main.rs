use lambda_http::Error;
use restock_api::subscriptions;
use restock_email::Pages;
use restock_http::Service;
use restock_runtime::Runtime;
use unsubscribe::App;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let app = App { signing_key: store.signing_key().await?, store, pages: Pages::new()?.into() };
    Service::public(app)
        .serving::<subscriptions::AskToUnsubscribe>()
        .serving::<subscriptions::ConfirmUnsubscribe>()
        .run()
        .await
}

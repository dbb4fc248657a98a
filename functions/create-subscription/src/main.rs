use create_subscription::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    let public_url = restock_runtime::required("PUBLIC_URL")?.trim_end_matches('/').to_owned();
    let app = App { signing_key: store.signing_key().await?, store, public_url, clock: Timestamp::now };
    restock_http::serve(&app.store, KeyScope::WriteSubscriptions, |call| app.handle(call)).await
}

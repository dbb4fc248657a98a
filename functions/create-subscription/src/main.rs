use create_subscription::App;
use jiff::Timestamp;
use lambda_http::Error;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    let public_url = runtime::required("PUBLIC_URL")?.trim_end_matches('/').to_owned();
    let app = App { signing_key: store.signing_key().await?, store, public_url, clock: Timestamp::now };
    http_api::serve(&app.store, KeyScope::WriteSubscriptions, |call| app.handle(call)).await
}

use create_subscription::App;
use jiff::Timestamp;
use lambda_http::Error;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let app = App { store: Runtime::start().await.store()?, clock: Timestamp::now };
    http_api::serve(&app.store, KeyScope::WriteSubscriptions, |call| app.handle(call)).await
}

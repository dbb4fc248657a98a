use lambda_http::Error;
use put_automation::App;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    let app = App { store, sender_identity: runtime::required("SENDER_IDENTITY")? };
    http_api::serve(&app.store, KeyScope::WriteAutomations, |call| app.handle(call)).await
}

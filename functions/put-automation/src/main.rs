use lambda_http::Error;
use put_automation::App;
use restock_runtime::Runtime;
use restock_store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    let app = App { store, sender_identity: restock_runtime::required("SENDER_IDENTITY")? };
    restock_http::serve(&app.store, KeyScope::WriteAutomations, |call| app.handle(call)).await
}

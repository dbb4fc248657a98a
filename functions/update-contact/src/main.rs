use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;
use update_contact::App;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    let app = App { signing_key: store.signing_key().await?, store };
    restock_http::serve(&app.store, KeyScope::WriteContacts, |call| app.handle(call)).await
}

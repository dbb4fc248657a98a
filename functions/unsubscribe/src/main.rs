use lambda_http::Error;
use restock_email::Page;
use restock_runtime::Runtime;
use unsubscribe::App;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    let app = App { signing_key: store.signing_key().await?, store, pages: Page::new()?.into() };
    restock_http::serve_public(|call| app.handle(call)).await
}

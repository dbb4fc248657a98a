use jiff::Timestamp;
use lambda_http::Error;
use put_template::App;
use restock_api::templates;
use restock_email::Renderer;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let app = App { store: store.clone(), renderer: Renderer::new()?, clock: Timestamp::now };
    Service::with_keys(app, store).serving::<templates::PutTemplate>().run().await
}

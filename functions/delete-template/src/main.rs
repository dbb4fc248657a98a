use delete_template::App;
use lambda_http::Error;
use restock_api::templates;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    Service::with_keys(App { store: store.clone() }, store).serving::<templates::DeleteTemplate>().run().await
}

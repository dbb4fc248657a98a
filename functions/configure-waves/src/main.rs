use configure_waves::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::waves;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let app = App { store: store.clone(), shortest: restock_runtime::shortest_interval()?, clock: Timestamp::now };
    let service = Service::with_keys(app, store).serving::<waves::GetWaves>();
    service.serving::<waves::PutWaves>().serving::<waves::DeleteWaves>().run().await
}

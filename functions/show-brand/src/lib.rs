//! Serves `GET /brand`.

use restock_api::brand::GetBrand;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

impl Handles<GetBrand> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<GetBrand>, Failure> {
        let brands = self.store.brands().await?;
        let version = brands.version;
        Ok(Reply::new(brands).with_version(version))
    }
}

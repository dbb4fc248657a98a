//! Serves `GET /contacts/{contactId}`.

use restock_api::contacts::GetContact;
use restock_api::{ErrorCode, Problem};
use restock_domain::ContactId;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

impl Handles<GetContact> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<GetContact>, Failure> {
        let id = call.path_parameter::<ContactId>()?;
        let not_found = || Problem::not_found(ErrorCode::ContactNotFound, "There is no contact with this id.");
        Ok(Reply::new(self.store.contact(id).await?.ok_or_else(not_found)?))
    }
}

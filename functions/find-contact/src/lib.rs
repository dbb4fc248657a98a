//! Serves `GET /contacts/id?email=`.

use restock_api::contacts::FindContact;
use restock_api::{ErrorCode, IdReply, Problem};
use restock_domain::{EmailAddress, Invalid};
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Answers with the id of the contact that has an email address.
impl Handles<FindContact> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<FindContact>, Failure> {
        let email = call.required_query("email", address, "Add ?email= with the address to look for.")?;
        let not_found = || Problem::not_found(ErrorCode::ContactNotFound, "No contact has this email address.");
        let id = self.store.contact_id_of(&email).await?.ok_or_else(not_found)?;
        Ok(Reply::new(IdReply::of(id)))
    }
}

fn address(raw: &str) -> Result<EmailAddress, Invalid> {
    EmailAddress::parse(raw).map_err(|invalid| match raw.trim().contains(' ') {
        true => {
            Invalid::new(ErrorCode::InvalidEmail, "An address has no spaces. In a query, + stands for one: write %2B.")
        }
        false => invalid,
    })
}

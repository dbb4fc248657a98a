//! `GET /contacts/{id}`

use restock_domain::ContactId;
use restock_http::{Call, Problem, Reply};
use restock_store::Store;

pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let id = call.parsed_parameter("contactId", ContactId::parse)?;
    match store.contact(id).await? {
        Some(contact) => Reply::ok(&contact),
        None => Err(Problem::not_found("ContactNotFound", "There is no contact with this id.")),
    }
}

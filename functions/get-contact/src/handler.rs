//! `GET /contacts/{id}`

use domain::ContactId;
use http_api::{Call, Problem, Reply};
use store::Store;

pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let id = call.parsed_parameter("contactId", ContactId::parse)?;
    match store.contact(id).await? {
        Some(contact) => Reply::ok(&contact),
        None => Err(Problem::not_found("ContactNotFound", "There is no contact with this id.")),
    }
}

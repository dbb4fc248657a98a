//! `GET /contacts/id?email=`

use restock_domain::{EmailAddress, Invalid};
use restock_http::{Call, Problem, Reply};
use restock_store::Store;

/// Answers with the id of the contact that has an email address.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let email = call
        .query("email")
        .ok_or_else(|| Invalid::new("Required", "Add ?email= with the address to look for."))
        .and_then(EmailAddress::parse)
        .map_err(|invalid| Problem::invalid_parameter("email", invalid))?;
    match store.contact_id_of(&email).await? {
        Some(id) => Reply::id(id),
        None => Err(Problem::not_found("ContactNotFound", "No contact has this email address.")),
    }
}

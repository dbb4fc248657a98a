//! Serves `DELETE /templates/{templateId}`.

use restock_api::templates::DeleteTemplate;
use restock_api::{ErrorCode, IdReply, Problem};
use restock_domain::TemplateId;
use restock_email::built_in_template;
use restock_http::{Call, Failure, Handles, Reply, expected_version};
use restock_store::{DocumentChange, Store};

pub struct App {
    pub store: Store,
}

/// Deletes a stored template that no automation uses. One that replaced a compiled-in template may go at any time.
impl Handles<DeleteTemplate> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<DeleteTemplate>, Failure> {
        let id = call.path_parameter::<TemplateId>()?;
        if built_in_template(&id).is_none() {
            self.check_use(&id).await?;
        }
        match self.store.delete_template(&id, expected_version(&call)).await? {
            DocumentChange::Done(_) => Ok(Reply::new(IdReply::of(id))),
            DocumentChange::Stale => Err(Problem::stale().into()),
            DocumentChange::Missing | DocumentChange::TooMany => Err(Problem::no_template().into()),
        }
    }
}

impl App {
    async fn check_use(&self, id: &TemplateId) -> Result<(), Failure> {
        let automations = self.store.automations().await?;
        let users: Vec<&str> =
            automations.iter().filter(|one| one.email.template == *id).map(|one| one.id.as_str()).collect();
        if users.is_empty() {
            return Ok(());
        }
        let detail = format!("These automations use it: {}. Give them another template first.", users.join(", "));
        Err(Problem::conflict(ErrorCode::TemplateInUse, detail).into())
    }
}

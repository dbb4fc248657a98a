//! Serves `PUT /templates/{templateId}`.

use jiff::Timestamp;
use restock_api::templates::{self, PutTemplate, TemplateSettings};
use restock_api::{ErrorCode, Problem};
use restock_domain::TemplateId;
use restock_email::{Part, Renderer, Unusable};
use restock_http::{Call, Failure, Handles, Reply, expected_version};
use restock_store::{DocumentChange, MAX_TEMPLATES, Store};

pub struct App {
    pub store: Store,
    pub renderer: Renderer,
    pub clock: fn() -> Timestamp,
}

/// Stores a template as a whole, once it could be rendered with sample products. `If-Match` with the `ETag` that was
/// read refuses to overwrite somebody else's change.
impl Handles<PutTemplate> for App {
    async fn handle(&self, call: Call, body: TemplateSettings) -> Result<Reply<PutTemplate>, Failure> {
        let id = call.path_parameter::<TemplateId>()?;
        let template = body.into_template(id)?;
        let brands = self.store.brands().await?;
        self.renderer.check(&template, &brands).map_err(|Unusable { part, line, reason }| {
            vec![templates::unusable(&template, part == Part::Text, line, &reason)]
        })?;
        match self.store.put_template(template, expected_version(&call), (self.clock)()).await? {
            DocumentChange::Done(template) => {
                let version = template.version;
                Ok(Reply::new(*template).with_version(version))
            }
            DocumentChange::Stale | DocumentChange::Missing => Err(Problem::stale().into()),
            DocumentChange::TooMany => {
                let detail =
                    format!("There are {MAX_TEMPLATES} templates already. Delete one that no automation uses.");
                Err(Problem::conflict(ErrorCode::TooManyTemplates, detail).into())
            }
        }
    }
}

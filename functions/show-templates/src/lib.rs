//! Serves `GET /templates`, `GET /templates/{templateId}` and its versions.

use restock_api::Problem;
use restock_api::templates::{GetTemplate, ListTemplateVersions, ListTemplates, MAX_VERSIONS, TemplateSummary};
use restock_domain::{Template, TemplateId};
use restock_email::{built_in_template, built_in_templates};
use restock_http::{Call, Failure, Handles, Reply, wanted_version};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

impl Handles<ListTemplates> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ListTemplates>, Failure> {
        let mut templates = self.store.templates().await?;
        let is_stored = |built_in: &Template| templates.iter().any(|stored| stored.id == built_in.id);
        let compiled_in: Vec<Template> = built_in_templates().into_iter().filter(|one| !is_stored(one)).collect();
        templates.extend(compiled_in);
        templates.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Reply::new(templates.into_iter().map(TemplateSummary::from).collect::<Vec<_>>()))
    }
}

/// Shows one template; `?version=` shows it as it once was.
impl Handles<GetTemplate> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<GetTemplate>, Failure> {
        let id = call.path_parameter::<TemplateId>()?;
        let found = match wanted_version(&call)? {
            Some(0) => built_in_template(&id),
            Some(version) => self.store.template_version(&id, version).await?,
            None => self.store.template(&id).await?.or_else(|| built_in_template(&id)),
        };
        let template = found.ok_or_else(Problem::no_template)?;
        let version = template.version;
        Ok(Reply::new(template).with_version(version))
    }
}

/// Lists the versions of a template with their times, the newest first.
impl Handles<ListTemplateVersions> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ListTemplateVersions>, Failure> {
        let id = call.path_parameter::<TemplateId>()?;
        let mut versions = self.store.template_history(&id, MAX_VERSIONS).await?;
        if versions.len() < MAX_VERSIONS {
            versions.extend(built_in_template(&id));
        }
        if versions.is_empty() {
            return Err(Problem::no_template().into());
        }
        Ok(Reply::new(versions.into_iter().map(TemplateSummary::from).collect::<Vec<_>>()))
    }
}

//! Templates of mails, and how mails look before anybody gets one. `docs/templates.md` teaches them.

use crate::schema::{Described, Schemas, of, of_type};
use crate::settings::{READ, Version, WRITE};
use crate::values::{Name, ShortText};
use crate::wire::{Read, alone, string};
use crate::{FieldError, IdReply, Moment, answer, body, endpoints};
use restock_domain::{
    AutomationId, ContactId, EmailAddress, ErrorCode, Invalid, Locale, Sku, TemplateId, TemplateSource,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{RefOr, Schema};

/// Versions of a template that are listed; each may have hundreds of kilobytes.
pub const MAX_VERSIONS: usize = 20;
const NO_TEMPLATE: &str = "There is no such template.";

endpoints! {
    /// All templates
    ListTemplates("listTemplates"): Get "/templates", "show-templates", READ,
        () => 200 Vec<TemplateSummary>, "Those that are compiled in, and the stored ones, by id.";

    /// Show a template
    GetTemplate("getTemplate"): Get "/templates/{templateId}" ? {
            "version": Option<Version>, "As it was in that version; to return to it, store it again.";
        }, "show-templates", READ,
        () => 200 Template, "The template.",
        |operation| operation
            .etag()
            .problem(404, NO_TEMPLATE);

    /// When a template was changed
    ListTemplateVersions("listTemplateVersions"): Get "/templates/{templateId}/versions", "show-templates", READ,
        () => 200 Vec<TemplateSummary>, "Its newest 20 versions, the newest first.",
        |operation| operation.problem(404, NO_TEMPLATE);

    /// Store a template
    PutTemplate("putTemplate"): Put "/templates/{templateId}", "put-template", WRITE,
        TemplateSettings => 200 Template, "The template, as its next version. It could be rendered with sample products.",
        |operation| operation
            .conditional()
            .etag()
            .problem(409, "There are fifty templates already.");

    /// Delete a template
    DeleteTemplate("deleteTemplate"): Delete "/templates/{templateId}", "delete-template", WRITE,
        () => 200 IdReply, "It is deleted. One that was compiled in is so again.",
        |operation| operation.conditional()
            .problem(404, "No such template was stored.")
            .problem(409, "Automations use it.");

    /// Show a mail without sending it
    PreviewMail("previewMail"): Post "/templates/preview", "preview-mail", WRITE,
        PreviewSettings => 200 Preview, "The mail, and what could be better.";

    /// Send a test mail
    SendTestMail("sendTestMail"): Post "/templates/test", "preview-mail", WRITE,
        TestSettings => 200 SentTest, "SES took it.",
        |operation| operation.problem(403, "The address is not among the parameter TestRecipients.")
            .problem(409, "SES did not take it.");
}

body! {
    /// A template as it is stored, with either `mjml` or `html`. `GET /templates/back-in-stock` shows one with its
    /// variables.
    #[derive(Debug)]
    pub struct TemplateSettings {
        pub name: Option<Name>,
        /// MJML (mjml.io) with variables.
        pub mjml: Option<Source>,
        /// HTML with variables.
        pub html: Option<Source>,
        /// The text part, with variables; the compiled-in one by default.
        pub text: Option<Source>,
    }
    // What is shown may be sent back as it is.
    strict ["id", "version", "updatedOn"]
}

body! {
    /// Which mail to show. What is missing is made up.
    #[derive(Debug)]
    pub struct PreviewSettings {
        /// A template that is not stored yet, as for storing it.
        pub draft: Option<TemplateSettings>,
        /// The template of the automation, or `back-in-stock`, by default.
        pub template: Option<TemplateId>,
        /// Its subject, sender and template are shown.
        pub automation: Option<AutomationId>,
        /// A product of the locale's feed; a sample by default.
        pub sku: Option<Sku>,
        pub locale: Locale,
        /// Its first name is shown. The key needs `read-contacts`.
        pub contact_id: Option<ContactId>,
        /// The name that is greeted.
        pub first_name: Option<ShortText>,
    }
    strict []
}

body! {
    /// Which mail to send, and to whom.
    #[derive(Debug)]
    pub struct TestSettings {
        /// One of the parameter `TestRecipients`.
        pub to: EmailAddress,
        pub mail: PreviewSettings,
    }
    strict []
}

/// The source of a template.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Source(pub String);

/// The largest source, and the largest HTML of a mail.
pub const MAX_SOURCE_BYTES: usize = 90_000;

impl Read for Source {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        string(value, |text| {
            if text.trim().is_empty() {
                return Err(Invalid::new(ErrorCode::Empty, "The source can't be empty. Leave it out."));
            }
            if text.len() > MAX_SOURCE_BYTES {
                return Err(Invalid::new(ErrorCode::TooLong, format!("Use at most {MAX_SOURCE_BYTES} bytes.")));
            }
            if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                return Err(Invalid::new(
                    ErrorCode::InvalidCharacter,
                    "Leave control characters out, but for line breaks and tabs.",
                ));
            }
            Ok(Self(text.to_owned()))
        })
    }
}

impl Described for Source {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::String).min_length(Some(1)).max_length(Some(MAX_SOURCE_BYTES)))
    }
}

impl TemplateSettings {
    /// Makes the template that a caller describes.
    pub fn into_template(self, id: TemplateId) -> Result<restock_domain::Template, Vec<FieldError>> {
        let html = match (self.mjml, self.html) {
            (Some(Source(mjml)), None) => TemplateSource::Mjml(mjml),
            (None, Some(Source(html))) => TemplateSource::Html(html),
            (None, None) => {
                let invalid = Invalid::new(ErrorCode::Required, "Send the source as mjml or as html.");
                return Err(vec![FieldError::new("/mjml", invalid)]);
            }
            (Some(_), Some(_)) => {
                return Err(alone(Invalid::new(ErrorCode::Ambiguous, "Send the source as mjml or as html, not both.")));
            }
        };
        Ok(restock_domain::Template {
            id,
            name: self.name.map(|Name(name)| name),
            html,
            text: self.text.map(|Source(text)| text),
            version: 0,
            updated_on: None,
        })
    }
}

/// Returns the error of a template that can't be used: in its text part or else in its HTML part, in a line of the
/// source if that is known.
pub fn unusable(template: &restock_domain::Template, in_text: bool, line: Option<usize>, reason: &str) -> FieldError {
    let pointer = match &template.html {
        _ if in_text => "/text",
        TemplateSource::Mjml(_) => "/mjml",
        TemplateSource::Html(_) => "/html",
    };
    let message = line.map_or_else(|| reason.to_owned(), |line| format!("Line {line}: {reason}"));
    FieldError::new(pointer, Invalid::new(ErrorCode::InvalidTemplate, message))
}

answer! {
    /// A template with its sources.
    #[derive(Debug)]
    pub struct Template {
        pub id: TemplateId,
        pub name: Option<String>,
        pub mjml: Option<String>,
        pub html: Option<String>,
        pub text: Option<String>,
        /// Counts the changes, from 1; 0 for those that are compiled in.
        pub version: u64,
        pub updated_on: Option<Moment>,
    }
}

answer! {
    /// A template without its sources.
    #[derive(Debug)]
    pub struct TemplateSummary {
        pub id: TemplateId,
        pub name: Option<String>,
        /// Counts the changes, from 1; 0 for those that are compiled in.
        pub version: u64,
        pub updated_on: Option<Moment>,
    }
}

answer! {
    /// A mail as its recipient would get it.
    #[derive(Debug)]
    pub struct Preview {
        pub subject: String,
        pub from: String,
        pub html: String,
        pub text: String,
        pub html_bytes: u64,
        pub text_bytes: u64,
        /// What could be better, in sentences.
        pub warnings: Vec<String>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct SentTest {
        /// The id that SES gave it.
        pub message_id: String,
        pub subject: String,
        pub warnings: Vec<String>,
    }
}

impl From<restock_domain::Template> for Template {
    fn from(template: restock_domain::Template) -> Self {
        let restock_domain::Template { id, name, html, text, version, updated_on } = template;
        let (mjml, html) = match html {
            TemplateSource::Mjml(mjml) => (Some(mjml), None),
            TemplateSource::Html(html) => (None, Some(html)),
        };
        Self { id, name, mjml, html, text, version, updated_on: updated_on.map(Moment) }
    }
}

impl From<restock_domain::Template> for TemplateSummary {
    fn from(template: restock_domain::Template) -> Self {
        let restock_domain::Template { id, name, version, updated_on, .. } = template;
        Self { id, name, version, updated_on: updated_on.map(Moment) }
    }
}

use crate::bulk::{Bulk, Entry, Shared};
use crate::content::Content;
use crate::mail::{Mail, Mailer};
use crate::render::Draft;
use crate::ses::Ses;
use crate::{MAX_HTML_BYTES, Renderer, TemplateError, default_template};
use restock_domain::SendQuota;
use restock_domain::delivery::{Claim, Outcome};
use restock_domain::signing::{AddressKey, LinkKey};
use restock_domain::unsubscribe::{Unsubscribe, token};
use std::pin::Pin;
use std::time::Duration;
use tracing::warn;

/// Sends mails to the recipients of deliveries.
pub struct SesMailer {
    pub ses: Ses,
    pub renderer: Renderer,
    pub signing: Signing,
    /// Where the API is reachable from outside, without a slash at the end.
    pub public_url: String,
    bulk: Bulk,
}

/// What the links of mails are signed with, and what they recognise their address by.
pub struct Signing {
    pub link_key: LinkKey,
    pub address_key: AddressKey,
}

impl Mailer for SesMailer {
    fn send<'a>(&'a self, _claim: &'a Claim, mail: Mail<'a>) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(async move {
            match self.entry(mail) {
                Ok((shared, entry)) => self.bulk.send(&self.ses, shared, entry).await,
                Err(error) => Outcome::Refused { reason: error.to_string() },
            }
        })
    }

    fn quota(&self) -> Pin<Box<dyn Future<Output = Option<SendQuota>> + Send + '_>> {
        Box::pin(self.ses.quota())
    }
}

impl SesMailer {
    /// Returns a mailer that waits for SES for at most `patience`.
    pub fn new(ses: Ses, renderer: Renderer, signing: Signing, public_url: String, patience: Duration) -> Self {
        Self { ses, renderer, signing, public_url, bulk: Bulk::new(patience) }
    }

    /// Returns what a mail shares with others, and what it does not.
    fn entry(&self, mail: Mail<'_>) -> Result<(Shared, Entry), TemplateError> {
        let Mail { subscription, contact, product, automation, template, also_waiting, brands, now, .. } = mail;
        let address = self.signing.address_key.digest_of_address(&contact.email);
        let token = token(&self.signing.link_key, Unsubscribe::All { contact: contact.id, address });
        // Also answers a POST, for one-click unsubscribing (RFC 8058).
        let unsubscribe_url = format!("{}/unsubscribe/{token}?lang={}", self.public_url, subscription.locale);
        let content = Content {
            email: &automation.email,
            template,
            locale: &subscription.locale,
            product,
            first_name: contact.first_name.as_deref(),
            unsubscribe_url: &unsubscribe_url,
            also_waiting,
            brands,
            now,
        };
        let brand = brands.of(&subscription.locale);
        let (from, reply_to) = (self.ses.from(&automation.email, &brand), self.ses.reply_to(&automation.email, &brand));
        let of = |content: Content<'_>| {
            let Draft { subject, parts, values } = self.renderer.draft(content)?;
            let personal = self.renderer.personal();
            let shared = Shared::new(from.clone(), reply_to.clone(), &subject, &parts, personal);
            let too_long = parts.html.len() > MAX_HTML_BYTES || !shared.fits();
            let fault = too_long
                .then_some("it is too long")
                .or(parts.without_link(personal).map(|_| "it has no link to unsubscribe"));
            Ok::<_, TemplateError>((shared, values, fault))
        };
        let why = match of(content) {
            Ok((shared, values, None)) => return Ok((shared, Entry::new(mail, template, unsubscribe_url, &values))),
            Ok((_, _, Some(fault))) => fault.to_owned(),
            Err(error) => error.to_string(),
        };
        // The samples that it was tried with had no field of such a shape. The mail is worth more than its design.
        warn!(template = %template.id, sku = %subscription.sku, error = why, "A mail is sent in the default template");
        let in_default = default_template();
        let (shared, values, _) = of(Content { template: &in_default, ..content })?;
        Ok((shared, Entry::new(mail, &in_default, unsubscribe_url, &values)))
    }
}

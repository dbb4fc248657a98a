use crate::bulk::{Bulk, Entry, Shared};
use crate::content::Content;
use crate::mail::{Mail, Mailer, Sent};
use crate::render::Draft;
use crate::ses::Ses;
use crate::{Renderer, TemplateError, default_template};
use restock_domain::delivery::{Claim, Outcome};
use restock_domain::mail_count::tag_of;
use restock_domain::signing::{AddressKey, LinkKey};
use restock_domain::unsubscribe::{Unsubscribe, link, token};
use restock_domain::{SendQuota, Template};
use std::borrow::Cow;
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
    fn send<'a>(&'a self, _claim: &'a Claim, mail: Mail<'a>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        Box::pin(async move {
            match self.entry(mail) {
                Ok((shared, entry, template)) => {
                    Sent { outcome: self.bulk.send(&self.ses, shared, entry).await, template: tag_of(&template) }
                }
                Err(error) => {
                    let outcome = Outcome::Refused { reason: error.to_string() };
                    Sent { outcome, template: tag_of(mail.template) }
                }
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

    /// Returns what a mail shares with others, what it does not, and the template that it is made of.
    fn entry<'a>(&self, mail: Mail<'a>) -> Result<(Shared, Entry, Cow<'a, Template>), TemplateError> {
        let Mail { subscription, contact, product, automation, template, also_waiting, related, brands, now, .. } =
            mail;
        let address = self.signing.address_key.digest_of_address(&contact.email);
        let token = token(&self.signing.link_key, Unsubscribe::All { contact: contact.id, address });
        let unsubscribe_url = link(&self.public_url, &token, &subscription.locale);
        let content = Content {
            email: &automation.email,
            template,
            locale: &subscription.locale,
            product,
            first_name: contact.first_name.as_deref(),
            unsubscribe_url: &unsubscribe_url,
            also_waiting,
            related,
            brands,
            now,
        };
        let brand = brands.of(&subscription.locale);
        let (from, reply_to) = (self.ses.from(&automation.email, &brand), self.ses.reply_to(&automation.email, &brand));
        let of = |content: Content<'_>| {
            let Draft { subject, parts, values } = self.renderer.draft(content)?;
            let personal = self.renderer.personal();
            let shared = Shared::new(from.clone(), reply_to.clone(), &subject, &parts, personal);
            let fault = parts.fault(personal).or((!shared.fits()).then_some("it is too long"));
            Ok::<_, TemplateError>((shared, values, fault))
        };
        let why = match of(content) {
            Ok((shared, values, None)) => {
                let entry = Entry::new(mail, template, unsubscribe_url, &values);
                return Ok((shared, entry, Cow::Borrowed(template)));
            }
            Ok((_, _, Some(fault))) => fault.to_owned(),
            Err(error) => error.to_string(),
        };
        // The samples that it was tried with had no field of such a shape. The mail is worth more than its design.
        warn!(template = %template.id, sku = %subscription.sku, error = why, "A mail is sent in the default template");
        let in_default = default_template();
        let (shared, values, _) = of(Content { template: &in_default, ..content })?;
        let entry = Entry::new(mail, &in_default, unsubscribe_url, &values);
        Ok((shared, entry, Cow::Owned(in_default)))
    }
}

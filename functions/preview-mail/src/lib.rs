//! Serves `POST /templates/preview` and `POST /templates/test`.

use jiff::Timestamp;
use restock_api::templates::{self, Preview, PreviewMail, PreviewSettings, SendTestMail, SentTest, TestSettings};
use restock_api::values::ShortText;
use restock_api::{ErrorCode, FieldError, KeyScope, Problem};
use restock_domain::unsubscribe::link;
use restock_domain::{Brands, EmailAddress, EmailChoice, Invalid, Locale, Product, Sku, Template, TemplateId};
use restock_email::{
    Content, Letter, MAX_HTML_BYTES, Part, Rendered, Renderer, Ses, Unusable, built_in_template, sample,
};
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;
use tracing::info;

pub struct App {
    pub store: Store,
    pub renderer: Renderer,
    pub ses: Ses,
    /// Where the API is reachable from outside, without a slash at the end.
    pub public_url: String,
    /// Addresses that test mails may go to.
    pub test_recipients: Vec<EmailAddress>,
    pub clock: fn() -> Timestamp,
}

/// A mail, and what belongs to it.
struct Shown {
    rendered: Rendered,
    email: EmailChoice,
    brands: Brands,
    unsubscribe_url: String,
    warnings: Vec<String>,
}

impl Handles<PreviewMail> for App {
    async fn handle(&self, call: Call, body: PreviewSettings) -> Result<Reply<PreviewMail>, Failure> {
        let locale = body.locale.clone();
        let Shown { rendered, email, brands, warnings, .. } = self.show(&call, body, "").await?;
        let Rendered { subject, html, text, .. } = rendered;
        let from = self.ses.from(&email, &brands.of(&locale));
        let (html_bytes, text_bytes) = (html.len() as u64, text.len() as u64);
        Ok(Reply::new(Preview { subject, from, html, text, html_bytes, text_bytes, warnings }))
    }
}

impl Handles<SendTestMail> for App {
    async fn handle(&self, call: Call, body: TestSettings) -> Result<Reply<SendTestMail>, Failure> {
        let TestSettings { to, mail } = body;
        if !self.test_recipients.iter().any(|listed| listed.is_same_mailbox(&to)) {
            let detail =
                "Test mails go to the addresses of the parameter TestRecipients only. Add this one there and deploy.";
            return Err(Problem::new(403, ErrorCode::NotATestRecipient, detail).into());
        }
        let locale = mail.locale.clone();
        let Shown { rendered, email, brands, unsubscribe_url, warnings } = self.show(&call, mail, "/mail").await?;
        let brand = &brands.of(&locale);
        let (email, rendered, unsubscribe_url) = (&email, &rendered, &unsubscribe_url);
        let sent = self.ses.send_test(Letter { email, brand, to: &to, rendered, unsubscribe_url }).await;
        let message_id = sent.map_err(|error| {
            let detail =
                format!("{}. See whether the sender is verified, whether the account may still send today (GET /sending), and in the sandbox of SES whether the recipient is verified.", error.to_string().trim_end_matches('.'));
            Problem::conflict(ErrorCode::MailNotTaken, detail)
        })?;
        info!(message_id, "A test mail was sent");
        Ok(Reply::new(SentTest { message_id, subject: rendered.subject.clone(), warnings }))
    }
}

impl App {
    /// Renders a mail. Errors have `pointer` before theirs.
    async fn show(&self, call: &Call, body: PreviewSettings, pointer: &str) -> Result<Shown, Failure> {
        let at = |name: &str, error_code, message: &str| {
            Failure::from(vec![FieldError::new(&format!("{pointer}/{name}"), Invalid::new(error_code, message))])
        };
        let PreviewSettings { draft, template, automation, sku, locale, contact_id, first_name } = body;
        let email = match automation {
            None => EmailChoice::default(),
            Some(id) => {
                let found = self.store.automation(&id).await?;
                let missing =
                    || at("automation", ErrorCode::AutomationNotFound, "There is no automation with this id.");
                found.ok_or_else(missing)?.email
            }
        };
        let id = template.unwrap_or_else(|| email.template.clone());
        let template = match draft {
            Some(draft) => {
                let inside = |errors: Vec<FieldError>| -> Vec<FieldError> {
                    errors.into_iter().map(|error| error.inside(&format!("{pointer}/draft"))).collect()
                };
                let draft = draft.into_template(id).map_err(inside)?;
                self.check(&draft).await?.map_err(|error| inside(vec![error]))?;
                draft
            }
            None => {
                let missing = || at("template", ErrorCode::TemplateNotFound, "There is no template with this id.");
                self.template(&id).await?.ok_or_else(missing)?
            }
        };
        let mut related = sample::related().to_vec();
        let product = match sku {
            None => sample::on_sale(),
            Some(sku) => {
                let message = "No feed of this locale has the SKU. Import the feed, or leave sku out for a sample.";
                let found = self.product(&locale, &sku).await?;
                let (feed, product) = found.ok_or_else(|| at("sku", ErrorCode::NoProductData, message))?;
                related = self.store.related(&feed, &product).await?;
                product
            }
        };
        if !template.shows_related() {
            related.clear();
        }
        let mut also_waiting = vec![sample::bare()];
        let first_name = match contact_id {
            None => first_name.and_then(ShortText::not_empty),
            Some(_) if !call.may(KeyScope::ReadContacts) => {
                let message = "The key needs the scope read-contacts to show a contact. Send firstName instead.";
                return Err(at("contactId", ErrorCode::MissingScope, message));
            }
            Some(id) => {
                let missing = || at("contactId", ErrorCode::ContactNotFound, "There is no contact with this id.");
                let contact = self.store.contact(id).await?.ok_or_else(missing)?;
                also_waiting = self.store.other_wishes(id, product.sku(), &locale, (self.clock)()).await?;
                contact.first_name
            }
        };
        let brands = self.store.brands().await?;
        // It belongs to nobody, so following it changes nothing.
        let unsubscribe_url = link(&self.public_url, "test", &locale);
        let content = Content {
            email: &email,
            template: &template,
            locale: &locale,
            product: &product,
            first_name: first_name.as_deref(),
            unsubscribe_url: &unsubscribe_url,
            also_waiting: &also_waiting,
            related: &related,
            brands: &brands,
            now: (self.clock)(),
        };
        let rendered = self.renderer.render(content).map_err(|error| {
            let message = format!("The mail can't be rendered with this product: {error}.");
            at("template", ErrorCode::InvalidTemplate, &message)
        })?;
        let warnings = warnings(&rendered, &product, &brands, &locale, self.renderer.speaks(&locale, &brands));
        Ok(Shown { rendered, email, brands, unsubscribe_url, warnings })
    }

    async fn check(&self, draft: &Template) -> Result<Result<(), FieldError>, Failure> {
        let brands = self.store.brands().await?;
        Ok(self
            .renderer
            .check(draft, &brands)
            .map_err(|Unusable { part, line, reason }| templates::unusable(draft, part == Part::Text, line, &reason)))
    }

    async fn template(&self, id: &TemplateId) -> Result<Option<Template>, Failure> {
        Ok(self.store.template(id).await?.or_else(|| built_in_template(id)))
    }

    /// Returns the product as the locale's feed has it, with the key of that feed's locale.
    async fn product(&self, locale: &Locale, sku: &Sku) -> Result<Option<(String, Product)>, Failure> {
        let feeds = locale.feeds();
        let mut found = self.store.products(feeds.iter().map(|feed| (feed, sku))).await?;
        let of_feed = |feed: &Locale| {
            let product = found.remove(&(feed.key().to_owned(), sku.clone()))?;
            Some((feed.key().to_owned(), product))
        };
        Ok(feeds.iter().find_map(of_feed))
    }
}

/// Returns true if the name of a file says that it is an SVG.
fn is_svg(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.to_ascii_lowercase().ends_with(".svg")
}

/// Returns what could be better about a mail.
fn warnings(mail: &Rendered, product: &Product, brands: &Brands, locale: &Locale, speaks: bool) -> Vec<String> {
    let brand = brands.of(locale);
    let bytes = mail.html.len();
    let pale = |screen: &str| {
        format!("The button is nearly as {screen} as the page on a {screen} screen; WCAG asks for 3 to 1.")
    };
    let instead = mail.fault.map(|fault| format!("This mail would be sent in the template back-in-stock, as {fault}."));
    let found = [
        (!brand.light().button_stands_out(), pale("light")),
        (!brand.dark().button_stands_out(), pale("dark")),
        (!speaks, format!("There are no texts for {locale}, so the mail is in English. PUT /brand takes texts.")),
        (brand.name.is_none(), "The brand has no name. PUT /brand stores it.".into()),
        (
            brand.address.is_none(),
            "The brand has no postal address, which the law of many countries wants in a mail.".into(),
        ),
        (
            brand.logo.as_ref().is_some_and(|logo| is_svg(&logo.url)),
            "The logo is an SVG, which Gmail and Outlook don't show; readers see its alternative text. Take a PNG."
                .into(),
        ),
        (product.image().is_none(), "The product has no picture in the feed.".into()),
        (product.price().is_none(), "The product has no price in the feed, or none that can be read.".into()),
        (mail.subject.chars().count() > 70, "The subject has more than 70 characters; phones cut it.".into()),
        (
            bytes > MAX_HTML_BYTES,
            format!("The mail has {bytes} bytes of HTML; mail clients cut more than {MAX_HTML_BYTES}."),
        ),
    ];
    instead.into_iter().chain(found.into_iter().filter_map(|(applies, warning)| applies.then_some(warning))).collect()
}

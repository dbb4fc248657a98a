//! Serves `PUT /brand`.

use jiff::Timestamp;
use restock_api::brand::{BrandSettings, PutBrand};
use restock_api::{Errors, FieldError, Problem};
use restock_domain::{Brands, Locale};
use restock_email::check_texts;
use restock_http::{Call, Failure, Handles, Reply, expected_version};
use restock_store::Store;

pub struct App {
    pub store: Store,
    /// The domain or the address that SES may send from.
    pub sender_identity: String,
    pub clock: fn() -> Timestamp,
}

/// Stores the brand as a whole. `If-Match` with the `ETag` that was read refuses to overwrite somebody else's change.
impl Handles<PutBrand> for App {
    async fn handle(&self, call: Call, body: BrandSettings) -> Result<Reply<PutBrand>, Failure> {
        let brands = body.into_brands()?;
        self.check_senders_and_texts(&brands)?;
        let stored = self.store.put_brands(brands, expected_version(&call), (self.clock)()).await?;
        let brands = stored.ok_or_else(Problem::stale)?;
        let version = brands.version;
        Ok(Reply::new(brands).with_version(version))
    }
}

impl App {
    /// Refuses what only the email's own rules can tell.
    fn check_senders_and_texts(&self, brands: &Brands) -> Result<(), Vec<FieldError>> {
        let mut errors = Errors::default();
        let locales = brands.locales.iter().map(|(tag, brand)| (format!("/locales/{tag}"), brand));
        for (pointer, brand) in locales.chain([("/shop".to_owned(), &brands.shop)]) {
            if let Some(Err(invalid)) = brand.sender.as_ref().map(|sender| sender.check(&self.sender_identity)) {
                errors.add(&format!("{pointer}/sender"), invalid);
            }
        }
        for (tag, texts) in &brands.texts {
            let language = Locale::from(tag.clone());
            for (id, invalid) in check_texts(&language, texts, &brands.texts(&language)) {
                let id = if id.is_empty() { id } else { format!("/{id}") };
                errors.add(&format!("/texts/{tag}{id}"), invalid);
            }
        }
        errors.finish()
    }
}

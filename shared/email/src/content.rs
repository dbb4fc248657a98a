use jiff::Timestamp;
use restock_domain::{Brands, EmailChoice, Locale, Product, Template};

/// The contents of one email.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    pub email: &'a EmailChoice,
    pub template: &'a Template,
    pub locale: &'a Locale,
    pub product: &'a Product,
    pub first_name: Option<&'a str>,
    pub unsubscribe_url: &'a str,
    /// What the recipient waits for besides; read only if the template shows it.
    pub also_waiting: &'a [Product],
    /// Other products of its feed; read only if the template shows them.
    pub related: &'a [Product],
    pub brands: &'a Brands,
    pub now: Timestamp,
}

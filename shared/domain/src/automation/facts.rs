use crate::{Contact, Product, Subscription};
use jiff::Timestamp;

/// The facts that conditions look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub subscription: &'a Subscription,
    /// Of the stock level.
    pub quantity: i64,
    /// As the feed of the subscription's locale has it.
    pub product: &'a Product,
    pub contact: &'a Contact,
    /// When the contact last bought the SKU.
    pub purchased_on: Option<Timestamp>,
    pub now: Timestamp,
}

//! How the suppression of a contact or of an address is stored, and what is left of it.
//!
//! A trace is left of an erased contact, or of an address that a contact left, if mail to it was stopped: so that
//! nobody is mailed who did not want it, even if the address comes back. A contact that takes the address takes the
//! trace over.

use crate::database::{Action, AttributeValue, Item, TableCondition, Write};
use crate::item::{damaged, string_of, text, texts};
use crate::keyspace;
use crate::{Error, Store};
use restock_domain::signing::{AddressDigest, AddressKey};
use restock_domain::{Contact, EmailAddress, Suppression};

const TABLE: keyspace::Contacts = keyspace::Contacts;

/// Why mail to an address was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The most serious reason.
    suppressed: Suppression,
    /// As stored: true if the address unsubscribed, whatever the most serious reason is.
    unsubscribed: bool,
}

impl Store {
    /// Returns the trace of an address, if there is one.
    pub(crate) async fn trace(&self, email: &EmailAddress, addresses: &AddressKey) -> Result<Option<Trace>, Error> {
        let Some(item) = self.get(TABLE, trace_key(addresses.digest_of_address(email))).await? else { return Ok(None) };
        // Taken for none, a trace that can't be read would let mail through.
        let suppressed = string_of(&item, "suppressed").and_then(|why| why.parse().ok());
        let suppressed = suppressed.ok_or_else(|| damaged(TABLE, &item, "it has no reason"))?;
        Ok(Some(Trace { suppressed, unsubscribed: item.contains_key("unsubscribed") }))
    }
}

/// Returns the write that leaves a trace of an address that was suppressed, unless there is one with a more serious
/// reason.
pub fn trace(address: AddressDigest, why: Suppression) -> Write {
    Write::update(TABLE, trace_key(address), set(why)).when(nothing_more_serious(why))
}

impl Trace {
    /// Returns the trace that a contact leaves at its address, if it is suppressed.
    pub fn of(contact: &Contact) -> Option<Self> {
        Some(Self { suppressed: contact.suppressed?, unsubscribed: contact.unsubscribed })
    }

    /// Adds what is known of the address that a contact takes. An unsubscription does not count if the contact asks for
    /// mail at this address.
    pub fn add_to(self, contact: &mut Contact, asks_for_mail: bool) {
        let unsubscribed = self.unsubscribed || self.suppressed == Suppression::Unsubscribed;
        contact.unsubscribed |= unsubscribed && !asks_for_mail;
        let of_address = Some(self.suppressed).filter(|why| *why != Suppression::Unsubscribed);
        let unsubscribed = contact.unsubscribed.then_some(Suppression::Unsubscribed);
        contact.suppressed = contact.suppressed.max(of_address).max(unsubscribed);
    }

    /// Returns the write that leaves the trace. An unsubscription that is there already, by the link of an older
    /// contact, stays.
    pub fn left_at(self, address: &EmailAddress, addresses: &AddressKey) -> Write {
        let unsubscribed = self.unsubscribed.then(unsubscribed);
        let suppressed = [Action::set("suppressed", text(self.suppressed.as_str()))];
        let actions = suppressed.into_iter().chain(unsubscribed).collect();
        Write::update(TABLE, trace_key(addresses.digest_of_address(address)), actions)
    }

    /// Returns the write that lifts the unsubscription of an address, if there is one; a more serious reason stays.
    pub fn lifted(self, address: &EmailAddress, addresses: &AddressKey) -> Option<Write> {
        if self.suppressed == Suppression::Unsubscribed {
            return Some(taken_over(Some(self), address, addresses));
        }
        let as_read = suppressed_as(Some(self.suppressed), self.unsubscribed);
        let actions = vec![Action::Remove("unsubscribed".into())];
        let key = trace_key(addresses.digest_of_address(address));
        self.unsubscribed.then(|| Write::update(TABLE, key, actions).when(as_read))
    }
}

/// Removes the trace of an address that a contact takes, if it still is as it was read. In the transaction that writes
/// the contact, this keeps a suppression that is left at the same moment from being overlooked.
pub fn taken_over(trace: Option<Trace>, address: &EmailAddress, addresses: &AddressKey) -> Write {
    let as_read = match trace {
        None => TableCondition::Missing("key"),
        Some(trace) => suppressed_as(Some(trace.suppressed), trace.unsubscribed),
    };
    Write::delete(TABLE, trace_key(addresses.digest_of_address(address))).when(as_read)
}

/// Returns the condition that a contact or an address is suppressed as it was when it was read.
pub fn suppressed_as(suppressed: Option<Suppression>, unsubscribed: bool) -> TableCondition {
    let suppressed = match suppressed {
        None => TableCondition::Missing("suppressed"),
        Some(why) => TableCondition::Is("suppressed", text(why.as_str())),
    };
    let unsubscribed = match unsubscribed {
        false => TableCondition::Missing("unsubscribed"),
        true => TableCondition::Exists("unsubscribed"),
    };
    TableCondition::All(vec![suppressed, unsubscribed])
}

/// Returns the condition that nothing more serious suppresses a contact or an address.
pub fn nothing_more_serious(why: Suppression) -> TableCondition {
    TableCondition::All(
        why.more_serious().map(|other| TableCondition::IsNot("suppressed", text(other.as_str()))).collect(),
    )
}

/// Returns the actions that suppress a contact or an address.
pub fn set(why: Suppression) -> Vec<Action> {
    let unsubscribed = (why == Suppression::Unsubscribed).then(self::unsubscribed);
    [Action::set("suppressed", text(why.as_str()))].into_iter().chain(unsubscribed).collect()
}

/// Returns the action that remembers an unsubscription for when a more serious reason is gone.
pub fn unsubscribed() -> Action {
    Action::set("unsubscribed", AttributeValue::Bool(true))
}

/// Returns the key of a trace.
pub fn trace_key(address: AddressDigest) -> Item {
    texts([("key", &format!("erased#{address}"))])
}

//! The retailer's secrets: one recognises addresses for as long as there is anything to recognise, the others sign
//! links and can be replaced.

use crate::{EmailAddress, hex};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::{self, Display, Formatter};

/// Recognises addresses that are kept nowhere; 32 random bytes. It is never replaced, as what it has made could not be
/// found again.
pub struct AddressKey(pub [u8; 32]);

/// Signs links; 32 random bytes.
pub struct LinkKey(pub [u8; 32]);

impl LinkKey {
    pub(crate) fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        mac(&self.0, message)
    }
}

/// Returns an HMAC-SHA256 (RFC 2104) that has taken the message in.
fn mac(key: &[u8; 32], message: &[u8]) -> Hmac<Sha256> {
    // HMAC pads a key shorter than its block of 64 bytes with zeros, so this is the key itself.
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac
}

impl AddressKey {
    /// Returns a digest that recognises an address without keeping it.
    pub fn digest_of_address(&self, email: &EmailAddress) -> AddressDigest {
        let message = format!("address:{}", email.key());
        AddressDigest(mac(&self.0, message.as_bytes()).finalize().into_bytes().into())
    }
}

/// What recognises an address; nobody can tell the address from it without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressDigest([u8; Self::LENGTH]);

impl AddressDigest {
    pub const LENGTH: usize = 32;

    pub(crate) fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

/// Writes it in hexadecimal.
impl Display for AddressDigest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

//! The uses of the retailer's secret, each with a prefix of its own so that none can be taken for another.

use crate::{EmailAddress, hex};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt::{self, Display, Formatter};

/// The retailer's secret; 32 random bytes.
pub struct SigningKey(pub [u8; 32]);

impl SigningKey {
    /// Returns an HMAC-SHA256 (RFC 2104) that has taken the message in.
    pub(crate) fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        // HMAC pads a key shorter than its block of 64 bytes with zeros, so this is the key itself.
        let mut block = [0; 64];
        block[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(message);
        mac
    }

    /// Returns a digest that recognises an address without keeping it.
    pub fn digest_of_address(&self, email: &EmailAddress) -> AddressDigest {
        let message = format!("address:{}", email.key());
        AddressDigest(self.mac(message.as_bytes()).finalize().into_bytes().into())
    }
}

/// What recognises an address; nobody can tell the address from it without the signing key.
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

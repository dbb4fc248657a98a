//! Unsubscribe tokens: signed, without personal data, and good for one contact only.
//!
//! A token is base64url of a version byte, the contact's id and the first 16 bytes of an HMAC-SHA256 over both, so it can
//! be neither guessed nor turned against another contact.

use crate::{ContactId, Invalid};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// The retailer's secret; 32 random bytes.
pub struct SigningKey(pub [u8; 32]);

const VERSION: u8 = 1;
const SIGNED: usize = 17;
const TAG: usize = 16;

pub fn token(key: &SigningKey, contact: ContactId) -> String {
    let mut bytes = Vec::with_capacity(SIGNED + TAG);
    bytes.push(VERSION);
    bytes.extend_from_slice(contact.as_bytes());
    let tag = mac(key, &bytes).finalize().into_bytes();
    bytes.extend_from_slice(&tag[..TAG]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The contact whose mails the token stops.
pub fn verify(key: &SigningKey, token: &str) -> Result<ContactId, Invalid> {
    let invalid =
        || Invalid::new("InvalidUnsubscribeToken", "This link is not complete. Use the link of the email as it is.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    if bytes.len() != SIGNED + TAG || bytes[0] != VERSION {
        return Err(invalid());
    }
    let (signed, tag) = bytes.split_at(SIGNED);
    mac(key, signed).verify_truncated_left(tag).map_err(|_| invalid())?;
    let contact: [u8; 16] = signed[1..].try_into().map_err(|_| invalid())?;
    Ok(ContactId::new(Uuid::from_bytes(contact)))
}

fn mac(key: &SigningKey, message: &[u8]) -> Hmac<Sha256> {
    // HMAC pads a key shorter than its block of 64 bytes with zeros (RFC 2104), so this is the key itself.
    let mut block = [0; 64];
    block[..key.0.len()].copy_from_slice(&key.0);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_contact() {
        let contact = ContactId::new(Uuid::from_u128(42));
        let key = SigningKey([7; 32]);

        assert_eq!(verify(&key, &token(&key, contact)), Ok(contact));
    }

    #[test]
    fn a_token_that_was_touched_is_refused() {
        let key = SigningKey([7; 32]);
        let genuine = token(&key, ContactId::new(Uuid::from_u128(42)));
        let bytes = URL_SAFE_NO_PAD.decode(&genuine).unwrap();

        for position in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[position] ^= 1;
            assert!(verify(&key, &URL_SAFE_NO_PAD.encode(forged)).is_err(), "byte {position}");
        }
        assert!(verify(&SigningKey([8; 32]), &genuine).is_err());
        assert!(verify(&key, "").is_err());
    }
}

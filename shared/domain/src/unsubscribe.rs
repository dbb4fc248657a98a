//! Unsubscribe tokens: signed, without personal data, for one subscription or for all of a contact.
//!
//! A token is base64url of a kind, ids, and the first 16 bytes of an HMAC-SHA256 over both, so it can be neither
//! guessed nor turned against another contact.

use crate::signing::{AddressDigest, LinkKey};
use crate::{ContactId, ErrorCode, Invalid, Locale, SubscriptionId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use uuid::Uuid;

/// The mail that a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsubscribe {
    /// All mail to the contact, and to the address that the mail with the token went to.
    All {
        contact: ContactId,
        address: AddressDigest,
    },
    One(SubscriptionId),
}

const ALL: u8 = 1;
const ONE: u8 = 2;
const TAG: usize = 16;

/// Returns the link with a token, to a page in the language of `locale`; it also answers a POST (RFC 8058).
/// `public_url` is where the API is reachable from outside, without a slash at the end.
pub fn link(public_url: &str, token: &str, locale: &Locale) -> String {
    format!("{public_url}/unsubscribe/{token}?lang={locale}")
}

pub fn token(key: &LinkKey, what: Unsubscribe) -> String {
    let mut bytes = match what {
        Unsubscribe::All { contact, address } => {
            [&[ALL], contact.as_bytes().as_slice(), address.as_bytes().as_slice()].concat()
        }
        Unsubscribe::One(subscription) => [&[ONE], subscription.to_bytes().as_slice()].concat(),
    };
    let tag = key.mac(&bytes).finalize().into_bytes();
    bytes.extend_from_slice(&tag[..TAG]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token that one of these keys has signed.
pub fn verify(keys: &[LinkKey], token: &str) -> Result<Unsubscribe, Invalid> {
    let invalid = || {
        Invalid::new(
            ErrorCode::InvalidUnsubscribeToken,
            "This link is not complete. Use the link of the email as it is.",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let (signed, tag) = bytes.split_at_checked(bytes.len().saturating_sub(TAG)).ok_or_else(invalid)?;
    if !keys.iter().any(|key| key.mac(signed).verify_truncated_left(tag).is_ok()) {
        return Err(invalid());
    }
    match signed.split_first() {
        Some((&ALL, ids)) => {
            let (id, address) = ids.split_at_checked(ContactId::LENGTH).ok_or_else(invalid)?;
            let id = id.try_into().map_err(|_| invalid())?;
            let address = AddressDigest::new(address.try_into().map_err(|_| invalid())?);
            Ok(Unsubscribe::All { contact: ContactId::new(Uuid::from_bytes(id)), address })
        }
        Some((&ONE, id)) => {
            let id = id.try_into().map_err(|_| invalid())?;
            Ok(Unsubscribe::One(SubscriptionId::from_bytes(id)))
        }
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::AddressKey;
    use crate::{EmailAddress, Locale, Sku, SubscriptionKey};

    fn both() -> [Unsubscribe; 2] {
        let contact_id = ContactId::new(Uuid::from_u128(42));
        let address = AddressKey([9; 32]).digest_of_address(&EmailAddress::parse("a@example.com").unwrap());
        let all = Unsubscribe::All { contact: contact_id, address };
        let key = SubscriptionKey::of(&Sku::parse("A").unwrap(), &Locale::parse("sv").unwrap(), None);
        [all, Unsubscribe::One(SubscriptionId { contact_id, key })]
    }

    #[test]
    fn a_token_says_what_it_ends_whichever_of_the_keys_signed_it() {
        let keys = [LinkKey([8; 32]), LinkKey([7; 32])];

        for what in both() {
            for key in &keys {
                assert_eq!(verify(&keys, &token(key, what)), Ok(what));
            }
        }
    }

    #[test]
    fn a_token_that_was_touched_is_refused() {
        let keys = [LinkKey([7; 32])];

        for what in both() {
            let genuine = token(&keys[0], what);
            let bytes = URL_SAFE_NO_PAD.decode(&genuine).unwrap();
            for position in 0..bytes.len() {
                let mut forged = bytes.clone();
                forged[position] ^= 1;
                assert!(verify(&keys, &URL_SAFE_NO_PAD.encode(&forged)).is_err(), "byte {position}");
                assert!(verify(&keys, &URL_SAFE_NO_PAD.encode(&bytes[..position])).is_err(), "{position} bytes");
            }
            assert!(verify(&[LinkKey([8; 32])], &genuine).is_err());
        }
    }
}

use crate::{ErrorCode, Invalid};
use rust_decimal::Decimal;
use std::fmt;

/// Three upper-case letters, in the form of an ISO 4217 code. Whether the currency exists is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    pub fn parse(raw: &str) -> Option<Self> {
        let letters: [u8; 3] = raw.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_alphabetic).then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    pub fn as_str(&self) -> &str {
        // Only ASCII letters get in, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

/// A price as product feeds write it: `199.00 SEK` (Google Merchant's product data specification, attribute `price`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    pub amount: Decimal,
    pub currency: Currency,
}

impl Money {
    /// Reads a number with a decimal point, white space, and an ISO 4217 code.
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let invalid = || {
            Invalid::new(
                ErrorCode::InvalidPrice,
                format!(
                    "Write a price as a number with a decimal point and an ISO 4217 code, such as 1299.00 SEK, not \"{}\".",
                    raw.chars().take(40).collect::<String>()
                ),
            )
        };
        let text = raw.trim();
        let (number, code) = text.rsplit_once(char::is_whitespace).ok_or_else(invalid)?;
        let number = number.trim();
        let plain = !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit() || c == '.')
            && number.starts_with(|c: char| c.is_ascii_digit())
            && number.ends_with(|c: char| c.is_ascii_digit());
        if !plain {
            return Err(invalid());
        }
        Ok(Self {
            amount: number.parse().map_err(|_| invalid())?,
            currency: Currency::parse(code).ok_or_else(invalid)?,
        })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_of_real_feeds_are_read() {
        for (raw, expected) in [
            ("199.00 SEK", "199.00 SEK"),
            ("15.0 EUR", "15.0 EUR"),
            ("75800 PLN", "75800 PLN"),
            (" 28.00  usd ", "28.00 USD"),
            ("1.27\u{a0}EUR", "1.27 EUR"),
        ] {
            assert_eq!(Money::parse(raw).unwrap().to_string(), expected, "{raw}");
        }
    }

    #[test]
    fn a_price_that_could_be_misread_is_refused() {
        for raw in [
            "",
            "199",
            "SEK",
            "1 299,00 kr",
            "1,299.00 SEK",
            "1.299,00 EUR",
            "-5.00 EUR",
            "1.2.3 EUR",
            "5. EUR",
            "NaN EUR",
            "5 EURO",
        ] {
            assert_eq!(Money::parse(raw).unwrap_err().error_code, ErrorCode::InvalidPrice, "{raw}");
        }
    }
}

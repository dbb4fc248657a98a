use crate::{ErrorCode, Invalid};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Serialize, Serializer};
use std::fmt;

/// A currency by its ISO 4217 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The codes of money that is in use (ISO 4217, list one), each with a space behind it.
const CODES: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD \
    GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD \
    KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK \
    NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
    SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD \
    XCG XOF XPF YER ZAR ZMW ZWG";

fn is_among(codes: &str, code: [u8; 3]) -> bool {
    codes.as_bytes().chunks(4).any(|known| known.starts_with(&code))
}

impl Currency {
    pub fn parse(raw: &str) -> Option<Self> {
        let letters: [u8; 3] = raw.as_bytes().try_into().ok()?;
        let letters = letters.map(|letter| letter.to_ascii_uppercase());
        is_among(CODES, letters).then_some(Self(letters))
    }

    /// Returns the currency that a text names by its code or a sign, in any case. A sign that several share is that of
    /// the usual currency if that has it.
    pub fn named(text: &str, usual: Option<Self>) -> Option<Self> {
        let is_it = |sign: &str| sign.to_lowercase() == text.to_lowercase();
        if let Some((_, sharing)) = SHARED_SIGNS.iter().find(|(sign, _)| is_it(sign)) {
            return usual.filter(|usual| sharing.contains(&usual.as_str()));
        }
        let code = SIGNS.iter().find(|(sign, _)| is_it(sign)).map_or(text, |(_, code)| code);
        Self::parse(code)
    }

    /// Returns a currency as it was stored, even if it is no more in the list; none if it is not three letters.
    pub fn restore(raw: &str) -> Option<Self> {
        let letters: [u8; 3] = raw.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    pub fn as_str(&self) -> &str {
        // Only ASCII letters get in, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Returns how many digits behind the decimal point its prices are written with (CLDR 49,
    /// `currencyData/fractions`). That may be less than ISO 4217 has: nobody writes the thousandths of an Iraqi dinar.
    pub fn digits(self) -> u32 {
        if is_among(WHOLE, self.0) {
            return 0;
        }
        if is_among(THOUSANDTHS, self.0) { 3 } else { 2 }
    }
}

/// The codes of currencies whose prices have no fraction, each with a space behind it.
const WHOLE: &str = "\
    AFN ALL BIF CLP COP DJF GNF HUF IDR IQD IRR ISK JPY KMF KPW KRW LAK LBP MGA MMK PYG RWF SOS SYP UGX VND VUV \
    XAF XOF XPF YER";
/// The codes of currencies whose prices have a fraction of three digits.
const THOUSANDTHS: &str = "BHD JOD KWD LYD OMR TND";

/// A price as product feeds write it: `199.00 SEK` (Google Merchant's product data specification, attribute `price`),
/// and every other form that has one reading only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    pub amount: Decimal,
    pub currency: Currency,
}

impl Money {
    /// Reads a number with a currency before or after it: `199.00 SEK`, `SEK 199`, `1.299,00 EUR`, `€199.00`. A sign
    /// that several currencies share (`kr`, `$`) and a number that could be read in two ways (`1,299`) are refused.
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        Self::parse_in(raw, None)
    }

    /// Reads a price as [`Money::parse`] does, where one without a currency, or with a sign that several share, is in
    /// the given one.
    pub fn parse_in(raw: &str, usual: Option<Currency>) -> Result<Self, Invalid> {
        let shown = || raw.chars().take(40).collect::<String>();
        let invalid = || {
            Invalid::new(
                ErrorCode::InvalidPrice,
                format!(
                    "Write a price as a number with a decimal point and an ISO 4217 code, such as 1299.00 SEK, not \"{}\".",
                    shown()
                ),
            )
        };
        let without_currency = || {
            let message = format!(
                "\"{}\" names no currency. Add its ISO 4217 code, such as 1299.00 SEK; a feed may have a `currency` for such prices.",
                shown()
            );
            Invalid::new(ErrorCode::InvalidPrice, message)
        };
        let is_digit = |c: char| c.is_ascii_digit();
        let (first, last) = raw.find(is_digit).zip(raw.rfind(is_digit)).ok_or_else(invalid)?;
        let behind = raw[last + 1..].trim();
        let behind_dash = NO_FRACTION.iter().find_map(|dash| behind.strip_prefix(dash));
        let (is_whole, behind) = (behind_dash.is_some(), behind_dash.unwrap_or(behind));
        let currency = match (raw[..first].trim(), behind.trim()) {
            ("", "") => Some(usual.ok_or_else(without_currency)?),
            ("", code) | (code, "") => Currency::named(code, usual),
            _ => None,
        };
        let currency = currency.ok_or_else(invalid)?;
        let amount = amount(&raw[first..=last], currency, is_whole).ok_or_else(|| {
            let message = format!(
                "\"{}\" can't be read in one way only. Write it with a point before the decimals and nothing between thousands, such as 1299.00 {}.",
                shown(),
                currency.as_str()
            );
            Invalid::new(ErrorCode::InvalidPrice, message)
        })?;
        Ok(Self { amount: without_noise(amount, currency), currency })
    }

    /// Returns true if nothing is left of it once it is rounded to the digits of its currency.
    pub fn is_next_to_nothing(&self) -> bool {
        self.amount.round_dp(self.currency.digits()).is_zero()
    }
}

/// What stands in place of a fraction that is zero.
const NO_FRACTION: [&str; 4] = [",-", ".-", ",–", ".–"];

/// Signs that one currency has for itself.
const SIGNS: [(&str, &str); 17] = [
    ("€", "EUR"),
    ("£", "GBP"),
    ("zł", "PLN"),
    ("Kč", "CZK"),
    ("Ft", "HUF"),
    ("₺", "TRY"),
    ("₹", "INR"),
    ("₪", "ILS"),
    ("₴", "UAH"),
    ("₩", "KRW"),
    ("US$", "USD"),
    ("R$", "BRL"),
    ("CA$", "CAD"),
    ("AU$", "AUD"),
    ("NZ$", "NZD"),
    ("HK$", "HKD"),
    ("S$", "SGD"),
];

/// Signs that several currencies share.
const SHARED_SIGNS: [(&str, &[&str]); 7] = [
    ("kr", &["SEK", "NOK", "DKK", "ISK"]),
    ("kr.", &["DKK", "ISK"]),
    (":-", &["SEK", "NOK"]),
    ("$", &["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "CLP", "COP", "ARS", "UYU"]),
    ("¥", &["JPY", "CNY"]),
    ("lei", &["RON", "MDL"]),
    ("Fr.", &["CHF"]),
];

/// Digits behind the decimal point of a price that a person or a shop may have written.
const MAX_DECIMALS: u32 = 6;

/// Returns an amount without what a program has left behind that counts in binary fractions, as in 41.964999999999996:
/// rounded to the digits of its currency.
fn without_noise(amount: Decimal, currency: Currency) -> Decimal {
    if amount.normalize().scale() <= MAX_DECIMALS {
        return amount;
    }
    amount.round_dp_with_strategy(currency.digits(), RoundingStrategy::MidpointAwayFromZero)
}

/// Reads digits with a decimal point or comma, in groups of three or not. With three digits behind the only one, as in
/// 1,299, it may be either. A comma is no decimal one where prices have no fraction, and a point is one where they have
/// three digits; `is_whole` says that it has no fraction either way.
fn amount(text: &str, currency: Currency, is_whole: bool) -> Option<Decimal> {
    let groups: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
    // Every kind of space and apostrophe that separates thousands is one kind.
    let separators: Vec<char> =
        text.chars().filter(|c| !c.is_ascii_digit()).map(|c| if is_gap(c) { ' ' } else { c }).collect();
    let decimals = match *separators.as_slice() {
        _ if is_whole => false,
        [separator @ ('.' | ',')] if groups[1].len() == 3 && groups[0].len() <= 3 && groups[0] != "0" => {
            match (separator, currency.digits()) {
                ('.', 3) => true,
                (',', 0) => false,
                _ => return None,
            }
        }
        ['.' | ','] => true,
        [.., last] => last != ' ' && separators.iter().filter(|c| **c == last).count() == 1,
        [] => false,
    };
    let thousands = separators.len() - usize::from(decimals);
    let one_kind = separators[..thousands].windows(2).all(|pair| pair[0] == pair[1]);
    let known = separators.iter().all(|c| matches!(c, '.' | ',' | ' '));
    let first = if thousands == 0 { 1..=28 } else { 1..=3 };
    let is_in = |lengths: &[usize]| groups[1..=thousands].iter().map(|group| group.len()).eq(lengths.iter().copied());
    // In India, thousands are followed by groups of two: 1,23,456.
    let lengths: Vec<usize> = (1..=thousands).map(|place| if place == thousands { 3 } else { 2 }).collect();
    let in_twos = groups[0].len() <= 2 && is_in(&lengths);
    let grouped = first.contains(&groups[0].len()) && (is_in(&vec![3; thousands]) || in_twos);
    if !(known && one_kind && grouped) {
        return None;
    }
    let whole = groups[..=thousands].concat();
    match groups.get(thousands + 1) {
        Some(&"") => None,
        Some(part) => format!("{whole}.{part}").parse().ok(),
        None => whole.parse().ok(),
    }
}

fn is_gap(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'' | '\u{2019}')
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
    fn a_price_is_read_in_every_form_that_has_one_reading() {
        for (raw, expected) in [
            ("199.00 SEK", "199.00 SEK"),
            ("1.299,- €", "1299 EUR"),
            ("€ 12.999.-", "12999 EUR"),
            ("1,23,456.00 INR", "123456.00 INR"),
            ("₹ 12,34,567", "1234567 INR"),
            ("15.0 EUR", "15.0 EUR"),
            ("75800 PLN", "75800 PLN"),
            (" 28.00  usd ", "28.00 USD"),
            ("1.27\u{a0}EUR", "1.27 EUR"),
            ("SEK 199", "199 SEK"),
            ("SEK 199.00", "199.00 SEK"),
            ("199,00 SEK", "199.00 SEK"),
            ("99,9 SEK", "99.9 SEK"),
            ("199.00SEK", "199.00 SEK"),
            ("1 299.00 SEK", "1299.00 SEK"),
            ("1\u{202f}299,00 EUR", "1299.00 EUR"),
            ("1'299.00 CHF", "1299.00 CHF"),
            ("1,299.00 SEK", "1299.00 SEK"),
            ("1.299,00 EUR", "1299.00 EUR"),
            ("10,000.00 SEK", "10000.00 SEK"),
            ("1,234,567 USD", "1234567 USD"),
            ("€199.00", "199.00 EUR"),
            ("199 zł", "199 PLN"),
            ("199 ZŁ", "199 PLN"),
            ("€ 199,-", "199 EUR"),
            ("199.- CHF", "199 CHF"),
            ("R$ 199,00", "199.00 BRL"),
            ("US$199.00", "199.00 USD"),
            ("1.234 KWD", "1.234 KWD"),
            ("1,299.500 KWD", "1299.500 KWD"),
            ("0,500 KWD", "0.500 KWD"),
            ("12,50 KWD", "12.50 KWD"),
            ("25,000 IQD", "25000 IQD"),
            ("1,500 JPY", "1500 JPY"),
            ("₩25,000", "25000 KRW"),
            ("150,000 IDR", "150000 IDR"),
            ("1,500.00 JPY", "1500.00 JPY"),
            ("1299,50 HUF", "1299.50 HUF"),
            ("0.125 EUR", "0.125 EUR"),
            ("1299.000 EUR", "1299.000 EUR"),
        ] {
            assert_eq!(Money::parse(raw).unwrap().to_string(), expected, "{raw}");
        }
    }

    #[test]
    fn a_price_without_a_currency_of_its_own_is_in_the_feeds() {
        let price = |raw| Money::parse_in(raw, Currency::parse("SEK")).map(|price| price.to_string());

        for (raw, expected) in [
            ("199.00", "199.00 SEK"),
            ("199,00 kr", "199.00 SEK"),
            ("1 299:-", "1299 SEK"),
            ("1299,-", "1299 SEK"),
            ("199 Kr", "199 SEK"),
            ("199.00 EUR", "199.00 EUR"),
            ("€5", "5 EUR"),
        ] {
            assert_eq!(price(raw).unwrap(), expected, "{raw}");
        }
        assert!(price("$5").is_err() && price("1.299").is_err());
        assert!(price("from 5").is_err() && price("-5").is_err() && price("10-20").is_err());
    }

    #[test]
    fn what_a_currency_rounds_to_nothing_is_next_to_nothing() {
        for (raw, expected) in [
            ("0.00 EUR", true),
            ("0.004 EUR", true),
            ("0.006 EUR", false),
            ("0.4 JPY", true),
            ("1 JPY", false),
            ("0.001 KWD", false),
        ] {
            assert_eq!(Money::parse(raw).unwrap().is_next_to_nothing(), expected, "{raw}");
        }
    }

    #[test]
    fn a_price_that_could_be_misread_is_refused() {
        for raw in [
            "",
            "199",
            "199.00",
            "SEK",
            "1 299,00 kr",
            "$199.00",
            "1,299 SEK",
            "1.299 EUR",
            "€12.500",
            "1,299 KWD",
            "25,000 BHD",
            "1.500 JPY",
            "25.000 IQD",
            "nur 199",
            "199 stk",
            "-5.00 EUR",
            "1.2.3 EUR",
            "1,23,45.00 INR",
            "123,45,678.00 INR",
            "12,50,- EUR",
            "12 34 EUR",
            "5. EUR",
            "5,, EUR",
            "10.00 - 20.00 EUR",
            "10-20 EUR",
            "from 5 EUR",
            "EUR 5 EUR",
            "NaN EUR",
            "5 EURO",
            "99999999999999999999999999999999999 EUR",
        ] {
            assert_eq!(Money::parse(raw).unwrap_err().error_code, ErrorCode::InvalidPrice, "{raw}");
        }
    }
}

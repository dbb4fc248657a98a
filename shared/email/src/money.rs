use fixed_decimal::Decimal;
use icu_decimal::DecimalFormatter;
use icu_experimental::dimension::currency::CurrencyType;
use icu_experimental::dimension::currency::formatter::{CurrencyFormatter, CurrencyFormatterPreferences};
use icu_experimental::dimension::currency::options::CurrencyFormatterOptions;
use restock_domain::{Locale, Money};

/// Returns a price as it is written in a locale: `1 275,00 kr` in `sv-SE`, `$28.00` in `en-US`. A sign is the ordinary
/// one of the language (CLDR), which has the currency's code where a sign could be taken for another currency's. A sign
/// that several currencies share stands only for the one of the shopper's own country: others have their code, as in `1
/// 275,00 NOK`. The shopper's locale is another one where texts have to be in English. Fractions are as many as the
/// currency has, or as the price has if that is more. What ICU doesn't know is written as `199.00 XXX`.
pub fn format_price(money: &Money, locale: &Locale, shopper: &Locale) -> String {
    let written = formatted(money, locale, shopper).unwrap_or_else(|| money.to_string());
    match MONEY_SEPARATORS.iter().find(|(of, ..)| *of == locale.canonical()) {
        Some((_, separator, of_money)) => between_digits(&written, *separator, *of_money),
        None => written,
    }
}

/// Locales that separate the digits of money otherwise than those of other numbers, with both separators
/// (`currencyGroup` and `currencyDecimal` of CLDR 48). ICU4X doesn't have them.
const MONEY_SEPARATORS: [(&str, char, char); 2] = [("de-AT", '\u{a0}', '.'), ("fr-CH", ',', '.')];

/// Returns a text with a separator replaced wherever it has a digit on both sides.
fn between_digits(text: &str, separator: char, by: char) -> String {
    let characters: Vec<char> = text.chars().collect();
    let is_digit =
        |place: Option<usize>| place.and_then(|place| characters.get(place)).is_some_and(char::is_ascii_digit);
    let separates = |place: usize| is_digit(place.checked_sub(1)) && is_digit(Some(place + 1));
    let replaced = |(place, character)| if character == separator && separates(place) { by } else { character };
    characters.iter().copied().enumerate().map(replaced).collect()
}

fn formatted(money: &Money, locale: &Locale, shopper: &Locale) -> Option<String> {
    let [locale, shopper] =
        [locale, shopper].map(|locale| icu_locale_core::Locale::try_from_str(&locale.canonical()).ok());
    let (locale, shopper) = (locale?, shopper?);
    let code = money.currency.as_str();
    let currency = CurrencyType::try_from_str(code).ok()?;
    let amount = Decimal::try_from_str(&money.amount.to_string()).ok()?;
    let digits = i16::try_from(money.currency.digits()).ok()?;
    let shown = amount.clone().trunced(-digits);
    let (preferences, options) = (CurrencyFormatterPreferences::from(&locale), CurrencyFormatterOptions::default());
    let write = |formatter: CurrencyFormatter<_>| formatter.format_fixed_decimal(&shown).to_string();
    let ordinary = || CurrencyFormatter::try_new_symbol(preferences, currency, options).map(write);
    let written = match own(code, &shopper) {
        None => ordinary().ok()?,
        Some(true) => {
            let written = ordinary().ok()?;
            // Norway's krone is NOK even in Norwegian, and kr only in short.
            if written.contains(code) {
                write(CurrencyFormatter::try_new_symbol_narrow(preferences, currency, options).ok()?)
            } else {
                written
            }
        }
        Some(false) => write(CurrencyFormatter::try_new_code(preferences, currency, options).ok()?),
    };
    if money.amount.normalize().scale() <= money.currency.digits() {
        return Some(written);
    }
    // A formatter rounds to what the currency has.
    let numbers = DecimalFormatter::try_new((&locale).into(), Default::default()).ok()?;
    let number = numbers.format(&shown).to_string();
    written.contains(&number).then(|| written.replace(&number, &numbers.format(&amount).to_string()))
}

/// Currencies that share their sign with another one, with the countries that have them and, for locales without a
/// country, the languages (ISO 4217, list one).
const SHARED_SIGNS: [(&str, &[&str], &[&str]); 22] = [
    ("SEK", &["SE"], &["sv"]),
    ("NOK", &["NO", "SJ"], &["nb", "nn", "no"]),
    ("DKK", &["DK", "FO", "GL"], &["da"]),
    ("ISK", &["IS"], &["is"]),
    ("USD", &["US", "AS", "EC", "GU", "MP", "PR", "SV", "VI"], &["en"]),
    ("CAD", &["CA"], &[]),
    ("AUD", &["AU"], &[]),
    ("NZD", &["NZ"], &[]),
    ("SGD", &["SG"], &[]),
    ("HKD", &["HK"], &[]),
    ("TWD", &["TW"], &[]),
    ("MXN", &["MX"], &[]),
    ("CLP", &["CL"], &[]),
    ("COP", &["CO"], &[]),
    ("ARS", &["AR"], &[]),
    ("JPY", &["JP"], &["ja"]),
    ("CNY", &["CN"], &["zh"]),
    ("RON", &["RO"], &["ro"]),
    ("MDL", &["MD"], &[]),
    ("GBP", &["GB", "GG", "IM", "JE"], &["en"]),
    ("EGP", &["EG"], &[]),
    ("LBP", &["LB"], &[]),
];

/// Returns whether a currency that shares its sign is the locale's own; `None` for one that doesn't share it.
fn own(code: &str, locale: &icu_locale_core::Locale) -> Option<bool> {
    let (_, countries, languages) = SHARED_SIGNS.iter().find(|(sharing, ..)| *sharing == code)?;
    Some(match locale.id.region {
        Some(region) => countries.contains(&region.as_str()),
        None => languages.contains(&locale.id.language.as_str()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(raw: &str, locale: &str) -> String {
        let locale = Locale::parse(locale).unwrap();
        let formatted = format_price(&Money::parse(raw).unwrap(), &locale, &locale);
        formatted.replace(['\u{a0}', '\u{202f}'], " ")
    }

    #[test]
    fn prices_are_written_as_the_locale_writes_them() {
        assert_eq!(price("1275.00 SEK", "sv-SE"), "1 275,00 kr");
        assert_eq!(price("28.00 USD", "en-US"), "$28.00");
        assert_eq!(price("75800 PLN", "pl-PL"), "75 800,00 zł");
        assert_eq!(price("1299.5 EUR", "de-DE"), "1.299,50 €");
        assert_eq!(price("1299.5 EUR", "fi-FI"), "1 299,50 €");
        assert_eq!(price("15.0 EUR", "fr-FR"), "15,00 €");
        assert_eq!(price("189.00 RON", "ro-RO"), "189,00 lei");
        assert_eq!(price("1500 JPY", "ja-JP"), "￥1,500");
    }

    #[test]
    fn a_sign_is_the_shoppers_own_although_the_texts_are_in_english() {
        let english = Locale::parse("en").unwrap();
        let price = |raw, shopper| {
            format_price(&Money::parse(raw).unwrap(), &english, &Locale::parse(shopper).unwrap()).replace('\u{a0}', " ")
        };

        for shopper in ["es-MX", "es-AR", "es-CL", "zh-TW", "zh-HK", "ms-SG"] {
            assert_eq!(price("60 USD", shopper), "USD 60.00", "{shopper}");
        }
        assert_eq!((price("60 USD", "es-PR"), price("60 MXN", "es-MX")), ("$60.00".into(), "MX$60.00".into()));
        assert_eq!(price("60 EUR", "es-MX"), "€60.00");
    }

    #[test]
    fn a_sign_that_currencies_share_stands_for_the_locales_own() {
        for (raw, locale, written) in [
            ("199.00 SEK", "sv-FI", "199,00 SEK"),
            ("199.00 NOK", "sv-FI", "199,00 NOK"),
            ("199.00 EUR", "sv-FI", "199,00 €"),
            ("199.00 USD", "sv-FI", "199,00 USD"),
            ("199.00 CAD", "sv-FI", "199,00 CAD"),
            ("1500 CNY", "ja-JP", "CNY 1,500.00"),
            ("88650 ARS", "pl-PL", "88 650,00 ARS"),
            ("199.00 NOK", "nb-NO", "199,00 kr"),
            ("199.00 SEK", "sv", "199,00 kr"),
            ("199.00 DKK", "sv", "199,00 DKK"),
            ("28.00 USD", "en-AU", "USD 28.00"),
            ("28.00 AUD", "en-AU", "$28.00"),
            ("28.00 CAD", "en-US", "CAD 28.00"),
            ("28.00 GBP", "en-GB", "£28.00"),
        ] {
            assert_eq!(price(raw, locale), written, "{raw} in {locale}");
        }
    }

    #[test]
    fn a_sign_is_the_ordinary_one_of_the_language() {
        for (raw, locale, written) in [
            ("28.00 CHF", "de-CH", "CHF 28.00"),
            ("1500.00 UYU", "en-US", "UYU 1,500.00"),
            ("1500.00 DOP", "en-US", "DOP 1,500.00"),
            ("1500.00 XCD", "en-US", "EC$1,500.00"),
            ("1500.00 SYP", "en-GB", "SYP 1,500"),
            ("1500.00 NPR", "en-IN", "NPR 1,500.00"),
            ("1500.00 INR", "en-IN", "₹1,500.00"),
            ("1500.00 BRL", "pt-BR", "R$ 1.500,00"),
            ("199.00 RON", "ro-RO", "199,00 lei"),
            ("199.00 NOK", "nb", "199,00 kr"),
            ("199.00 ISK", "is-IS", "199 kr."),
        ] {
            assert_eq!(price(raw, locale), written, "{raw} in {locale}");
        }
        assert!(!price("28.00 EGP", "ar-EG").contains('£'));
    }

    #[test]
    fn an_amount_keeps_the_digits_that_its_currency_does_not_have() {
        for (raw, locale, written) in [
            ("0.125 EUR", "en-IE", "€0.125"),
            ("12999.50 HUF", "hu-HU", "12 999,50 Ft"),
            ("12999.00 HUF", "hu-HU", "12 999 Ft"),
            ("1299.500 SEK", "sv-SE", "1 299,50 kr"),
            ("1.2345 KWD", "en-KW", "KWD 1.2345"),
            ("1234.567 EUR", "de-DE", "1.234,567 €"),
        ] {
            assert_eq!(price(raw, locale), written, "{raw} in {locale}");
        }
    }

    #[test]
    fn the_digits_of_money_may_be_separated_otherwise_than_those_of_numbers() {
        for (raw, locale, written) in [
            ("1234567.50 EUR", "de-AT", "€ 1.234.567,50"),
            ("28.00 EUR", "de-AT", "€ 28,00"),
            ("1234.567 EUR", "de-AT", "€ 1.234,567"),
            ("12999.00 HUF", "de-AT", "HUF 12.999"),
            ("1234567.50 CHF", "fr-CH", "1'234'567.50 CHF"),
            ("28.00 EUR", "fr-CH", "28.00 €"),
            ("28.00 EUR", "fr-FR", "28,00 €"),
        ] {
            assert_eq!(price(raw, locale), written, "{raw} in {locale}");
        }
    }

    #[test]
    fn an_unknown_locale_or_a_rare_currency_still_gives_a_price() {
        assert!(price("12.00 XPF", "sv-SE").contains("12"));
        assert!(price("12.00 EUR", "xx-YY").contains("12"));
    }
}

use fixed_decimal::Decimal;
use icu_experimental::dimension::currency::CurrencyType;
use icu_experimental::dimension::currency::formatter::CurrencyFormatter;
use restock_domain::{Locale, Money};

/// Returns a price as it is written in a locale: `1 275,00 kr` in `sv-SE`, `$28.00` in `en-US`. A sign that several currencies
/// share stands only for the one of the locale's own country: others have their code, as in `1 275,00 NOK`. Fractions are
/// as many as the currency has (CLDR). What ICU doesn't know is written as `199.00 XXX`.
pub fn format_price(money: &Money, locale: &Locale) -> String {
    formatted(money, locale).unwrap_or_else(|| money.to_string())
}

fn formatted(money: &Money, locale: &Locale) -> Option<String> {
    let locale = icu_locale_core::Locale::try_from_str(locale.as_str()).ok()?;
    let currency = CurrencyType::try_from_str(money.currency.as_str()).ok()?;
    let amount = Decimal::try_from_str(&money.amount.to_string()).ok()?;
    let make = if is_clear(money, &locale) {
        CurrencyFormatter::try_new_symbol_narrow
    } else {
        CurrencyFormatter::try_new_code
    };
    let formatter = make((&locale).into(), currency, Default::default()).ok()?;
    Some(formatter.format_fixed_decimal(&amount).to_string())
}

/// Currencies that share their sign with another one, with the countries that have them and, for locales without a country,
/// the languages (ISO 4217, list one).
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

/// Returns true if the currency's sign can't be taken for another one's.
fn is_clear(money: &Money, locale: &icu_locale_core::Locale) -> bool {
    let Some((_, countries, languages)) = SHARED_SIGNS.iter().find(|(code, ..)| *code == money.currency.as_str())
    else {
        return true;
    };
    match locale.id.region {
        Some(region) => countries.contains(&region.as_str()),
        None => languages.contains(&locale.id.language.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(raw: &str, locale: &str) -> String {
        let formatted = format_price(&Money::parse(raw).unwrap(), &Locale::parse(locale).unwrap());
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
    fn a_sign_that_currencies_share_stands_for_the_locales_own() {
        for (raw, locale, written) in [
            ("199.00 SEK", "sv-FI", "199,00 SEK"),
            ("199.00 NOK", "sv-FI", "199,00 NOK"),
            ("199.00 EUR", "sv-FI", "199,00 €"),
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
    fn an_unknown_locale_or_a_rare_currency_still_gives_a_price() {
        assert!(price("12.00 XPF", "sv-SE").contains("12"));
        assert!(price("12.00 EUR", "xx-YY").contains("12"));
    }
}

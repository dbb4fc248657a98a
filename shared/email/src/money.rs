use fixed_decimal::Decimal;
use icu_experimental::dimension::currency::CurrencyType;
use icu_experimental::dimension::currency::formatter::CurrencyFormatter;
use restock_domain::{Locale, Money};

/// Returns a price as it is written in a locale: `1 275,00 kr` in `sv-SE`, `$28.00` in `en-US`. Fractions are as many as the
/// currency has (CLDR). What ICU doesn't know is written as `199.00 XXX`.
pub fn format_price(money: &Money, locale: &Locale) -> String {
    formatted(money, locale).unwrap_or_else(|| money.to_string())
}

fn formatted(money: &Money, locale: &Locale) -> Option<String> {
    let locale = icu_locale_core::Locale::try_from_str(locale.as_str()).ok()?;
    let currency = CurrencyType::try_from_str(money.currency.as_str()).ok()?;
    let amount = Decimal::try_from_str(&money.amount.to_string()).ok()?;
    let formatter = CurrencyFormatter::try_new_symbol_narrow((&locale).into(), currency, Default::default()).ok()?;
    Some(formatter.format_fixed_decimal(&amount).to_string())
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
    fn an_unknown_locale_or_currency_still_gives_a_price() {
        assert!(price("12.00 XYZ", "sv-SE").contains("12"));
        assert!(price("12.00 EUR", "xx-YY").contains("12"));
    }
}

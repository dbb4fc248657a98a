//! Subjects that a retailer wrote: texts in Fluent's syntax, with `{ $title }` and `{ $price }`.

use crate::fluent::{self, can_be_sent};
use restock_domain::{ErrorCode, Invalid};

/// Refuses a text that `format_subject` can't fill in.
pub fn check_subject(text: &str) -> Result<(), Invalid> {
    let refused = |message: &str| Err(Invalid::new(ErrorCode::InvalidSubject, message));
    match fill_in(text, "Wool socks", "199.00 SEK") {
        None => refused(
            "Write the title as { $title } and the price as { $price }; write other braces as {\"{\"} and {\"}\"}.",
        ),
        Some(subject) if !can_be_sent(&subject) => {
            refused("Write a subject that is not empty and has no control characters, nor escapes that stand for one.")
        }
        Some(_) => Ok(()),
    }
}

/// Returns the subject with title and price filled in. Returns `None` if the text is not one that [`check_subject`]
/// accepts, if nothing comes out, or if it shows a price that the product does not have.
pub fn format_subject(text: &str, title: &str, price: Option<&str>) -> Option<String> {
    if price.is_none() && fill_in(text, title, "1") != fill_in(text, title, "2") {
        return None;
    }
    fill_in(text, title, price.unwrap_or_default()).filter(|subject| can_be_sent(subject))
}

fn fill_in(text: &str, title: &str, price: &str) -> Option<String> {
    fluent::fill_in(text, &[("title", title), ("price", price)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_and_price_are_filled_in() {
        assert_eq!(
            format_subject("[Åter] { $title }, {$price}!", "Socks {a}", Some("5 kr")).unwrap(),
            "[Åter] Socks {a}, 5 kr!"
        );
        assert_eq!(format_subject("= .x #1", "a", None).unwrap(), "= .x #1");
    }

    #[test]
    fn what_ses_would_refuse_is_refused() {
        for bad in [r#"Back{"\u000A"}again"#, r#"{"\u0000"}"#, r#"{""}"#, r#"{" "}"#] {
            assert_eq!(check_subject(bad).unwrap_err().error_code, ErrorCode::InvalidSubject, "{bad}");
        }
        assert!(check_subject(r#"{"\u00E5"}ter: { $title }"#).is_ok());
        assert_eq!(
            format_subject("{ $title } for { $price }", "Socks", None),
            None,
            "the mail then has the usual subject"
        );
    }

    #[test]
    fn what_would_not_come_out_as_meant_is_refused() {
        for bad in
            ["{ $name }", "{ title }", "{title", "a }", "{ NUMBER($price) }", "{ -brand }", "{ $title ->\n *[x] y }"]
        {
            assert_eq!(check_subject(bad).unwrap_err().error_code, ErrorCode::InvalidSubject, "{bad}");
        }
    }
}

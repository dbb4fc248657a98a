//! The stored products that an import removes, and whether so many may go.

use crate::Stop;
use crate::survey::Comparison;
use restock_domain::{ErrorCode, Sku};

/// A feed of fewer products may well lose most of them in a day.
const ENOUGH_TO_JUDGE: usize = 10;

#[derive(Default)]
pub struct Gone {
    stored: usize,
    /// The file has them, but not so that they can be used: what is stored may be wrong by now.
    unusable: Vec<Sku>,
    missing: Vec<Sku>,
}

impl Gone {
    pub fn note(&mut self, sku: Sku, comparison: &Comparison) {
        self.stored += 1;
        match comparison {
            Comparison::Unchanged | Comparison::Changed => {}
            Comparison::Unusable => self.unusable.push(sku),
            Comparison::Missing => self.missing.push(sku),
        }
    }

    /// Keeps what is missing: it may be in the part of a file that could not be read.
    pub fn keep_missing(&mut self) {
        self.missing.clear();
    }

    /// Refuses a file that lacks more than half of the stored products, as one does that was written by half. What it
    /// has in a form that can't be used is not missing.
    pub fn judge(&self) -> Result<(), Stop> {
        let (missing, stored) = (self.missing.len(), self.stored);
        if stored < ENOUGH_TO_JUDGE || missing * 2 <= stored {
            return Ok(());
        }
        Err(Stop::Refused {
            error_code: ErrorCode::FeedShrank,
            message: format!(
                "{missing} of {stored} products are missing from the file, so nothing was changed. If that is right, start the import with ?allowShrink=true."
            ),
        })
    }

    pub fn into_skus(self) -> Vec<Sku> {
        [self.unusable, self.missing].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what goes of twelve products, of which some are compared so and the others are unchanged.
    fn gone(compared: usize, comparison: &Comparison) -> Gone {
        let mut gone = Gone::default();
        for n in 0..12 {
            let comparison = if n < compared { comparison } else { &Comparison::Unchanged };
            gone.note(Sku::parse(&format!("S{n}")).unwrap(), comparison);
        }
        gone
    }

    #[test]
    fn a_file_that_lacks_more_than_half_is_refused() {
        assert!(gone(7, &Comparison::Missing).judge().is_err());
        assert!(gone(6, &Comparison::Missing).judge().is_ok());
    }

    #[test]
    fn products_that_the_file_has_in_a_form_that_can_not_be_used_go_and_are_not_missing() {
        let gone = gone(7, &Comparison::Unusable);

        assert!(gone.judge().is_ok());
        assert_eq!(gone.into_skus().len(), 7);
    }

    #[test]
    fn a_file_that_breaks_off_removes_only_what_it_has() {
        let mut gone = gone(7, &Comparison::Missing);
        gone.note(Sku::parse("A").unwrap(), &Comparison::Unusable);

        gone.keep_missing();

        assert!(gone.judge().is_ok());
        assert_eq!(gone.into_skus(), [Sku::parse("A").unwrap()]);
    }
}

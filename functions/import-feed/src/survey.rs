//! The first look at a file: which items it has, which of them count, and whether they differ from what is stored.

use crate::file::{File, joined};
use crate::{Stop, serialized};
use restock_domain::{ErrorCode, ImportError, Product, Sku, hex};
use restock_feed::{End, Item, ItemFault};
use restock_store::RelatedBy;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Errors that are kept for showing.
pub const MAX_ERRORS: usize = 100;

/// A summary of a file: about 60 bytes for each item, whatever its size.
#[derive(Default)]
pub struct Survey {
    pub items: u64,
    pub rejected: u64,
    /// Why items can't be used, and what others are used without: as many of each as are shown.
    rejections: Vec<ImportError>,
    losses: Vec<ImportError>,
    seen: HashMap<[u8; 16], Seen>,
    /// Ids of items that can't be used.
    unusable: HashSet<[u8; 16]>,
}

struct Seen {
    /// Of several items with one id the last one counts.
    position: u64,
    digest: [u8; 16],
    unchanged: bool,
    /// It is used without a part.
    incomplete: bool,
}

/// The difference between a file and a stored product.
#[derive(Debug, PartialEq, Eq)]
pub enum Comparison {
    Unchanged,
    Changed,
    /// The file has the item, but not so that it can be used.
    Unusable,
    Missing,
}

/// Reads the whole file, and counts its items in `progress`.
pub async fn take(file: Arc<File>, progress: Arc<AtomicU64>) -> Result<(Survey, End), Stop> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut survey = Survey::default();
        let end = file.read(&mut |position, item| {
            survey.note(position, item);
            progress.store(survey.items, Ordering::Relaxed);
        })?;
        Ok((survey, end))
    });
    joined(reading.await)
}

impl Survey {
    /// Compares a stored product with the file's.
    pub fn compare(&mut self, sku: &Sku, stored: &str) -> Comparison {
        match self.seen.get_mut(&name(sku)) {
            None if self.unusable.contains(&name(sku)) => Comparison::Unusable,
            None => Comparison::Missing,
            Some(seen) if hex(&seen.digest) == stored => {
                seen.unchanged = true;
                Comparison::Unchanged
            }
            Some(_) => Comparison::Changed,
        }
    }

    /// Returns true if the item at this place is to be written.
    pub fn is_change(&self, sku: &Sku, position: u64) -> bool {
        self.seen.get(&name(sku)).is_some_and(|seen| seen.position == position && !seen.unchanged)
    }

    /// Refuses a file that says nothing about any product.
    pub fn judge(&self) -> Result<(), Stop> {
        if !(self.seen.is_empty() && self.unusable.is_empty()) {
            return Ok(());
        }
        let message = if self.items == 0 {
            "The file has only the line with the column names, so nothing was changed."
        } else {
            "No item of the file has an id that can be read, so nothing was changed. See what is wrong with the first ones."
        };
        Err(Stop::Refused { error_code: ErrorCode::NoUsableItems, message: message.into() })
    }

    /// Returns a digest of all items that count, the same in whatever order they come.
    pub fn content(&self) -> String {
        let of_item = |(name, seen): (&[u8; 16], &Seen)| u128::from_be_bytes(short(&[*name, seen.digest].concat()));
        hex(&self.seen.iter().map(of_item).fold(0, u128::wrapping_add).to_be_bytes())
    }

    /// Returns how many items count.
    pub fn used(&self) -> u64 {
        self.seen.len() as u64
    }

    pub fn unchanged(&self) -> u64 {
        self.seen.values().filter(|seen| seen.unchanged).count() as u64
    }

    /// Returns how many of the items that count are used without a part.
    pub fn incomplete(&self) -> u64 {
        self.seen.values().filter(|seen| seen.incomplete).count() as u64
    }

    /// Returns the first errors, in the order of the file. Those of items that can't be used go before what others are
    /// used without, of which a file may have one for each of its items.
    pub fn errors(&self) -> Vec<ImportError> {
        let mut errors: Vec<_> = self.rejections.iter().chain(&self.losses).take(MAX_ERRORS).cloned().collect();
        errors.sort_by_key(|error| error.position);
        errors
    }

    fn note(&mut self, position: u64, item: Result<Item, ItemFault>) {
        self.items += 1;
        let Item { product, left_out } = match item {
            Ok(item) => item,
            Err(fault) => {
                // Of an item that the file breaks off in, nothing is known to be wrong.
                let sku = fault.sku.as_deref().filter(|_| fault.error_code != ErrorCode::UnexpectedEnd);
                self.unusable.extend(sku.and_then(|sku| Sku::parse(sku).ok()).map(|sku| name(&sku)));
                return self.reject(position, fault);
            }
        };
        let incomplete = !left_out.is_empty();
        left_out.into_iter().for_each(|fault| keep(&mut self.losses, position, fault));
        let seen = Seen { position, digest: digest(&product, &serialized(&product)), unchanged: false, incomplete };
        if let Some(earlier) = self.seen.insert(name(product.sku()), seen) {
            let message = format!("Item {position} has the same id and comes later, so that one counts.");
            let sku = Some(product.sku().to_string());
            self.reject(earlier.position, ItemFault { sku, error_code: ErrorCode::DuplicateId, message });
        }
    }

    fn reject(&mut self, position: u64, fault: ItemFault) {
        self.rejected += 1;
        keep(&mut self.rejections, position, fault);
    }
}

fn keep(errors: &mut Vec<ImportError>, position: u64, fault: ItemFault) {
    if errors.len() < MAX_ERRORS {
        // They are stored with the feed, and a broken file may make anything of them.
        let short = |text: String| text.chars().take(300).collect::<String>();
        let ItemFault { sku, error_code, message } = fault;
        errors.push(ImportError::new(position, sku.map(short), error_code, short(message)));
    }
}

/// Returns what is stored with a product to tell whether it changed, from the product and its fields as JSON.
pub fn digest(product: &Product, data: &str) -> [u8; 16] {
    // One from before products had a place among others is written once more.
    let form = if RelatedBy::shown(product).is_some() { " placed" } else { "" };
    short(format!("{data}{form}").as_bytes())
}

fn name(sku: &Sku) -> [u8; 16] {
    short(sku.as_str().as_bytes())
}

/// Returns a digest of 128 bits, so that among millions of items no two are taken for one.
fn short(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(bytes)[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: &str, title: &str) -> Product {
        let fields = [("id", id), ("title", title), ("link", "https://shop.example")];
        Product::from_feed(fields.map(|(name, text)| (name.to_owned(), text.into())).into(), None).unwrap().0
    }

    fn item(id: &str, title: &str) -> Item {
        Item { product: product(id, title), left_out: Vec::new() }
    }

    #[test]
    fn of_two_items_with_one_id_the_last_counts_and_the_other_is_reported() {
        let mut survey = Survey::default();

        survey.note(1, Ok(item("A", "old")));
        survey.note(2, Ok(item("A", "new")));

        let sku = Sku::parse("A").unwrap();
        assert!(survey.is_change(&sku, 2) && !survey.is_change(&sku, 1));
        assert_eq!((survey.items, survey.rejected), (2, 1));
        assert_eq!((survey.errors()[0].position, survey.errors()[0].error_code.as_str()), (1, "DuplicateId"));
    }

    #[test]
    fn the_content_is_the_same_in_any_order_and_differs_with_each_item() {
        let content = |items: &[(&str, &str)]| {
            let mut survey = Survey::default();
            items.iter().zip(1..).for_each(|((id, title), at)| survey.note(at, Ok(item(id, title))));
            survey.content()
        };
        let both = content(&[("A", "Mug"), ("B", "Cup")]);

        assert_eq!(content(&[("B", "Cup"), ("A", "Mug")]), both);
        for other in [&[("A", "Mug")][..], &[("A", "Cup"), ("B", "Mug")], &[("A", "Mug"), ("B", "Cups")]] {
            assert_ne!(content(other), both);
        }
    }

    #[test]
    fn a_stored_product_goes_if_the_file_has_it_in_a_form_that_can_not_be_used() {
        let mut survey = Survey::default();
        let fault =
            ItemFault { sku: Some("A".into()), error_code: ErrorCode::MissingTitle, message: "x".repeat(10_000) };

        survey.note(1, Err(fault));

        assert_eq!(survey.compare(&Sku::parse("A").unwrap(), "anything"), Comparison::Unusable);
        assert!(survey.judge().is_ok() && survey.errors()[0].message.len() == 300);
    }

    #[test]
    fn a_file_in_which_no_id_can_be_read_says_nothing_about_products() {
        let mut survey = Survey::default();
        let fault = |sku: Option<&str>, error_code| ItemFault {
            sku: sku.map(ToOwned::to_owned),
            error_code,
            message: String::new(),
        };

        survey.note(1, Err(fault(None, ErrorCode::MissingId)));
        survey.note(2, Err(fault(Some(""), ErrorCode::InvalidId)));
        survey.note(3, Err(fault(Some("A"), ErrorCode::UnexpectedEnd)));

        assert_eq!(survey.compare(&Sku::parse("A").unwrap(), "anything"), Comparison::Missing);
        assert!(survey.judge().is_err());
    }

    #[test]
    fn items_that_can_not_be_used_are_shown_before_what_others_are_used_without() {
        let mut survey = Survey::default();
        let fault = |error_code| ItemFault {
            sku: Some("A".into()),
            error_code,
            message: "The item is used without it.".into(),
        };

        for position in 1..=5_000 {
            let product = product(&format!("S{position}"), "T");
            survey.note(position, Ok(Item { product, left_out: vec![fault(ErrorCode::InvalidPrice)] }));
        }
        survey.note(5_001, Err(fault(ErrorCode::MissingTitle)));

        let errors = survey.errors();
        assert_eq!((errors.len(), errors[0].position, errors[98].position), (100, 1, 99));
        assert_eq!((errors[99].position, errors[99].error_code.as_str()), (5_001, "MissingTitle"));
        assert_eq!((survey.rejected, survey.incomplete()), (1, 5_000));
    }

    #[test]
    fn an_item_that_can_be_used_counts_even_if_another_with_its_id_can_not() {
        let mut survey = Survey::default();
        let fault = ItemFault { sku: Some("A".into()), error_code: ErrorCode::InvalidLink, message: String::new() };

        survey.note(1, Ok(item("A", "T")));
        survey.note(2, Err(fault));

        assert_eq!(survey.compare(&Sku::parse("A").unwrap(), "anything"), Comparison::Changed);
    }

    #[test]
    fn a_stored_product_that_is_the_same_is_not_written_again() {
        let mut survey = Survey::default();
        survey.note(1, Ok(item("A", "T")));
        survey.note(2, Ok(item("B", "T")));

        let stored = hex(&digest(&product("A", "T"), &serialized(&product("A", "T"))));

        assert_eq!(survey.compare(&Sku::parse("A").unwrap(), &stored), Comparison::Unchanged);
        assert_eq!(survey.compare(&Sku::parse("B").unwrap(), &stored), Comparison::Changed);
        assert_eq!(survey.compare(&Sku::parse("C").unwrap(), &stored), Comparison::Missing);
        assert!(!survey.is_change(&Sku::parse("A").unwrap(), 1) && survey.is_change(&Sku::parse("B").unwrap(), 2));
    }
}

//! Notes, in a function's binary, of what its code may ask of AWS.
//!
//! A request is made by a constructor that is generic over what it touches, and that leaves a note of it. The linker
//! keeps the notes of the code that the function can reach, and drops the others. So a binary lists every permission
//! that any path of its function needs, whether a test runs that path or not; a test compares the lists with
//! `template.yaml`.

use std::collections::BTreeSet;
use std::marker::PhantomData;

/// Something that may be asked of AWS.
pub trait Access {
    /// As a policy names it, such as `dynamodb:PutItem`.
    const ACTION: &'static str;
    /// What it is asked of: the setting that names a table or queue, such as `CONTACTS_TABLE`.
    const RESOURCE: &'static str;
    /// The partition key of the items, where policies allow single ones; else empty.
    const LEADING_KEY: &'static str = "";
    /// True if it is asked of the table's indexes.
    const OF_INDEX: bool = false;
}

/// A note as it was read from a binary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Noted {
    pub action: String,
    pub resource: String,
    pub leading_key: String,
    pub of_index: bool,
}

/// In a line of its own, for whoever looks with `strings`.
const BEGIN: &[u8] = b"\nrestock asks AWS for ";
const END: u8 = b'\n';
const MAX_LENGTH: usize = 120;

struct Note<A>(PhantomData<A>);

impl<A: Access> Note<A> {
    const TEXT: &'static [u8; MAX_LENGTH] = &{
        let index = if A::OF_INDEX { "index" } else { "" };
        let parts: [&[u8]; 8] = [
            BEGIN,
            A::ACTION.as_bytes(),
            b" ",
            A::RESOURCE.as_bytes(),
            b" ",
            A::LEADING_KEY.as_bytes(),
            b" ",
            index.as_bytes(),
        ];
        joined(&parts)
    };
}

const fn joined(parts: &[&[u8]]) -> [u8; MAX_LENGTH] {
    let mut text = [END; MAX_LENGTH];
    let (mut part, mut length) = (0, 0);
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() {
            text[length] = parts[part][at];
            length += 1;
            at += 1;
        }
        part += 1;
    }
    assert!(length < MAX_LENGTH, "the text of a note is too long");
    text
}

/// Leaves a note in the binary, if the code that calls this is in it.
pub fn note<A: Access>() {
    std::hint::black_box(Note::<A>::TEXT);
}

/// Reads the notes in a binary.
pub fn notes_in(binary: &[u8]) -> BTreeSet<Noted> {
    let begins = binary.windows(BEGIN.len()).enumerate().filter(|(_, part)| *part == BEGIN);
    let texts = begins.filter_map(|(at, _)| {
        let text = &binary[at + BEGIN.len()..];
        std::str::from_utf8(&text[..text.iter().take(MAX_LENGTH).position(|byte| *byte == END)?]).ok()
    });
    let noted = texts.filter_map(|text| {
        let [action, resource, leading_key, index] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
        Some(Noted {
            action: action.to_owned(),
            resource: resource.to_owned(),
            leading_key: leading_key.to_owned(),
            of_index: index == "index",
        })
    });
    noted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PutOfKind;

    impl Access for PutOfKind {
        const ACTION: &'static str = "dynamodb:PutItem";
        const RESOURCE: &'static str = "CONFIGURATION_TABLE";
        const LEADING_KEY: &'static str = "feed";
    }

    #[test]
    fn a_note_is_read_as_it_was_left() {
        let binary = [b"\0\x7fELF".as_slice(), Note::<PutOfKind>::TEXT, b"\xff\xfe"].concat();

        let noted = Noted {
            action: "dynamodb:PutItem".into(),
            resource: "CONFIGURATION_TABLE".into(),
            leading_key: "feed".into(),
            of_index: false,
        };
        assert_eq!(notes_in(&binary), BTreeSet::from([noted]));
    }
}

//! Makes XML of what feeds have in its place, so that a parser passes over nothing but what is no item.
//!
//! Comments and processing instructions are dropped, CDATA becomes text, and a `<` that begins no tag is text too: in
//! `5 < 6</title>` a parser would else read a tag that reaches over `</title>`.

use std::io::{BufRead, Read, Result};

/// Bytes of a tag with its attributes; a feed's declare a few namespaces. What is longer is text.
const MAX_TAG: usize = 64 * 1024;

const COMMENT: &[u8] = b"<!--";
const INSTRUCTION: &[u8] = b"<?";
const CDATA: &[u8] = b"<![CDATA[";
const DOCTYPE: &[u8] = b"<!DOCTYPE";
const CDATA_END: &[u8] = b"]]>";
/// Bytes of the longest end of an item, with a prefix.
const MAX_END: usize = 80;
/// Bytes behind the end of an item in CDATA that are held until it is known whether that is over.
const MAX_HELD: usize = 64 * 1024;

/// Where in the file the next byte stands.
enum Place {
    Text,
    /// In what begins with `<`, which is held until it is known what it is; within a quote, if there is one.
    Markup {
        quote: Option<u8>,
    },
    /// In a comment or a processing instruction, which is passed over until its end.
    Hidden(Hidden),
    /// Perhaps its end is missing: an item has ended since, which is held with what is behind it.
    Cdata {
        perhaps_over: Option<ItemEnd>,
    },
    /// In a document type, and there perhaps within its declarations.
    Doctype {
        declarations: bool,
    },
}

/// What nobody is shown. Within an item it is held, and is text if the item ends before it does.
#[derive(Clone, Copy)]
struct Hidden {
    begin: &'static [u8],
    end: &'static [u8],
    is_held: bool,
}

/// Bytes of the end of an item within CDATA.
#[derive(Clone, Copy)]
struct ItemEnd(usize);

pub struct Clean<R> {
    input: R,
    place: Place,
    in_item: bool,
    /// The CDATA at hand has had an end of an item that was taken as text, as too much came behind it.
    had_item_end: bool,
    /// Bytes that are not decided on: a tag so far, or what may be the end of a comment or of CDATA.
    held: Vec<u8>,
    output: Vec<u8>,
    used: usize,
}

impl<R: BufRead> Clean<R> {
    pub fn new(input: R) -> Self {
        let (held, output) = (Vec::new(), Vec::new());
        Self { input, place: Place::Text, in_item: false, had_item_end: false, held, output, used: 0 }
    }
}

impl<R> Clean<R> {
    /// Takes text and the `<` behind it, and returns what is left.
    fn take_text<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (text, markup) = bytes.split_at(bytes.iter().position(|byte| *byte == b'<').unwrap_or(bytes.len()));
        self.output.extend_from_slice(text);
        let Some(rest) = markup.get(1..) else { return markup };
        self.begin_markup();
        rest
    }

    /// Takes a byte of what is no text.
    fn take(&mut self, byte: u8) {
        match self.place {
            Place::Text => {}
            Place::Markup { .. } if byte == b'<' => {
                self.give_as_text();
                self.begin_markup();
            }
            Place::Markup { quote } => {
                self.held.push(byte);
                self.decide(byte, quote);
            }
            Place::Hidden(hidden) => {
                self.held.push(byte);
                self.pass_over(hidden);
            }
            Place::Cdata { perhaps_over } => {
                self.held.push(byte);
                self.go_on_in_cdata(perhaps_over);
            }
            Place::Doctype { declarations } => match byte {
                b'[' | b']' => self.place = Place::Doctype { declarations: byte == b'[' },
                b'>' if !declarations => self.place = Place::Text,
                _ => {}
            },
        }
    }

    /// Decides on the held bytes of CDATA. Where another one begins behind the end of an item, that item has forgotten
    /// to end its own.
    fn go_on_in_cdata(&mut self, perhaps_over: Option<ItemEnd>) {
        if self.held.ends_with(CDATA_END) {
            self.held.truncate(self.held.len() - CDATA_END.len());
            self.give_held(self.held.len());
            self.place = Place::Text;
            self.had_item_end = false;
        } else if let Some(end) = perhaps_over {
            if self.held.ends_with(CDATA) {
                self.end_cdata_at_item(end);
            } else if self.held.len() > MAX_HELD {
                self.give_held(self.held.len() - MAX_END);
                self.place = Place::Cdata { perhaps_over: None };
                self.had_item_end = true;
            }
        } else if let Some(end) = item_end(&self.held) {
            self.give_held(self.held.len() - end.0);
            self.place = Place::Cdata { perhaps_over: Some(end) };
        } else {
            self.give_held(self.held.len().saturating_sub(MAX_END));
        }
    }

    /// Takes what is held from the end of an item on as what it would be if CDATA had ended before.
    fn end_cdata_at_item(&mut self, ItemEnd(end): ItemEnd) {
        self.place = Place::Text;
        let held = std::mem::take(&mut self.held);
        // Items before are lost in the text: an end without a beginning says so.
        if std::mem::take(&mut self.had_item_end) {
            self.feed(&held[..end]);
        }
        self.feed(&held);
    }

    /// Gives held bytes of CDATA as text.
    fn give_held(&mut self, bytes: usize) {
        for byte in self.held.drain(..bytes) {
            match byte {
                b'<' => self.output.extend_from_slice(b"&lt;"),
                b'&' => self.output.extend_from_slice(b"&amp;"),
                byte => self.output.push(byte),
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let [byte, others @ ..] = rest {
            if let Place::Text = self.place {
                rest = self.take_text(rest);
            } else {
                self.take(*byte);
                rest = others;
            }
        }
    }

    fn begin_markup(&mut self) {
        self.held.push(b'<');
        self.place = Place::Markup { quote: None };
    }

    /// Decides what the held bytes are, of which `byte` is the last, as soon as they tell.
    fn decide(&mut self, byte: u8, quote: Option<u8>) {
        let held = self.held.as_slice();
        let known = match held {
            COMMENT => Some(self.hidden(COMMENT, b"-->")),
            CDATA => Some(Place::Cdata { perhaps_over: None }),
            INSTRUCTION => Some(self.hidden(INSTRUCTION, b"?>")),
            _ if held.eq_ignore_ascii_case(DOCTYPE) => Some(Place::Doctype { declarations: false }),
            _ => None,
        };
        if let Some(place) = known {
            self.held.clear();
            self.place = place;
            return;
        }
        let begins = |whole: &[u8]| whole.len() >= held.len() && whole[..held.len()].eq_ignore_ascii_case(held);
        let is_possible = match held[1] {
            b'!' => [COMMENT, CDATA, DOCTYPE].into_iter().any(begins),
            b'/' | b'_' | b':' | 128.. => true,
            first => first.is_ascii_alphabetic(),
        };
        if !is_possible || held.len() > MAX_TAG {
            return self.give_as_text();
        }
        // End tags have no attributes.
        let quote = match (quote, byte) {
            (None, b'"' | b'\'') if held[1] != b'/' => Some(byte),
            (Some(open), byte) if open == byte => None,
            (quote, _) => quote,
        };
        self.place = Place::Markup { quote };
        if byte == b'>' && quote.is_none() {
            if let Some(name) = item_tag(&self.held) {
                self.in_item = !name.is_end;
            }
            self.output.append(&mut self.held);
            self.place = Place::Text;
        }
    }

    fn give_as_text(&mut self) {
        self.output.extend_from_slice(b"&lt;");
        self.output.extend_from_slice(&self.held[1..]);
        self.held.clear();
        self.place = Place::Text;
    }

    fn hidden(&self, begin: &'static [u8], end: &'static [u8]) -> Place {
        Place::Hidden(Hidden { begin, end, is_held: self.in_item })
    }

    /// Decides on the held bytes of what nobody is shown. An item that ends in it, and did not begin there, has it as
    /// text.
    fn pass_over(&mut self, hidden: Hidden) {
        let Hidden { end, is_held, .. } = hidden;
        if self.held.ends_with(end) {
            self.held.clear();
            self.place = Place::Text;
        } else if !is_held {
            self.held.drain(..self.held.len().saturating_sub(end.len() - 1));
        } else if item_end(&self.held).is_some() && !has_item(&self.held) {
            self.take_hidden_as_text(hidden);
        } else if self.held.len() > MAX_HELD {
            self.place = Place::Hidden(Hidden { is_held: false, ..hidden });
        }
    }

    fn take_hidden_as_text(&mut self, Hidden { begin, .. }: Hidden) {
        self.output.extend_from_slice(b"&lt;");
        self.output.extend_from_slice(&begin[1..]);
        self.place = Place::Text;
        let held = std::mem::take(&mut self.held);
        self.feed(&held);
    }
}

impl<R: BufRead> BufRead for Clean<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        while self.used == self.output.len() {
            self.output.clear();
            self.used = 0;
            let input = self.input.fill_buf()?;
            let bytes = input.len();
            if bytes == 0 {
                // The file breaks off in a tag, which the parser says.
                match self.place {
                    Place::Markup { .. } => self.output.append(&mut self.held),
                    Place::Hidden(hidden) if hidden.is_held => self.take_hidden_as_text(hidden),
                    // Without an end anywhere, nobody can tell how much of what was taken as text were items.
                    Place::Cdata { perhaps_over: Some(end) } if !self.had_item_end => self.end_cdata_at_item(end),
                    Place::Cdata { .. } => self.give_held(self.held.len()),
                    _ => {}
                }
                break;
            }
            let input = input.to_vec();
            self.feed(&input);
            self.input.consume(bytes);
        }
        Ok(&self.output[self.used..])
    }

    fn consume(&mut self, bytes: usize) {
        self.used += bytes;
    }
}

impl<R: BufRead> Read for Clean<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

/// A tag that begins or ends an item.
struct ItemTag {
    is_end: bool,
}

/// Returns what a tag, such as `<item>` or `</atom:entry>`, does with an item; `None` for any other tag.
fn item_tag(tag: &[u8]) -> Option<ItemTag> {
    let within = tag.strip_prefix(b"<")?.strip_suffix(b">")?;
    let (is_end, within) = within.strip_prefix(b"/").map_or((within.ends_with(b"/"), within), |name| (true, name));
    let name = within.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next()?;
    let local = name.rsplit(|byte| *byte == b':').next()?;
    let is_item = local.eq_ignore_ascii_case(b"item") || local.eq_ignore_ascii_case(b"entry");
    is_item.then_some(ItemTag { is_end })
}

/// Returns the end of an item that the bytes end with, such as `</item>` or `</atom:entry>`.
fn item_end(held: &[u8]) -> Option<ItemEnd> {
    let begin = held.strip_suffix(b">")?.iter().rposition(|byte| *byte == b'<')?;
    let tag = &held[begin..];
    (tag.starts_with(b"</") && item_tag(tag).is_some()).then_some(ItemEnd(tag.len()))
}

/// Returns true if an item begins in the bytes.
fn has_item(held: &[u8]) -> bool {
    let mut tags = held.split(|byte| *byte == b'<').skip(1);
    tags.any(|tag| {
        let name =
            tag.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/')).next().unwrap_or_default();
        item_tag(&[b"<", name, b">"].concat()).is_some_and(|tag| !tag.is_end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    /// Returns what is made of a file, whatever parts it comes in.
    fn clean(file: &str) -> String {
        let of = |capacity| {
            let mut cleaned = String::new();
            Clean::new(BufReader::with_capacity(capacity, file.as_bytes())).read_to_string(&mut cleaned).unwrap();
            cleaned
        };
        assert_eq!(of(1), of(1024));
        of(3)
    }

    #[test]
    fn what_is_no_tag_is_dropped_or_text() {
        for (file, cleaned) in [
            ("<?xml version=\"1.0\"?><!DOCTYPE rss [<!ENTITY a \"b\">]><a>", "<a>"),
            ("a<!-- <item> -- > --->b<!---->c", "abc"),
            ("<![CDATA[5 < 6 & ]] ]]]>b", "5 &lt; 6 &amp; ]] ]b"),
            ("5 < 6</a>", "5 &lt; 6</a>"),
            ("1<2<<a>", "1&lt;2&lt;<a>"),
            ("<!5 <!-x <![CDAT", "&lt;!5 &lt;!-x <![CDAT"),
            ("<a b=\"1 > 2\" c='\"'/>", "<a b=\"1 > 2\" c='\"'/>"),
            ("<a b=\"1></a><c>", "&lt;a b=\"1></a><c>"),
            ("</it's><é>", "</it's><é>"),
            ("<a", "<a"),
            ("<item>a<?b</item><item>c?></item>", "<item>a&lt;?b</item><item>c?></item>"),
            ("<item>a<!-- b</item><item>c--></item>", "<item>a&lt;!-- b</item><item>c--></item>"),
            ("<item>a<!-- <item>b</item> -->c<?d e?></item><!-- </item> -->", "<item>ac</item>"),
            ("<item>a<!-- b", "<item>a&lt;!-- b"),
            ("<![CDATA[a</b></item><item>]]><c>", "a&lt;/b>&lt;/item>&lt;item><c>"),
            ("<![CDATA[a</b></item><item><![CDATA[<d>]]><c>", "a&lt;/b></item><item>&lt;d><c>"),
            ("<![CDATA[</items></entry></entry>", "&lt;/items></entry></entry>"),
            ("<![CDATA[ <![CDATA[ ]]>", " &lt;![CDATA[ "),
            ("a<!-- <b>", "a"),
        ] {
            assert_eq!(clean(file), cleaned, "{file}");
        }
    }

    #[test]
    fn a_tag_of_many_bytes_is_text() {
        let long = "x".repeat(MAX_TAG);

        assert_eq!(clean(&format!("<a {long}><b>")), format!("&lt;a {long}><b>"));
    }
}

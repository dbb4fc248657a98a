//! Texts of others as people may be shown them: titles of products and names of contacts.

use unicode_segmentation::UnicodeSegmentation;

/// Characters of a title in a subject line.
const MAX_TITLE: usize = 150;
/// Characters of a name in a greeting.
const MAX_NAME: usize = 40;

/// Returns a title for a subject line: one line, without marks that change the direction of what follows, and cut
/// between two characters as readers see them.
pub fn one_line(title: &str) -> String {
    let words: Vec<&str> = title
        .split(|c: char| c.is_whitespace() || c.is_control() || turns_text(c))
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    // A letter may have a few marks, and not hundreds.
    let too_long = line.char_indices().nth(4 * MAX_TITLE).map(|(at, _)| at);
    match line.grapheme_indices(true).nth(MAX_TITLE).map(|(at, _)| at).into_iter().chain(too_long).min() {
        Some(cut) => format!("{}…", line[..cut].trim_end()),
        None => line,
    }
}

/// Returns a name as it stands in a greeting; nothing for what is no name but a message or a link.
pub fn name_to_greet(name: &str) -> Option<String> {
    let name = one_line(name);
    let is_link = |word: &str| {
        // Browsers take each of these for the dot of a domain.
        let dots = ['.', '。', '．', '｡', '․'];
        let after_dot = word.trim_end_matches(dots).split(dots).skip(1).last().unwrap_or_default();
        word.contains([':', '@', '/']) || after_dot.chars().count() > 1
    };
    // A letter may have a few marks, and not hundreds.
    let fits = name.graphemes(true).count() <= MAX_NAME && name.chars().count() <= 4 * MAX_NAME;
    let greeted = name.chars().any(char::is_alphanumeric) && fits && !name.split(' ').any(is_link);
    greeted.then_some(name)
}

/// Returns true for the marks that embed, override or isolate a direction (Unicode Standard Annex 9).
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

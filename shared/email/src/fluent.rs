//! Texts that a retailer wrote, in Fluent's syntax.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};

/// Returns a text with its variables filled in; `None` if it is not one text with only these variables.
pub fn fill_in(text: &str, variables: &[(&str, &str)]) -> Option<String> {
    let resource =
        FluentResource::try_new(format!("text = {text}")).ok().filter(|resource| resource.entries().count() == 1)?;
    let mut bundle = FluentBundle::default();
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).ok()?;
    let pattern = bundle.get_message("text")?.value()?;
    let arguments: FluentArgs = variables.iter().copied().collect();
    let mut errors = Vec::new();
    let formatted = bundle.format_pattern(pattern, Some(&arguments), &mut errors).into_owned();
    errors.is_empty().then_some(formatted)
}

/// Returns true if SES takes the text as a subject, and a reader sees something of it, in its own direction.
pub fn can_be_sent(text: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}');
    is_visible(text) && !text.chars().any(|c| c.is_control() || turns(c))
}

/// Returns true if a text has something that is seen: more than spaces and marks of no width.
pub fn is_visible(text: &str) -> bool {
    let has_no_width = |c: char| {
        matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().any(|c| !c.is_whitespace() && !has_no_width(c))
}

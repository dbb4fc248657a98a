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

/// Returns true if SES takes the text as a subject.
pub fn can_be_sent(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

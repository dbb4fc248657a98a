//! Templates, ready to be filled in. MJML becomes HTML once; values are put in afterwards and escaped, so no value is
//! ever read as markup.

use crate::markup::check_markup;
use crate::parts::{Part, Parts, Unusable, escaped};
use crate::personal::Which;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value};
use mrml::prelude::parser::Error as MjmlError;
use mrml::prelude::render::RenderOptions;
use restock_domain::{Template, TemplateId, TemplateSource};
use serde::Serialize;
use strum::IntoEnumIterator;

/// A compiled-in template.
struct BuiltIn {
    id: &'static str,
    name: &'static str,
    mjml: &'static str,
}

const BUILT_IN: [BuiltIn; 2] = [
    BuiltIn { id: "back-in-stock", name: "Back in stock", mjml: include_str!("../templates/back-in-stock.mjml") },
    BuiltIn { id: "letter", name: "Letter", mjml: include_str!("../templates/letter.mjml") },
];

/// The text part of templates that have none of their own.
const TEXT: &str = include_str!("../templates/back-in-stock.txt");

/// What templates share, as they name it in `mj-include`.
const PARTS: [(&str, &str); 4] = [
    ("head.mjml", include_str!("../templates/head.mjml")),
    ("header.mjml", include_str!("../templates/header.mjml")),
    ("footer.mjml", include_str!("../templates/footer.mjml")),
    ("related.mjml", include_str!("../templates/related.mjml")),
];

/// Steps of filling in a template: a hundred times what the compiled-in ones take (decision 19).
const FUEL: u64 = 100_000;
// Their endings say whether values are escaped.
const HTML_NAME: &str = "mail.html";
const TEXT_NAME: &str = "mail.txt";
const SOURCE_NAME: &str = "source";

/// A template, ready to be filled in.
pub struct Compiled {
    environment: Environment<'static>,
}

impl Compiled {
    /// Makes a template ready for mails. A value that is missing is written as nothing.
    pub fn of(template: &Template) -> Result<Self, Unusable> {
        Self::with(template, empty(write_value))
    }

    /// Makes a template ready for being tried: refuses what mrml would write otherwise than it stands there, and values
    /// that are missing.
    pub fn strictly(template: &Template) -> Result<Self, Unusable> {
        if let TemplateSource::Mjml(source) = &template.html {
            check_markup(source)?;
        }
        check_statements(Part::Text, template.text.as_deref().unwrap_or_default())?;
        Self::with(template, strict())
    }

    fn with(template: &Template, mut environment: Environment<'static>) -> Result<Self, Unusable> {
        let html = match &template.html {
            TemplateSource::Mjml(source) => html_of(source)?,
            TemplateSource::Html(source) => source.clone(),
        };
        let text = template.text.as_deref().unwrap_or(TEXT);
        add(&mut environment, HTML_NAME, Part::Html, html)?;
        add(&mut environment, TEXT_NAME, Part::Text, text.to_owned())?;
        Ok(Self { environment })
    }

    pub fn fill(&self, variables: &impl Serialize) -> Result<Parts, Unusable> {
        let fill = |name, part| {
            let filled = self.environment.get_template(name).and_then(|template| template.render(Serde(variables)));
            filled.map_err(|error| Unusable::of(part, &error))
        };
        Ok(Parts { html: fill(HTML_NAME, Part::Html)?, text: fill(TEXT_NAME, Part::Text)? })
    }

    /// Refuses a text part that asks for what no mail has, even where it may be missing.
    pub fn check_names(&self, variables: &impl Serialize) -> Result<(), Unusable> {
        check_names(&self.environment, TEXT_NAME, Part::Text, variables)
    }
}

/// The source of an HTML part as it is written, so that an error names the line that its author sees.
pub struct AsWritten {
    environment: Environment<'static>,
    whole: Whole,
}

impl AsWritten {
    pub fn of(source: &TemplateSource) -> Result<Self, Unusable> {
        let source = source.text();
        check_statements(Part::Html, source)?;
        let whole = Whole::of(source);
        let mut environment = strict();
        let added = add(&mut environment, SOURCE_NAME, Part::Html, whole.text.clone());
        added.map_err(|unusable| whole.of_source(unusable))?;
        Ok(Self { environment, whole })
    }

    pub fn fill(&self, variables: &impl Serialize) -> Result<(), Unusable> {
        let filled = self.environment.get_template(SOURCE_NAME).and_then(|source| source.render(Serde(variables)));
        filled.map(drop).map_err(|error| self.whole.of_source(Unusable::of(Part::Html, &error)))
    }

    /// Refuses a source that asks for what no mail has, even where it may be missing.
    pub fn check_names(&self, variables: &impl Serialize) -> Result<(), Unusable> {
        let checked = check_names(&self.environment, SOURCE_NAME, Part::Html, variables);
        checked.map_err(|unusable| self.whole.of_source(unusable))
    }
}

/// Returns a compiled-in template.
pub fn built_in_template(id: &TemplateId) -> Option<Template> {
    BUILT_IN.iter().find(|template| template.id == id.as_str()).map(BuiltIn::template)
}

/// Returns the compiled-in template that automations have which name none.
pub fn default_template() -> Template {
    BUILT_IN[0].template()
}

/// Returns all templates that are compiled in.
pub fn built_in_templates() -> Vec<Template> {
    BUILT_IN.iter().map(BuiltIn::template).collect()
}

impl BuiltIn {
    fn template(&self) -> Template {
        Template {
            id: TemplateId::restore(self.id),
            name: Some(self.name.to_owned()),
            html: TemplateSource::Mjml(self.mjml.to_owned()),
            text: Some(TEXT.to_owned()),
            version: 0,
            updated_on: None,
        }
    }
}

impl Unusable {
    fn of(part: Part, error: &minijinja::Error) -> Self {
        let detail = error.detail().filter(|detail| *detail != MAY_BE_MISSING);
        if error.kind() != ErrorKind::UndefinedError {
            let reason =
                detail.map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
            return Self { part, line: error.line(), reason };
        }
        // Only an environment that a template is tried in knows which code it is.
        let code = error.template_source().zip(error.range()).and_then(|(source, range)| source.get(range));
        let code = code.map(|code| format!("`{}` is undefined", code.trim()));
        let what = detail.map(ToOwned::to_owned).or(code).unwrap_or_else(|| error.kind().to_string());
        let reason = format!("{what}: {MAY_BE_MISSING}");
        Self { part, line: error.line(), reason }
    }
}

const MAY_BE_MISSING: &str =
    "there is no such variable, or it may be missing; then put {% if … %} and {% endif %} around it";

/// Returns an environment for a template that is tried. Values come from feeds and from shoppers, so it has no way to
/// leave them unescaped; those that were stored with one before go on.
fn strict() -> Environment<'static> {
    let mut environment = empty(write_what_is_there);
    environment.remove_filter("safe");
    // Errors then have the code that they are about.
    environment.set_debug(true);
    environment
}

type Formatter = fn(&mut Output<'_>, &mut State<'_, '_>, &Value) -> Result<(), minijinja::Error>;

fn empty(formatter: Formatter) -> Environment<'static> {
    let mut environment = Environment::new();
    // Strict, except that a condition may ask for what is missing.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    // It would show all variables to a shopper.
    environment.remove_global("debug");
    environment.set_formatter(formatter);
    environment
}

/// Variables with members that are the same in every mail. The fields of a product are the feed's own.
const WITH_FIXED_MEMBERS: [&str; 4] = ["brand", "dark", "light", "t"];

/// Refuses a source that asks for a name that isn't among the variables: a condition may ask for what is missing, so
/// that nothing else would tell that a name in it is misspelt.
fn check_names(
    environment: &Environment<'_>,
    name: &str,
    part: Part,
    variables: &impl Serialize,
) -> Result<(), Unusable> {
    let Ok(template) = environment.get_template(name) else { return Ok(()) };
    let variables = Value::from(Serde(variables));
    let is_there = |value: &Value, name: &str| value.get_attr(name).is_ok_and(|value| !value.is_undefined());
    let is_known = |path: &str| {
        let (first, member) = path.split_once('.').unwrap_or((path, ""));
        let member = member.split('.').next().filter(|member| !member.is_empty());
        if environment.globals().any(|(global, _)| global == first) {
            return true;
        }
        let has = |member| variables.get_attr(first).is_ok_and(|value| is_there(&value, member));
        is_there(&variables, first) && (!WITH_FIXED_MEMBERS.contains(&first) || member.is_none_or(has))
    };
    let Some(unknown) = template.undeclared_variables(true).into_iter().filter(|path| !is_known(path)).min() else {
        return Ok(());
    };
    let line =
        template.source().lines().position(|line| line.contains('{') && line.contains(&unknown)).map(|index| index + 1);
    let of =
        unknown.split_once('.').and_then(|(first, _)| variables.get_attr(first).ok()).filter(|of| !of.is_undefined());
    let mut names: Vec<String> =
        of.unwrap_or(variables).try_iter().into_iter().flatten().map(|name| name.to_string()).collect();
    names.sort();
    let reason = format!("There is no variable `{unknown}`. These there are: {}.", names.join(", "));
    Err(Unusable { part, line, reason })
}

fn add(environment: &mut Environment<'static>, name: &'static str, part: Part, source: String) -> Result<(), Unusable> {
    environment.add_template_owned(name, source).map_err(|error| Unusable::of(part, &error))
}

/// Refuses statements that would have values unescaped, or make a mail depend on who gets it.
fn check_statements(part: Part, source: &str) -> Result<(), Unusable> {
    let (mut rest, mut line) = (source, 1);
    while let Some((before, code)) = rest.split_once("{%") {
        line += before.matches('\n').count();
        let (statement, behind) = code.split_once("%}").unwrap_or((code, ""));
        let words = || statement.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
        let reason = if words().next() == Some("autoescape") {
            Some("autoescape can't be changed: values come from feeds and from shoppers, and are always escaped.")
        } else if words().any(|word| Which::iter().any(|which| <&str>::from(which) == word)) {
            Some(
                "greeting, unsubscribe_url and also_waiting differ between recipients, so nothing can depend on them: write them as they are, such as {{ greeting }}.",
            )
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(Unusable { part, line: Some(line), reason: reason.into() });
        }
        line += statement.matches('\n').count();
        rest = behind;
    }
    Ok(())
}

/// A source with the shared parts in it. mrml includes files too, but renders their sections as wide as the screen.
struct Whole {
    text: String,
    /// Of each line, the line of the source that it comes from.
    lines: Vec<usize>,
}

impl Whole {
    fn of(source: &str) -> Self {
        let (mut text, mut lines) = (String::new(), Vec::new());
        for (index, line) in source.split_inclusive('\n').enumerate() {
            let include = |line: String, (name, part): &(&str, &str)| {
                line.replace(&format!("<mj-include path=\"{name}\" />"), part)
            };
            let line = PARTS.iter().fold(line.to_owned(), include);
            lines.extend(line.split_inclusive('\n').map(|_| index + 1));
            text += &line;
        }
        Self { text, lines }
    }

    /// Returns an error with its line in the source.
    fn of_source(&self, unusable: Unusable) -> Unusable {
        Unusable { line: unusable.line.and_then(|line| self.line(line)), ..unusable }
    }

    /// Returns the line of the source that a line of the whole comes from.
    fn line(&self, whole: usize) -> Option<usize> {
        self.lines.get(whole.checked_sub(1)?).copied()
    }
}

fn html_of(mjml: &str) -> Result<String, Unusable> {
    let whole = Whole::of(mjml);
    let parsed = mrml::parse(&whole.text).map_err(|error| {
        let before = position(&error).and_then(|position| whole.text.get(..position));
        let line = before.and_then(|before| whole.line(before.matches('\n').count() + 1));
        Unusable { part: Part::Html, line, reason: format!("The MJML can't be read: {}", reason(&error)) }
    })?;
    // No fonts: the email loads nothing but the logo and the product's image.
    let options = RenderOptions { disable_comments: true, social_icon_origin: None, fonts: Default::default() };
    let rendered = parsed.element.render(&options);
    let html = rendered.map_err(|error| Unusable::new(Part::Html, format!("The MJML can't be rendered: {error}")))?;
    // mrml passes on what it does not know, and drops text where it expects elements.
    if let Some(name) = html.split("<mj-").nth(1).and_then(|rest| rest.split([' ', '>', '/']).next()) {
        let line = mjml.lines().position(|line| line.contains(&format!("<mj-{name}"))).map(|index| index + 1);
        return Err(Unusable {
            part: Part::Html,
            line,
            reason: format!("There is no element mj-{name}, or not here."),
        });
    }
    if html.matches("{%").count() < whole.text.matches("{%").count() {
        let reason = "Code such as {% if … %} that stands between MJML elements is lost. Put it into mj-raw.";
        return Err(Unusable::new(Part::Html, reason));
    }
    Ok(html)
}

fn reason(error: &MjmlError) -> String {
    match error {
        MjmlError::UnexpectedElement { .. } => "an element can't stand here.".into(),
        MjmlError::UnexpectedToken { .. } => "something can't stand here; is every element closed?".into(),
        MjmlError::MissingAttribute { name, .. } => format!("an element lacks the attribute {name}."),
        MjmlError::InvalidAttribute { .. } => "an attribute can't be read.".into(),
        MjmlError::InvalidFormat { .. } => "a value can't be read.".into(),
        MjmlError::EndOfStream { .. } => "it ends too early; is every element closed?".into(),
        MjmlError::SizeLimit { .. } => "it is too large.".into(),
        MjmlError::ParserError { source, .. } => format!("{source}."),
        MjmlError::NoRootNode => "it needs an element mjml around all others.".into(),
        MjmlError::IncludeLoaderError { .. } => {
            let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
            format!("mj-include takes {}, written as <mj-include path=\"…\" />.", names.join(", "))
        }
    }
}

fn position(error: &MjmlError) -> Option<usize> {
    match error {
        MjmlError::UnexpectedElement { position, .. }
        | MjmlError::UnexpectedToken { position, .. }
        | MjmlError::MissingAttribute { position, .. }
        | MjmlError::InvalidAttribute { position, .. }
        | MjmlError::InvalidFormat { position, .. }
        | MjmlError::IncludeLoaderError { position, .. } => Some(position.start),
        MjmlError::EndOfStream { .. }
        | MjmlError::SizeLimit { .. }
        | MjmlError::ParserError { .. }
        | MjmlError::NoRootNode => None,
    }
}

/// Writes a value as [`write_value`] does, but refuses one that is missing.
fn write_what_is_there(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if value.is_none() {
        return Err(minijinja::Error::new(ErrorKind::UndefinedError, MAY_BE_MISSING));
    }
    write_value(output, state, value)
}

/// Writes a value into a template, and escapes in HTML what has a meaning there. A slash has none, so links stay
/// readable.
fn write_value(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    if value.is_none() {
        return Ok(());
    }
    // A field of the feed that repeats is written as people write a list, and one with parts is no text.
    match value.kind() {
        ValueKind::Seq => {
            for (place, one) in value.try_iter()?.enumerate() {
                if place > 0 {
                    output.write_str(", ").map_err(minijinja::Error::from)?;
                }
                write_value(output, state, &one)?;
            }
            return Ok(());
        }
        ValueKind::Map => {
            let detail = "this has parts; write the name of one behind a dot";
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, detail));
        }
        _ => {}
    }
    let text = value.as_str().filter(|_| !value.is_safe());
    let (AutoEscape::Html, Some(text)) = (state.auto_escape(), text) else {
        return minijinja::escape_formatter(output, state, value);
    };
    output.write_str(&escaped(text)).map_err(minijinja::Error::from)
}

//! The parts of the project's files that are printed from the contract: `cargo openapi` writes them, and a test
//! compares them.

use crate::endpoints;
use crate::openapi;
use restock_domain::ErrorCode;
use std::collections::BTreeMap;
use strum::IntoEnumIterator;

/// A file, and how its text is made of the text that it has.
pub struct Printed {
    /// From the root of the project.
    pub path: &'static str,
    pub print: fn(&str) -> Result<String, String>,
}

/// Every file that has a part of the contract in it.
pub const DOCUMENTS: [Printed; 3] = [
    Printed { path: "docs/openapi.json", print: |_| Ok(openapi::document()) },
    Printed {
        path: "docs/api.md",
        print: |text| {
            let text = replace(text, "<!-- endpoints -->\n", "<!-- end -->", &endpoint_table())?;
            replace(&text, "<!-- error codes -->\n", "<!-- end -->", &error_table())
        },
    },
    Printed {
        path: "Cargo.toml",
        print: |text| replace(text, "[workspace.metadata.lambda.watch.router]\n", "\n[", &watch_routes()),
    },
];

/// Replaces what stands between two marks.
fn replace(text: &str, begin: &str, end: &str, part: &str) -> Result<String, String> {
    let missing = || format!("{begin:?} … {end:?} is missing");
    let (before, rest) = text.split_once(begin).ok_or_else(missing)?;
    let at = rest.find(end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{part}{}", &rest[at..]))
}

/// Returns a Markdown table of all endpoints.
fn endpoint_table() -> String {
    let mut table = "| Call | Method and path | Success | Scope |\n|---|---|---|---|\n".to_owned();
    for endpoint in endpoints() {
        let path = if endpoint.base.is_empty() { endpoint.route() } else { endpoint.path.to_owned() };
        let scope = endpoint.scope.map_or("none".to_owned(), |scope| format!("`{scope}`"));
        let (summary, method, status) = (endpoint.summary, endpoint.method, endpoint.status);
        let meaning = endpoint.meaning;
        table.push_str(&format!("| {summary} | `{method} {path}` | {status}. {meaning} | {scope} |\n"));
    }
    table
}

/// Returns a Markdown table of all words of errors.
fn error_table() -> String {
    let mut table = "| `errorCode` | What it means |\n|---|---|\n".to_owned();
    for code in ErrorCode::iter() {
        table.push_str(&format!("| `{}` | {} |\n", code.as_str(), code.meaning()));
    }
    table
}

/// Returns the routes of `cargo lambda watch`, as TOML.
fn watch_routes() -> String {
    let mut routes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for endpoint in endpoints() {
        let target = format!("{{ method = \"{}\", function = \"{}\" }}", endpoint.method, endpoint.function);
        routes.entry(endpoint.route()).or_default().push(target);
    }
    routes.iter().map(|(path, targets)| format!("\"{path}\" = [{}]\n", targets.join(", "))).collect()
}

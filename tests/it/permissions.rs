//! What functions may ask of AWS by `template.yaml`, against what their code can ask for: the notes in their binaries
//! (`restock_access`), which also list what no test makes them do.

use crate::restock::binaries;
use restock_access::{Noted, notes_in};
use restock_local::aws::names::last_part;
use restock_local::template::{Endpoints, Function, Template};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

/// What Lambda does with a queue that it polls for a function.
const OF_POLLING: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

fn template() -> Template {
    let endpoints = Endpoints { api: String::new(), sqs: String::new() };
    Template::parse(include_str!("../../template.yaml"), &endpoints, &BTreeMap::new()).unwrap()
}

fn asked_for_by(function: &Function) -> &'static BTreeSet<Noted> {
    static NOTES: LazyLock<BTreeMap<String, BTreeSet<Noted>>> = LazyLock::new(|| {
        let read = |(name, path): (&String, &PathBuf)| (name.clone(), notes_in(&std::fs::read(path).unwrap()));
        binaries().iter().map(read).collect()
    });
    &NOTES[&function.binary]
}

/// Returns the setting that tells a function about a table or a queue; if none does, its name.
fn setting_of(function: &Function, name: &str) -> String {
    let told = function.environment.iter().find(|(_, value)| last_part(value) == name);
    told.map_or_else(|| format!("{name}, which it is not told"), |(setting, _)| setting.clone())
}

/// Returns what a function or Lambda's polling for it can ask for.
fn needed_by(function: &Function, template: &Template) -> BTreeSet<Noted> {
    let mut asked = asked_for_by(function).clone();
    if let Some(mapping) = template.mappings.iter().find(|mapping| mapping.function == function.binary) {
        asked.extend(OF_POLLING.map(|action| Noted {
            action: action.into(),
            resource: setting_of(function, &mapping.queue),
            leading_key: String::new(),
            of_index: false,
        }));
    }
    asked
}

#[test]
fn a_function_may_ask_for_whatever_its_code_can_ask_for_and_for_nothing_else() {
    let template = template();
    let mut wrong = Vec::new();
    for function in &template.functions {
        let asked = needed_by(function, &template);
        let granted = template.permissions.granted(&function.binary, |name| setting_of(function, name));

        wrong.extend(asked.difference(&granted).map(|noted| format!("{} may not ask for {noted:?}", function.binary)));
        wrong.extend(granted.difference(&asked).map(|noted| format!("{} never asks for {noted:?}", function.binary)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whichever_statement_is_taken_out_of_a_policy_a_function_lacks_something() {
    let template = template();
    let mut tried = 0;
    for function in &template.functions {
        let asked = needed_by(function, &template);
        for (index, less) in template.permissions.without_each(&function.binary).into_iter().enumerate() {
            let granted = less.granted(&function.binary, |name| setting_of(function, name));
            assert!(!asked.is_subset(&granted), "{} does not need its statement {index}", function.binary);
            tried += 1;
        }
    }
    assert!(tried > template.functions.len(), "{tried} statements");
}

#[test]
fn a_function_is_told_the_tables_and_queues_that_it_uses_and_no_others() {
    for function in &template().functions {
        let used: BTreeSet<String> = asked_for_by(function).iter().map(|noted| noted.resource.clone()).collect();
        let told = function.environment.keys().filter(|name| name.ends_with("_TABLE") || name.ends_with("_QUEUE"));

        let used = used.into_iter().filter(|resource| !resource.is_empty());
        assert_eq!(told.cloned().collect::<BTreeSet<_>>(), used.collect::<BTreeSet<_>>(), "{}", function.binary);
    }
}

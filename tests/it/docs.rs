//! What the docs say about `template.yaml`, against the template.

use crate::restock::DEPLOYED;
use restock_api::stock_levels::Effect;
use restock_api::{KeyScope, KeySet};
use restock_domain::delivery::Milestone;
use restock_domain::{FeedSchedule, Obstacle, Skip};
use restock_http::{LONG_REQUEST, MAX_DELETING};
use restock_local::template::{Endpoints, Function, Template};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use strum::{IntoEnumIterator, VariantNames};

const GUIDE: &str = include_str!("../../docs/api.md");
const TEMPLATE: &str = include_str!("../../template.yaml");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
const PERFORMANCE: &str = include_str!("../../docs/performance.md");
const DEPLOY: &str = include_str!("../../docs/deploy.md");
const ARCHITECTURE: &str = include_str!("../../docs/architecture.md");
const COST: &str = include_str!("../../docs/cost.md");
const RUNBOOK: &str = "docs/operations.md#";

/// Returns a function of the template by its binary.
fn deployed(binary: &str) -> &'static Function {
    DEPLOYED.functions.iter().find(|function| function.binary == binary).unwrap()
}

/// Returns the part of a text between two lines.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, after) = text.split_once(begin).unwrap();
    after.split_once(end).map_or(after, |(part, _)| part)
}

/// Returns what a heading is linked by.
fn anchor(heading: &str) -> String {
    let kept =
        heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-').collect::<String>();
    kept.replace(' ', "-")
}

/// Returns what the parts of the operations manual are linked by.
pub fn parts_of_the_manual() -> BTreeSet<String> {
    OPERATIONS.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect()
}

#[test]
fn every_alarm_names_a_part_of_the_operations_manual_that_there_is() {
    let parts = parts_of_the_manual();
    let descriptions: Vec<&str> =
        TEMPLATE.lines().filter(|line| line.trim().starts_with("AlarmDescription:")).collect();

    assert_eq!(descriptions.len(), TEMPLATE.matches("Type: AWS::CloudWatch::Alarm").count());
    for description in descriptions {
        let part = description.split_once(RUNBOOK).map(|(_, part)| part.trim_end_matches('"'));
        assert!(part.is_some_and(|part| parts.contains(part)), "{description} names none of {parts:?}");
    }
}

#[test]
fn the_operations_manual_has_every_alarm_and_every_parameter() {
    let parameters = between(TEMPLATE, "\nParameters:\n", "\nConditions:");
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let parameters: BTreeSet<&str> =
        parameters.lines().filter(is_name).map(|line| line.trim().trim_end_matches(':')).collect();
    let rows = between(OPERATIONS, "\n## Settings\n", "\n## ").lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<&str> =
        rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    assert_eq!(told, parameters);

    let of_loops = |line: &str| line.trim_start_matches("    - ${").split_once('}').map(|(_, rest)| rest.to_owned());
    let names = TEMPLATE.lines().filter(|line| line.ends_with("Alarm:"));
    for name in names.map(|line| of_loops(line).unwrap_or_else(|| line.trim().to_owned())) {
        let name = name.trim_end_matches(':');
        // The names of a loop's alarms begin with a queue's or a function's.
        assert!(OPERATIONS.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_dry_run_tells_the_cost_that_the_docs_add_up() {
    let lines = PERFORMANCE.lines();
    let dollars = |begin: &str| -> u64 {
        let row = lines.clone().find(|line| line.starts_with(begin)).unwrap();
        let last = row.trim_end_matches(['|', ' ', '*']).rsplit(['|', '*', ' ']).next().unwrap();
        (last.parse::<f64>().unwrap() * 100.0).round() as u64
    };
    assert_eq!(dollars("| SES | 1 a mail"), restock_api::stock_levels::SES_COST);
    assert_eq!(dollars("| **besides SES**"), restock_api::stock_levels::OTHER_COST);
}

#[test]
fn what_a_shop_pays_is_what_was_counted_times_the_price_and_adds_up() {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let number = |cell: &str| -> f64 {
        let first = cell.trim_matches('*').split(' ').next().unwrap_or_default();
        first.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell} is no number"))
    };
    let rows: Vec<Vec<String>> = COST.lines().filter(|line| line.starts_with("| ")).map(cells).collect();
    let (mut sum, mut sums) = (0.0, Vec::new());
    for row in rows.iter().filter(|row| row.len() == 4) {
        match row[0].as_str() {
            "" => sum = 0.0,
            "**together**" => {
                assert_eq!(format!("{sum:.2}"), row[3].trim_matches('*'), "{row:?}");
                sums.push(sum);
            }
            _ => {
                assert!((number(&row[1]) * number(&row[2]) - number(&row[3])).abs() < 0.0051, "{row:?}");
                sum += number(&row[3]);
            }
        }
    }
    let [million, levels, nothing] = sums[..] else { panic!("three tables, not {sums:?}") };
    let shops: Vec<_> = rows.iter().filter(|row| row[0].ends_with(" shop")).collect();
    assert_eq!(shops.len(), 2);
    for (shop, share) in shops.into_iter().zip([0.01, 1.0]) {
        assert!((share * (million + levels) + nothing - number(&shop[3])).abs() < 0.0051, "{shop:?}");
    }

    let told = |begin: &str, cell: usize| {
        let row = rows.iter().find(|row| row[0].starts_with(begin)).unwrap_or_else(|| panic!("{begin}"));
        number(&row[cell])
    };
    let counted = |begin: &str, cell: usize| {
        let row = PERFORMANCE.lines().map(cells).find(|row| row[0] == begin).unwrap_or_else(|| panic!("{begin}"));
        number(&row[cell])
    };
    let subscribed = |cell| counted("a new contact", cell) + counted("a subscription, not the first of its SKU", cell);
    assert_eq!([told("DynamoDB, read units: 1 and", 1), told("DynamoDB, write units", 1)], [2, 3].map(subscribed));
    assert_eq!(told("mails, besides SES", 2), counted("**besides SES**", 3));
    assert_eq!(told("DynamoDB, read units: one for", 1), 0.73 * counted("a hundred of these in one call", 2));
    assert_eq!(told("CloudWatch, alarms", 1), alarms() as f64);
}

/// Returns how many alarms the template makes, with those of loops.
fn alarms() -> usize {
    let lines: Vec<&str> = TEMPLATE.lines().collect();
    let made = (0..lines.len()).filter(|at| lines[*at].trim() == "Type: AWS::CloudWatch::Alarm").map(|at| {
        // In a loop, the line before the name has the list.
        let list = lines[at - 2].trim().strip_prefix("- [").filter(|_| lines[at - 1].starts_with("    - ${"));
        list.map_or(1, |list| list.split(',').count())
    });
    made.sum()
}

/// Returns the files of a folder and of those in it that have an ending.
fn files_of(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.map(|path| if path.is_dir() { files_of(&path, ending) } else { vec![path] });
    files.flatten().filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

/// Returns what functions and what they share are made of, without tests.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = ["shared", "functions"].iter().flat_map(|folder| files_of(&root.join(folder), ".rs"));
    let source =
        |file: PathBuf| std::fs::read_to_string(file).unwrap().split("#[cfg(test)]").next().unwrap().to_owned();
    files.map(source).collect()
}

#[test]
fn what_alarms_and_the_operations_manual_look_for_in_the_logs_is_what_functions_say() {
    let sources = sources();
    let said = ["$.message = \"", "$.reason = \""].into_iter().flat_map(|begin| TEMPLATE.split(begin).skip(1));
    let sentences = said.map(|rest| rest.split('"').next().unwrap().trim_end_matches('*'));
    // What begins with anything is what AWS says.
    let sentences: Vec<&str> = sentences.filter(|sentence| !sentence.starts_with('*')).collect();
    // Sentences between backticks; those of Lambda and the names of SES's events apart.
    let is_sentence = |text: &&str| {
        let begins = text.starts_with(|letter: char| letter.is_ascii_uppercase());
        let of_others = ["Task timed out", "Runtime exited", "Email "].iter().any(|begin| text.starts_with(begin));
        let is_prose = text.chars().all(|letter| letter.is_alphabetic() || " ,'".contains(letter));
        begins && is_prose && text.contains(' ') && !of_others
    };
    let quoted: Vec<&str> = OPERATIONS.split('`').skip(1).step_by(2).filter(is_sentence).collect();

    assert!(sentences.len() >= 7 && quoted.len() >= 3, "{sentences:?} {quoted:?}");
    for sentence in sentences.into_iter().chain(quoted) {
        assert!(sources.iter().any(|source| source.contains(&format!("\"{sentence}"))), "nobody says {sentence:?}");
    }
}

#[test]
fn the_operations_manual_has_the_figures_of_the_template() {
    let letters = between(OPERATIONS, "\n## Dead letters\n", "\n## ");
    for queue in &DEPLOYED.queues {
        let Some((_, receives)) = &queue.redrive else { continue };
        let words = [(3, "three times"), (20, "twenty times"), (100, "a hundred times")];
        let (_, word) = words.into_iter().find(|(count, _)| count == receives).unwrap();
        let row = format!("| `{}` |", queue.name.trim_start_matches("restock-"));
        let row = letters.lines().find(|line| line.starts_with(&row)).unwrap();
        assert!(row.contains(word), "{} is tried {word}: {row}", queue.name);
    }
    let executions = |throughput: &str| -> usize {
        let endpoints = Endpoints { api: String::new(), sqs: String::new() };
        let parameters = BTreeMap::from([("Throughput".to_owned(), throughput.to_owned())]);
        let template = Template::parse(TEMPLATE, &endpoints, &parameters).unwrap();
        template.mappings.iter().map(|mapping| mapping.concurrency).sum()
    };
    let [usual, high] = ["standard", "high"].map(executions);
    let bounded = format!("at most {usual} behind its queues, or {high} if `Throughput` is `high`");
    assert!(OPERATIONS.contains(&bounded), "{bounded}");
    assert!(DEPLOY.contains(&format!("the functions behind the queues alone may be {usual}.")));
    let hops = format!("sent on {} times", thousands(match_stock::MAX_HOPS));
    assert_eq!((OPERATIONS.matches(&hops).count(), match_stock::MAX_HOPS), (2, send_email::MAX_HOPS), "{hops}");
}

/// Returns a number as the docs write it.
fn thousands(number: u32) -> String {
    format!("{},{:03}", number / 1_000, number % 1_000)
}

#[test]
fn every_consumer_and_every_queue_is_in_each_list_of_alarms() {
    let consumers = DEPLOYED.mappings.iter().map(|mapping| deployed(&mapping.function).id.as_str());
    let consumers: BTreeSet<&str> = consumers.collect();
    let queues = DEPLOYED.queues.iter().filter(|queue| queue.redrive.is_some());
    let queues: BTreeSet<String> = queues
        .map(|queue| queue.name.trim_start_matches("restock-").trim_end_matches(".fifo").replace('-', ""))
        .collect();
    for alarms in ["DeadLetterAlarms", "QueueAgeAlarms", "ErrorAlarms", "ThrottleAlarms", "RecursionAlarms"] {
        let list = between(TEMPLATE, &format!("Fn::ForEach::{alarms}:\n"), "]").split('[').nth(1).unwrap();
        let listed: BTreeSet<&str> = list.split(',').map(str::trim).collect();
        if listed.contains("MatchStock") {
            assert_eq!(listed, consumers, "{alarms}");
        } else {
            assert_eq!(listed.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>(), queues, "{alarms}");
        }
    }
}

#[test]
fn a_request_ends_before_its_function_does_and_a_function_before_api_gateway_gives_up() {
    let api_gateway = Duration::from_secs(30);
    for route in &DEPLOYED.routes {
        let timeout = Duration::from_secs(deployed(&route.function).timeout_seconds);
        assert!(timeout < api_gateway, "{}", route.function);
        // What a caller waits for, and what comes before and after it.
        assert!(MAX_DELETING + Duration::from_secs(5) <= timeout, "{}", route.function);
    }
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let long = files_of(&functions, ".rs")
        .into_iter()
        .filter(|file| std::fs::read_to_string(file).unwrap().contains("LONG_REQUEST"));
    let long: BTreeSet<String> = long
        .map(|file| file.strip_prefix(&functions).unwrap().iter().next().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(long.contains("import-contacts"), "{long:?}");
    for function in &long {
        let timeout = Duration::from_secs(deployed(function).timeout_seconds);
        assert!(LONG_REQUEST + Duration::from_secs(5) <= timeout, "{function}");
    }
}

#[test]
fn what_the_code_takes_for_granted_of_the_template_is_so() {
    // A call that may still be running is not carried out a second time.
    let reporting = Duration::from_secs(deployed("update-stock-levels").timeout_seconds);
    assert!(update_stock_levels::MAX_RUN > reporting);
    // Messages that wait out a pause are sent on before they are taken for ones that can't be handled.
    let notifications = DEPLOYED.queues.iter().find(|queue| queue.name == "restock-notifications").unwrap();
    let (_, most) = notifications.redrive.clone().unwrap();
    assert!(send_email::MAX_STOPPED_RECEIVES < most);
    // What a call leaves undone is taken up once the call is over.
    for function in ["delete-contact", "end-sku"] {
        assert!(Duration::from_secs(deployed(function).timeout_seconds) < restock_http::FINISHED_AFTER, "{function}");
    }
    // A line is looked at again once every instance knows the settings.
    let kept = between(TEMPLATE, "\n  AutomationsKeptSeconds:\n", "\n  Show");
    assert!(kept.contains(&format!("MaxValue: {}\n", match_stock::KNOWN_AFTER.as_secs())), "{kept}");
    // A sweep looks at whoever an index may have hidden since the one before; feeds are due as often as they are looked
    // for.
    let every = |minutes: u64| DEPLOYED.schedules.iter().any(|schedule| schedule.every.as_secs() == 60 * minutes);
    assert!(every(match_stock::MAX_INDEX_LAG.as_secs() / 60) && every(FeedSchedule::MIN_MINUTES.into()));
}

#[test]
fn the_api_guide_has_each_word_that_an_answer_may_have() {
    let obstacles = Obstacle::iter().map(<&str>::from).chain(Skip::iter().map(<&str>::from));
    let words = obstacles.chain(Milestone::iter().map(<&str>::from)).chain(Effect::VARIANTS.iter().copied());
    let missing: Vec<_> = words.filter(|word| !GUIDE.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_guide_to_deployment_names_the_scopes_of_each_set() {
    for set in KeySet::iter().filter(|set| *set != KeySet::Operator) {
        let scopes: BTreeSet<_> = KeyScope::of_word(set.as_str()).iter().map(|scope| format!("`{scope}`")).collect();
        let row = DEPLOY.lines().find(|line| line.starts_with(&format!("| `{}` |", set.as_str()))).expect("a row");
        let said: BTreeSet<_> =
            row.rsplit('|').nth(1).unwrap().split(',').map(|scope| scope.trim().to_owned()).collect();
        assert_eq!(said, scopes);
    }
}

#[test]
fn the_architecture_has_a_row_for_each_crate() {
    for folder in ["shared", "infra"] {
        for crate_of in std::fs::read_dir(restock_local::workspace().join(folder)).unwrap() {
            let crate_of = crate_of.unwrap();
            if crate_of.path().join("Cargo.toml").exists() {
                let row = format!("| `{folder}/{}` |", crate_of.file_name().to_str().unwrap());
                assert!(ARCHITECTURE.contains(&row), "{row}");
            }
        }
    }
}

/// Returns the method and the path of a call of the API guide.
fn call_of(line: &str) -> Option<(&str, Vec<&str>)> {
    let (before, path) = line.rsplit_once("$api/")?;
    let end = path.find(['"', '?', ' ']).unwrap_or(path.len());
    let sends = [" -d ", " --data"].iter().any(|option| line.contains(option));
    let method = before.rsplit_once("-X ").and_then(|(_, rest)| rest.split(' ').next());
    Some((method.unwrap_or(if sends { "POST" } else { "GET" }), path[..end].split('/').collect()))
}

#[test]
fn the_api_guide_has_a_call_for_every_endpoint() {
    let fences: Vec<&str> = GUIDE.split("```").skip(1).step_by(2).collect();
    let calls: Vec<_> = fences.iter().flat_map(|fence| fence.lines()).filter_map(call_of).collect();
    // Links that stand in mails have no path that a caller writes.
    let of_api = restock_api::endpoints().into_iter().filter(|endpoint| endpoint.scope.is_some());
    let missing: Vec<String> = of_api
        .filter(|endpoint| {
            let parts: Vec<&str> = endpoint.path.trim_start_matches('/').split('/').collect();
            let same = |(part, of_call): (&&str, &&str)| part.starts_with('{') || part == of_call;
            let is_it = |(method, path): &(&str, Vec<&str>)| {
                *method == endpoint.method.to_string() && path.len() == parts.len() && parts.iter().zip(path).all(same)
            };
            !calls.iter().any(is_it)
        })
        .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
        .collect();

    assert_eq!(missing, Vec::<String>::new());
}

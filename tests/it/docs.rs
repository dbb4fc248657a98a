//! What the docs say about `template.yaml`, against the template.

use std::collections::BTreeSet;

const TEMPLATE: &str = include_str!("../../template.yaml");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
const RUNBOOK: &str = "docs/operations.md#";

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

#[test]
fn every_alarm_names_a_part_of_the_operations_manual_that_there_is() {
    let parts: BTreeSet<String> = OPERATIONS.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
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
    let lines = include_str!("../../docs/performance.md").lines();
    let dollars = |begin: &str| -> u64 {
        let row = lines.clone().find(|line| line.starts_with(begin)).unwrap();
        let last = row.trim_end_matches(['|', ' ', '*']).rsplit(['|', '*', ' ']).next().unwrap();
        (last.parse::<f64>().unwrap() * 100.0).round() as u64
    };
    assert_eq!(dollars("| SES | 1 a mail"), restock_api::stock_levels::SES_COST);
    assert_eq!(dollars("| **besides SES**"), restock_api::stock_levels::OTHER_COST);
}

#[test]
fn what_a_shop_pays_is_how_many_times_how_much_and_adds_up() {
    let docs = include_str!("../../docs/cost.md");
    let number = |cell: &str| -> f64 {
        let first = cell.trim_matches([' ', '*']).split(' ').next().unwrap_or_default();
        first.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell} is no number"))
    };
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let (mut sum, mut sums) = (0.0, Vec::new());
    for row in docs.lines().filter(|line| line.starts_with("| ")).map(cells).filter(|row| row.len() == 4) {
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
    let shops = docs.lines().filter(|line| line.starts_with("| a ")).map(cells);
    let told: Vec<f64> = shops.map(|shop| number(&shop[3])).collect();
    for (told, share) in told.iter().zip([0.01, 1.0]) {
        assert!((share * (million + levels) + nothing - told).abs() < 0.0051, "{told}");
    }
    assert_eq!(told.len(), 2);
}

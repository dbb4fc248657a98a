//! The local stack itself: what it starts, it ends, and what crashes is started again.

use crate::restock::{Restock, binaries, eventually};
use restock_local::client::Client;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A process that ends with the test, however that ends.
struct Process(Child);

impl Process {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `cargo local --json` as a process of its own, as others do.
fn cargo_local(arguments: &[&str]) -> (Process, Value) {
    let mut child = Command::new(&binaries()["restock-local"])
        .args(["--json", "--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), serde_json::from_str(&line).unwrap())
}

/// Returns the processes whose parent is `parent`, by Linux's word.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // pid (name) state ppid …
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok()) == Some(parent)
    })
    .collect()
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
}

#[test]
fn the_json_line_says_where_everything_is() {
    let (mut child, ready) = cargo_local(&[]);

    assert_eq!(ready["ready"], true);
    for queue in ["stock-levels", "stock-levels-dead-letters", "notifications", "notifications-dead-letters"] {
        assert!(
            ready["queues"][queue].as_str().unwrap().starts_with(ready["endpoints"]["sqs"].as_str().unwrap()),
            "{queue}"
        );
    }
    assert!(ready["tables"]["subscriptions"].is_string());
    let api = Client::new(ready["api"].as_str().unwrap()).header("apikey", ready["apiKey"].as_str().unwrap());
    assert_eq!(api.get("/api/v3/feeds").unwrap().status, 200);
    let inbox = Client::new(ready["inbox"].as_str().unwrap());
    assert_eq!(inbox.get("/messages").unwrap().json(), json!([]));
    assert!(inbox.get("/").unwrap().text.contains("<title>Restock inbox</title>"));

    signal("INT", child.id());
    assert!(child.wait().success());
}

#[test]
fn a_parameter_of_the_template_may_have_another_value() {
    let (_local, ready) = cargo_local(&["--parameter", "ShowPlaces=true"]);
    let api = Client::new(ready["api"].as_str().unwrap()).header("apikey", ready["apiKey"].as_str().unwrap());
    let api = api.header("content-type", "application/json");
    let send =
        |path: &str, body: Value| api.send("POST", &format!("/api/v3{path}"), body.to_string().as_bytes()).unwrap();

    let contact = send("/contacts", json!({"email": "a@example.com"})).json()["id"].clone();
    let wish = json!({"contactId": contact, "sku": "A", "locale": "en-GB"});
    assert_eq!(send("/inventory/backinstock/subscriptions", wish).json()["position"], 1);

    for (parameter, said) in [
        ("ShowPlace=true", "no parameter ShowPlace"),
        ("ShowPlaces", "an equals sign"),
        ("DemandThreshold=0.5", "a whole number from 0 to 10000"),
    ] {
        let mut local = Command::new(&binaries()["restock-local"]);
        let output = local.args(["--port", "0", "--parameter", parameter]).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn neither_ctrl_c_nor_a_sudden_death_leaves_a_process_behind() {
    for name in ["INT", "TERM", "KILL"] {
        let (mut child, _) = cargo_local(&[]);
        let functions = eventually(|| Some(children(child.id())).filter(|functions| functions.len() >= 16));

        signal(name, child.id());
        child.wait();

        eventually(|| functions.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_function_that_dies_is_started_again_and_works() {
    let (mut child, ready) = cargo_local(&[]);
    let api = Client::new(ready["api"].as_str().unwrap()).header("apikey", ready["apiKey"].as_str().unwrap());
    let before = children(child.id());

    before.iter().for_each(|pid| signal("KILL", *pid));

    eventually(|| api.get("/api/v3/feeds").ok().filter(|answer| answer.status == 200));
    eventually(|| (children(child.id()).len() >= before.len()).then_some(()));
    signal("INT", child.id());
    child.wait();
}

#[test]
fn a_function_that_is_killed_while_it_waits_costs_nobody_an_answer() {
    let restock = Restock::start();
    for n in 0..8 {
        restock.stack.kill("create-contact");
        restock.contact(&n.to_string());
    }
}

#[test]
fn a_data_directory_keeps_tables_key_and_mails_over_a_restart() {
    let directory = std::env::temp_dir().join(format!("restock-{}", uuid::Uuid::new_v4()));
    let data = ["--data", directory.to_str().unwrap()];
    let (mut child, first) = cargo_local(&data);
    let api = Client::new(&format!("{}/api/v3", first["api"].as_str().unwrap()))
        .header("apikey", first["apiKey"].as_str().unwrap());
    let created = api.json("POST", "/contacts", &json!({"email": "a@example.com"})).unwrap().json();
    signal("INT", child.id());
    child.wait();

    let (mut child, second) = cargo_local(&data);
    let api = Client::new(&format!("{}/api/v3", second["api"].as_str().unwrap()))
        .header("apikey", first["apiKey"].as_str().unwrap());
    let found = api.get("/contacts/id?email=a@example.com").unwrap().json();
    signal("INT", child.id());
    child.wait();

    assert_eq!(found["id"], created["id"]);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn two_stacks_share_nothing() {
    let (one, other) = (Restock::start(), Restock::start());

    one.contact("a");

    assert_eq!(other.get("/contacts/id?email=a@example.com").status, 404);
}

use clap::{Parser, Subcommand};
use restock_local::faults::Spec;
use restock_local::seed::{self, Seed};
use restock_local::template::check_parameters;
use restock_local::{Error, Options, Ready, Stack, build, demo, running, stats, workspace};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs Restock on this machine: tables, queues and mail in emulators, and every function as its real binary.
#[derive(Parser)]
#[command(name = "cargo local", bin_name = "cargo local")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// The API's port; the inbox and the emulators take the five after it. 0 takes free ones.
    #[arg(long, default_value_t = 9000, global = true, value_parser = clap::value_parser!(u16).range(..=65_530))]
    port: u16,
    /// Keep tables in this directory, and queues and mails when stopped. Without it they are in memory.
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// Build the functions optimised, which takes minutes, and run those.
    #[arg(long, global = true)]
    release: bool,
    /// Inject faults between the functions and the emulators, such as seed=1,throttle=0.05,lost=0.01,kill=0.005.
    ///
    /// Chances from 0 to 1 for each request of a function: throttle, error and error-after (5xx before and after the
    /// effect), timeout-before and timeout-after the effect, lost (an answer), slow (up to slow-ms), partial (parts of
    /// batches left undone), duplicate and delay (messages; up to delay-ms), kill (SIGKILL; at most kills). lag-ms is
    /// how long indexes lag, which is 200 without this option; function=NAME and table=LOGICAL_ID concern one of them
    /// only; events-lost=true keeps SES's events back. key-writes and key-reads are the units a second that one key
    /// bears, send-rate and day-quota are the mails that SES takes in a second and in 24 hours. The same seed decides
    /// the same.
    #[arg(long, value_name = "SPEC")]
    faults: Option<Spec>,
    /// Give a parameter of template.yaml another value, such as ShowPlaces=true; for each one by itself.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = named_value)]
    parameters: Vec<(String, String)>,
    /// Print one line of JSON when everything is ready, and nothing else on standard output.
    #[arg(long)]
    json: bool,
    /// Start the emulators only, for `cargo lambda watch`.
    #[arg(long, conflicts_with = "json")]
    no_functions: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the main job from end to end, and checks it.
    Demo {
        /// A product feed to use instead of the sample shop's.
        #[arg(long, value_name = "FILE", requires = "locale")]
        feed: Option<PathBuf>,
        /// The locale of that feed, such as sv-SE.
        #[arg(long, requires = "feed")]
        locale: Option<String>,
    },
    /// Shows what the functions of a running stack have asked AWS for, and what that costs.
    Stats,
    /// Lets many contacts wait for a SKU of a running stack, in minutes for a million.
    Seed(Seed),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Some(Command::Stats) => {
            let ready = running::at(cli.port).await?;
            return tokio::task::spawn_blocking(move || stats::show(&ready)).await?;
        }
        Some(Command::Seed(seed)) => return seed::run(seed, &running::at(cli.port).await?).await,
        Some(Command::Demo { .. }) | None => {}
    }
    check_parameters(&fs::read_to_string(workspace().join("template.yaml"))?, &cli.parameters)?;
    let demo_runs = cli.command.is_some();
    let binaries = if cli.no_functions {
        None
    } else {
        eprintln!("Building the functions …");
        Some(build(cli.release)?)
    };
    eprintln!("Starting the stack …");
    let quiet = cli.json || demo_runs;
    let options = Options {
        // The demo is over in seconds; it needs no particular ports.
        port: if demo_runs && cli.port == 9000 { 0 } else { cli.port },
        data: cli.data,
        binaries,
        parameters: parameters(cli.no_functions, cli.faults.is_some()).chain(cli.parameters).collect(),
        settings: Vec::new(),
        schedules: true,
        // Without faults, functions are held to their permissions and to AWS's limits, and indexes lag as there.
        faults: cli.faults.clone().or((!cli.no_functions).then(|| Spec { lag_ms: INDEX_LAG_MS, ..Spec::default() })),
        sink: Arc::new(move |function, line| print_line(function, line, quiet)),
    };
    let stack = Stack::start(options).await?;
    if cli.faults.as_ref().is_some_and(|spec| spec.kill > 0.0) {
        stack.hide_messages_for(4);
    }
    if let Some(Command::Demo { feed, locale }) = cli.command {
        let ready = stack.ready.clone();
        let shown = tokio::task::spawn_blocking(move || demo::run(&ready, feed.zip(locale)));
        let outcome = tokio::select! {
            outcome = shown => outcome?,
            _ = tokio::signal::ctrl_c() => Err("Stopped.".into()),
        };
        stack.stop()?;
        return outcome;
    }
    if cli.json {
        println!("{}", serde_json::to_string(&stack.ready)?);
    } else if cli.no_functions {
        let file = write_environment(&stack)?;
        println!("{}", without_functions(&stack, &file));
    } else {
        println!("{}", welcome(&stack));
    }
    ended().await?;
    eprintln!("Stopping …");
    stack.stop()
}

/// How long an index lags its table without `--faults`.
const INDEX_LAG_MS: u64 = 200;
/// Where `cargo lambda watch` answers, as the printed command starts it.
const WATCH_PORT: u16 = 9010;

/// Returns what differs from a deployment.
fn parameters(no_functions: bool, faults: bool) -> impl Iterator<Item = (String, String)> {
    let public_url = no_functions.then(|| ("PublicUrl".to_owned(), format!("http://127.0.0.1:{WATCH_PORT}")));
    // Events of SES are late too where functions are killed and throttled; no mail is sent again before they had time.
    let grace = faults.then(|| ("ClaimGraceSeconds".to_owned(), "60".to_owned()));
    // What the commands of docs/api.md name.
    let test_recipients = ("TestRecipients".to_owned(), "you@example.com".to_owned());
    public_url.into_iter().chain(grace).chain([test_recipients])
}

fn named_value(raw: &str) -> Result<(String, String), String> {
    let named = raw.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    named.ok_or_else(|| "Write the parameter's name, an equals sign, and its value.".to_owned())
}

/// Waits for Ctrl-C or for being asked to end.
async fn ended() -> Result<(), Error> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    Ok(tokio::signal::ctrl_c().await?)
}

fn welcome(stack: &Stack) -> String {
    let Ready { api, api_key, inbox, .. } = &stack.ready;
    let json = format!("-H 'apikey: {api_key}' -H 'content-type: application/json'");
    format!(
        r#"
Restock is running. Ctrl-C stops it.

  API       {api}/api/v3
  API key   {api_key}
  Inbox     {inbox}

Try it: take the sample shop's brand and feed, make a contact that waits for a sold-out product, and restock it. The commands
can be run again.

  curl -s {inbox}/shop/brand.json | curl -X PUT {api}/api/v3/brand {json} -d @-
  curl -X PUT {api}/api/v3/feeds/en-GB {json} -d '{{"url":"{inbox}/shop/en-GB.xml"}}'
  curl -X POST {api}/api/v3/feeds/en-GB/imports {json}

  contact=$(curl -s {api}/api/v3/contacts {json} -d '{{"email":"you@example.com","firstName":"You"}}' | grep -o '[0-9a-f-]\{{36\}}' | head -1)
  curl {api}/api/v3/inventory/backinstock/subscriptions {json} -d '{{"contactId":"'$contact'","sku":"SKU-1","locale":"en-GB"}}'

  curl -X PUT {api}/api/v3/inventory/stock-levels {json} -d '{{"sku":"SKU-1","quantity":5}}'

The mail is then in the inbox. docs/api.md goes on from here, and `cargo local demo` shows more.
"#
    )
}

fn without_functions(stack: &Stack, file: &std::path::Path) -> String {
    format!(
        r#"
The emulators are running, without functions.

  DynamoDB  {}
  SQS       {}
  SES       {}
  Inbox     {}
  API key   {}

In another terminal, from the project's root:

  cargo lambda watch -A 127.0.0.1 -P {WATCH_PORT} --env-file {}
  curl http://127.0.0.1:{WATCH_PORT}/api/v3/feeds -H 'apikey: {}'
  cargo lambda invoke -A 127.0.0.1 -P {WATCH_PORT} create-contact --data-file tests/events/create-contact.json

Ctrl-C stops.
"#,
        stack.ready.endpoints["dynamodb"],
        stack.ready.endpoints["sqs"],
        stack.ready.endpoints["ses"],
        stack.ready.inbox,
        stack.ready.api_key,
        file.display(),
        stack.ready.api_key,
    )
}

/// Writes the functions' settings where `cargo lambda watch` can read them.
fn write_environment(stack: &Stack) -> Result<PathBuf, Error> {
    let file = PathBuf::from("target").join("local.env");
    fs::create_dir_all("target")?;
    let skipped = ["PATH", "TMPDIR"];
    let lines = stack.environment.iter().filter(|(name, _)| !skipped.contains(&name.as_str()));
    fs::write(&file, lines.map(|(name, value)| format!("{name}=\"{value}\"\n")).collect::<String>())?;
    Ok(file)
}

/// Shows what a function printed: its log lines for people, and in quiet mode only warnings and what is no log line.
fn print_line(function: &str, line: &str, quiet: bool) {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_str(line) else {
        eprintln!("[{function}] {line}");
        return;
    };
    let mut take = |name: &str| match fields.remove(name) {
        Some(serde_json::Value::String(text)) => text,
        _ => String::new(),
    };
    let (level, message) = (take("level"), take("message"));
    // Known to whoever sees them here.
    let _ = (take("timestamp"), take("version"));
    if quiet && !matches!(level.as_str(), "WARN" | "ERROR") {
        return;
    }
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    eprintln!("[{function}] {level} {message}{fields}");
}

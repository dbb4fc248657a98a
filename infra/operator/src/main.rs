use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};
use display_error_chain::DisplayErrorChain;
use restock_local::{Error, running};
use restock_operator::copy::{self, Copy};
use restock_operator::keys::{self, Keys};
use restock_operator::link_keys::{self, LinkKeys};
use restock_operator::stack::Stack;
use restock_operator::{redrive, status};
use restock_queue::Queue;
use std::io::ErrorKind;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

/// Operates Restock: in an AWS account, with the credentials of the environment, or on this machine.
#[derive(Parser)]
#[command(name = "cargo restock", bin_name = "cargo restock", version)]
struct Cli {
    #[command(flatten)]
    stack: StackArgs,
    #[command(subcommand)]
    command: Command,
}

/// Which Restock is meant.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct StackArgs {
    /// The name of the configuration table, an output of the CloudFormation stack.
    #[arg(long, value_name = "CONFIGURATION_TABLE", value_parser = NonEmptyStringValueParser::new())]
    table: Option<String>,
    /// The stack that `cargo local` runs; the number is the port of its API.
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "9000", require_equals = true)]
    local: Option<u16>,
}

#[derive(Subcommand)]
enum Command {
    /// Makes, lists, revokes and replaces API keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Replaces the keys that sign the links of mails.
    #[command(subcommand)]
    LinkKeys(LinkKeys),
    /// Copies the items of a table into that of a new stack, from a stack that was deleted or from a backup.
    Copy(Copy),
    /// Shows whether mails leave, what waits in queues, what was given up, and how old the feeds are.
    Status,
    /// Moves what was given up back to its queue, once the cause is corrected.
    Redrive {
        /// The queues, as `status` shows them; all if none is named.
        #[arg(value_parser = redrive::queue)]
        queues: Vec<Queue>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    // What can't be read, or had to be made anew, is logged where it is found.
    let lines = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_writer(std::io::stderr);
    lines.without_time().with_target(false).init();
    let cli = Cli::parse();
    let is_local = cli.stack.local.is_some();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has read enough.
        Err(error)
            if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let said = DisplayErrorChain::new(&*error).to_string();
            eprintln!("{said}");
            if let Some(advice) = advice(&said).filter(|_| !is_local) {
                eprintln!("{advice}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Returns what to do about an error that AWS brings where the table, the account or the region is another one than
/// meant.
fn advice(said: &str) -> Option<&'static str> {
    let all: [(&str, &str); 7] = [
        (
            "no credentials found",
            "Sign in to the account of the stack, such as with `aws sso login`, and export its credentials: `eval \"$(aws configure export-credentials --format env)\"`.",
        ),
        ("ExpiredToken", "The credentials have expired. Sign in again."),
        ("UnrecognizedClient", "AWS does not know these credentials. Sign in to the account of the stack."),
        (
            "AccessDenied",
            "These credentials may not do that. Use a role that may read and write the tables and queues of the stack.",
        ),
        (
            "ResourceNotFound",
            "There is no such table in this account and region. The output ConfigurationTableName of the stack has the name of the configuration; AWS_REGION is the region of the stack.",
        ),
        ("Missing Region", "Set AWS_REGION to the region of the stack."),
        ("failed to lookup address", "Is AWS_REGION set to the region of the stack, and is there a network?"),
    ];
    all.iter().find(|(sign, _)| said.contains(sign)).map(|(_, advice)| *advice)
}

async fn run(cli: Cli) -> Result<(), Error> {
    let stack = match cli.stack.local {
        Some(port) => Stack::running(&running::at(port).await?),
        None => Stack::of_table(&cli.stack.table.unwrap_or_default()).await,
    };
    let out = &mut std::io::stdout();
    match cli.command {
        Command::Keys(command) => keys::run(command, &stack.store, out).await,
        Command::LinkKeys(command) => link_keys::run(command, &stack.store, out).await,
        Command::Copy(command) => copy::run(command, &stack.dynamodb, out).await,
        Command::Status => status::run(&stack, out).await,
        Command::Redrive { queues } => redrive::run(&stack, queues, out).await,
    }
}

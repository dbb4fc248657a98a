use clap::{Args, Parser, Subcommand};
use restock_local::{Error, running};
use restock_operator::keys::{self, Keys};
use restock_runtime::Runtime;
use restock_store::Store;
use std::process::ExitCode;

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
    #[arg(long, value_name = "CONFIGURATION_TABLE")]
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
    let store = store(cli.stack).await?;
    match cli.command {
        Command::Keys(command) => keys::run(command, &store, &mut std::io::stdout()).await,
    }
}

async fn store(stack: StackArgs) -> Result<Store, Error> {
    match stack.local {
        Some(port) => Ok(running::store(&running::at(port.saturating_add(1)).await?)),
        None => Ok(Runtime::connect().await.store_with_configuration(stack.table.unwrap_or_default())),
    }
}

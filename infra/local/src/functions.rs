//! Building the functions' binaries.

use crate::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the binary of each function is.
pub type Binaries = BTreeMap<String, PathBuf>;

/// Builds every binary of the workspace with the Cargo that runs this; its progress goes to the terminal. An optimised
/// build leaves out the link-time optimisation of what is deployed, which takes half a minute for each function.
pub fn build(optimised: bool) -> Result<Binaries, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"])
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if optimised {
        command.args(["--profile", "local-release"]);
    }
    // `cargo run` and `cargo test` describe their own package in the environment; build scripts that look at it would
    // run again, and with them half of the build.
    for (name, _) in std::env::vars_os() {
        let described =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if described {
            command.env_remove(name);
        }
    }
    let output = command.output().map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        return Err("The functions could not be built; cargo said why above.".into());
    }
    let messages =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let binaries = messages.filter_map(|message| {
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, PathBuf::from(message["executable"].as_str()?)))
    });
    Ok(binaries.collect())
}

/// Returns the root of the project.
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.unwrap_or(Path::new(".")).to_owned()
}

//! Writes the files that are printed from the contract: `cargo openapi`.

use restock_api::documents::DOCUMENTS;
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    for document in DOCUMENTS {
        let text = fs::read_to_string(document.path).map_err(|error| error.to_string());
        let printed = text.and_then(|text| (document.print)(&text));
        let written = printed.and_then(|text| fs::write(document.path, text).map_err(|error| error.to_string()));
        if let Err(error) = written {
            eprintln!("{}: {error}. Run it in the root of the project.", document.path);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

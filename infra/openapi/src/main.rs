//! Prints the description of the HTTP API: `cargo openapi > docs/openapi.json`.

fn main() {
    print!("{}", restock_openapi::document());
}

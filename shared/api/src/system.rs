//! What the API says of itself.

use crate::{RawJson, answer, endpoints};

endpoints! {
    /// This description
    ShowOpenapi("openapi"): Get "/openapi.json", "show-openapi", None,
        () => 200 RawJson, "OpenAPI 3.1.";

    /// Which version of Restock answers
    ShowVersion("showVersion"): Get "/version", "show-openapi", None,
        () => 200 Version, "The version of the software that answers.";
}

answer! {
    /// A version of Restock.
    #[derive(Debug)]
    pub struct Version {
        /// By semantic versioning.
        pub version: String,
    }
}

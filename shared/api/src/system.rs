//! The description of the API, served by itself.

use crate::{RawJson, endpoints};

endpoints! {
    /// This description
    ShowOpenapi("openapi"): Get "/openapi.json", "show-openapi", None,
        () => 200 RawJson, "OpenAPI 3.1.";
}

//! Endpoints, and the list of all of them.

use crate::operation::Operation;
use crate::payload::{Answer, Body};
use crate::schema::Schemas;
use strum::{Display, EnumIter, IntoEnumIterator, IntoStaticStr};

/// One method and path of the API. The functions serve endpoints by these declarations, and everything that shows the
/// API is printed from them.
pub trait Endpoint: Send + Sync + 'static {
    /// The type that is read from the request's body.
    type Body: Body;
    type Answer: Answer;

    /// The name of the operation in OpenAPI.
    const ID: &'static str;
    const METHOD: Method;
    /// Comes before the path. The API is under `/api/v2` and `/api/v3`.
    const BASE: &'static str = "/api/{version}";
    const PATH: &'static str;
    /// The names of the query's parameters.
    const QUERY: &'static [&'static str] = &[];
    /// The scope that the caller's key needs; `None` for endpoints that need no key.
    const SCOPE: Option<KeyScope>;
    /// Of a success.
    const STATUS: u16;
    /// The function that serves it.
    const FUNCTION: &'static str;
    /// The purpose, in a few words.
    const SUMMARY: &'static str;
    /// The meaning of a success.
    const MEANING: &'static str;

    /// Adds what only this endpoint has: the parameters of its query, headers and problems.
    fn describe(operation: Operation<'_>) -> Operation<'_>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Display, IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Method {
    Get,
    Put,
    Post,
    Patch,
    Delete,
    Head,
}

/// A permission of an API key; each endpoint asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, Display, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum KeyScope {
    ReadAutomations,
    WriteAutomations,
    ReadContacts,
    /// To learn the id of a contact by its address; `read-contacts` includes it.
    FindContacts,
    WriteContacts,
    ReadFeeds,
    WriteFeeds,
    ReadLog,
    WriteStockLevels,
    WriteSending,
    ReadSubscriptions,
    WriteSubscriptions,
}

/// Scopes that go together, as one word of a key. A key that has a set also has what later versions add to the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, Display, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum KeySet {
    /// A shop's server, which makes contacts and subscribes them. It may also erase and unsubscribe anybody, so it does
    /// not belong into a browser.
    Storefront,
    /// A system that knows stock and products.
    Erp,
    /// Everything.
    Operator,
}

impl KeySet {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn has(self, scope: KeyScope) -> bool {
        use KeyScope::{
            FindContacts, ReadFeeds, ReadLog, ReadSubscriptions, WriteContacts, WriteFeeds, WriteStockLevels,
            WriteSubscriptions,
        };
        match self {
            Self::Storefront => matches!(scope, FindContacts | WriteContacts | ReadSubscriptions | WriteSubscriptions),
            Self::Erp => matches!(scope, WriteStockLevels | ReadFeeds | WriteFeeds | ReadLog),
            Self::Operator => true,
        }
    }
}

impl KeyScope {
    /// Returns the scopes that a word of a key stands for: its own, or those of a set; none if there is no such word.
    pub fn of_word(word: &str) -> Vec<Self> {
        let set = KeySet::iter().find(|set| set.as_str() == word);
        let includes = |scope: &Self| *scope == Self::FindContacts && word == Self::ReadContacts.as_str();
        let is_meant =
            |scope: &Self| scope.as_str() == word || includes(scope) || set.is_some_and(|set| set.has(*scope));
        Self::iter().filter(is_meant).collect()
    }

    /// Returns the word that is stored with a key.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// An endpoint as it is shown.
pub struct Description {
    pub id: &'static str,
    pub method: Method,
    pub base: &'static str,
    pub path: &'static str,
    /// The names of the query's parameters.
    pub query: &'static [&'static str],
    pub scope: Option<KeyScope>,
    pub status: u16,
    pub function: &'static str,
    pub summary: &'static str,
    pub meaning: &'static str,
    /// Describes the operation in OpenAPI.
    pub operation: fn(&mut Schemas) -> utoipa::openapi::path::Operation,
}

impl Description {
    pub fn of<E: Endpoint>() -> Self {
        Self {
            id: E::ID,
            method: E::METHOD,
            base: E::BASE,
            path: E::PATH,
            query: E::QUERY,
            scope: E::SCOPE,
            status: E::STATUS,
            function: E::FUNCTION,
            summary: E::SUMMARY,
            meaning: E::MEANING,
            operation: |schemas| {
                let operation = Operation::new(schemas, E::ID, E::SUMMARY);
                let operation = match E::SCOPE {
                    Some(scope) => operation.key(scope.as_str()),
                    None => operation,
                };
                let operation = E::Answer::describe(operation.path(E::PATH), E::STATUS, E::MEANING);
                E::describe(E::Body::describe(operation)).build()
            },
        }
    }

    /// Returns the path from the root, with its parameters in braces.
    pub fn route(&self) -> String {
        format!("{}{}", self.base, self.path)
    }
}

/// Declares the endpoints of an area, and a function `all` that returns their descriptions.
///
/// The doc comment is the summary. `?` comes before the parameters of the query, of which an `Option` may be missing;
/// `=>` before the status, the type and the meaning of a success.
#[macro_export]
macro_rules! endpoints {
    ($(
        #[doc = $summary:literal]
        $name:ident($id:literal): $method:ident $(at $base:literal)? $path:literal
        $(? { $($parameter:literal: $kind:ty, $about:literal;)* })?, $function:literal, $scope:expr,
        $body:ty => $status:literal $answer:ty, $meaning:literal
        $(, $describe:expr)?;
    )*) => {
        $(
            #[doc = $summary]
            pub struct $name;

            impl $crate::Endpoint for $name {
                type Body = $body;
                type Answer = $answer;
                const ID: &'static str = $id;
                const METHOD: $crate::Method = $crate::Method::$method;
                $(const BASE: &'static str = $base;)?
                const PATH: &'static str = $path;
                $(const QUERY: &'static [&'static str] = &[$($parameter),*];)?
                const SCOPE: Option<$crate::KeyScope> = $scope;
                const STATUS: u16 = $status;
                const FUNCTION: &'static str = $function;
                const SUMMARY: &'static str = $summary.trim_ascii();
                const MEANING: &'static str = $meaning;

                fn describe(operation: $crate::operation::Operation<'_>) -> $crate::operation::Operation<'_> {
                    $($(let operation = operation.query::<$kind>($parameter, $about);)*)?
                    $(
                        let describe: fn($crate::operation::Operation<'_>) -> $crate::operation::Operation<'_> = $describe;
                        let operation = describe(operation);
                    )?
                    operation
                }
            }
        )*

        /// Returns the descriptions of this area's endpoints.
        pub fn all() -> Vec<$crate::Description> {
            vec![$($crate::Description::of::<$name>()),*]
        }
    };
}

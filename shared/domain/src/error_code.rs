//! The words with which values, requests and files are refused.

use serde::Serialize;
use strum::{EnumIter, EnumMessage, IntoStaticStr};

/// A stable word for programs, in PascalCase, as `errorCode` of the API and of reports.
///
/// The comment of each variant is the sentence that `docs/api.md` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, EnumIter, EnumMessage, IntoStaticStr)]
pub enum ErrorCode {
    /// Name the contact by one of `contactId` and `email`, not by both.
    Ambiguous,
    /// There is no automation with this id, or not in this version.
    AutomationNotFound,
    /// Other requests are changing the same thing at the same time; send it again.
    Busy,
    /// There is no such contact.
    ContactNotFound,
    /// The file or the query has it twice, and nothing says which one counts.
    Duplicate,
    /// The file has an item with the same id further down, and that one counts.
    DuplicateId,
    /// Another contact has the email address; the member `id` is its id, for a key with `find-contacts`.
    EmailTaken,
    /// The value is empty or blank.
    Empty,
    /// The API key has expired.
    ExpiredApiKey,
    /// The feed has no URL to fetch; configure one, or send the file as the body.
    FeedHasNoUrl,
    /// No product feed is configured for the locale.
    FeedNotFound,
    /// Most of the stored products are missing from the file, so nothing was changed.
    FeedShrank,
    /// The file could not be fetched from its URL.
    FetchFailed,
    /// Another call had this Idempotency-Key less than 24 hours ago.
    IdempotencyKeyReused,
    /// There is no import with this id, or not any more.
    ImportNotFound,
    /// The import took longer than it may and was ended; import again to go on.
    ImportTooLong,
    /// The time is in the future.
    InFuture,
    /// The file could not be read to its end.
    InputFailed,
    /// Something failed on our side; the same request may be sent again.
    InternalError,
    /// The id of an automation has up to 50 lower-case letters, digits and hyphens.
    InvalidAutomationId,
    /// The text has a character that can't be stored or sent, such as a control character.
    InvalidCharacter,
    /// A colour is hexadecimal, such as `#1f2328`.
    InvalidColor,
    /// A condition has either `field`, `operator` and `value`, or one of `all`, `any` and `not`.
    InvalidCondition,
    /// A contact's id is a GUID.
    InvalidContactId,
    /// A country is an ISO 3166-1 code of two letters.
    InvalidCountryCode,
    /// A user name or a password of a feed is not usable, or does not stand where it belongs.
    InvalidCredential,
    /// A currency is an ISO 4217 code of three letters.
    InvalidCurrency,
    /// The cursor is not one that the page before returned.
    InvalidCursor,
    /// The text is not a length of time such as `PT1H`.
    InvalidDuration,
    /// The text is not one plain email address.
    InvalidEmail,
    /// The item or the parameter has bytes that don't belong to its encoding.
    InvalidEncoding,
    /// A font stack has names with commas between them, and ends with a family that every mail client has.
    InvalidFontStack,
    /// The item's id can't be a SKU.
    InvalidId,
    /// Use 1 to 255 visible ASCII characters.
    InvalidIdempotencyKey,
    /// The item's link is not an http or https address.
    InvalidLink,
    /// The text is not a BCP 47 language tag such as `sv-SE`.
    InvalidLocale,
    /// An attribute needs a name without control characters.
    InvalidName,
    /// The log has no such outcome.
    InvalidOutcome,
    /// The text is not a period such as `P30D` or `30 days`, of at most 100 years.
    InvalidPeriod,
    /// A price is a number above zero with a currency, in a form with one reading, such as `1299.00 SEK` or `1.299,00 €`.
    InvalidPrice,
    /// The id of a receipt has 1 to 200 bytes and no control characters.
    InvalidReceiptId,
    /// A sale period is two ISO 8601 times with a slash between them.
    InvalidSalePeriod,
    /// A schedule is `none`, or a period from 15 minutes to a day, such as `PT1H`.
    InvalidSchedule,
    /// A sender is an address, or a name and an address such as `My Shop <hello@shop.example>`.
    InvalidSender,
    /// The subject has braces other than `{ $title }` and `{ $price }`, or comes out with nothing that is seen, or with characters that control how it is shown.
    InvalidSubject,
    /// The id of a subscription is the one that subscribing returned.
    InvalidSubscriptionId,
    /// A template can't be parsed or rendered, lacks what every mail needs, or makes mails that are too large.
    InvalidTemplate,
    /// The id of a template has up to 50 lower-case letters, digits and hyphens.
    InvalidTemplateId,
    /// The text has braces other than those of its variables, or comes out empty or with control characters.
    InvalidText,
    /// The text is not a time of day such as `22:00`.
    InvalidTime,
    /// The text is not the name of a time zone such as `Europe/Stockholm`.
    InvalidTimeZone,
    /// The text is not a time with an offset such as `2026-11-23T08:30:00Z`.
    InvalidTimestamp,
    /// The text is neither `level` nor `restock`.
    InvalidTrigger,
    /// The unsubscribe link is not complete.
    InvalidUnsubscribeToken,
    /// The text is not an http or https URL.
    InvalidUrl,
    /// The item has more bytes than are taken.
    ItemTooLarge,
    /// The text is hard to read on what is behind it.
    LowContrast,
    /// SES did not take a test mail.
    MailNotTaken,
    /// The body or the line is not JSON.
    MalformedJson,
    /// The item's XML is not well-formed.
    MismatchedTags,
    /// The request has no API key in the header `apikey`.
    MissingApiKey,
    /// The request needs a body.
    MissingBody,
    /// The item has no id.
    MissingId,
    /// The item has no link.
    MissingLink,
    /// The API key lacks the scope that the call needs.
    MissingScope,
    /// The item has no title.
    MissingTitle,
    /// The file is no table, or its first line names no column `id`.
    NoIdColumn,
    /// The file has no item: it is neither an RSS nor an Atom feed, nor JSON lines.
    NoItems,
    /// No feed of the locale has the SKU.
    NoProductData,
    /// No item of the file has an id that can be read, so nothing was changed.
    NoUsableItems,
    /// None of the batch's stock levels is valid.
    NoValidStockLevel,
    /// Test mails go to the addresses of the parameter `TestRecipients` only.
    NotATestRecipient,
    /// The body is not an array.
    NotAnArray,
    /// The value is not a JSON object.
    NotAnObject,
    /// The line is of somebody who waits no more in the other system.
    NotWaiting,
    /// The number is too small or too large.
    OutOfRange,
    /// There was no time left for this line; send the file again, which changes nothing about the lines that were taken.
    OutOfTime,
    /// The request or the file is too large.
    PayloadTooLarge,
    /// The item has the field more than once, with different values.
    RepeatedField,
    /// The property is required.
    Required,
    /// There is no such method and path.
    RouteNotFound,
    /// SES may not send from the address.
    SenderNotVerified,
    /// What is changed is no longer in the version that `If-Match` names.
    StaleVersion,
    /// The first call with this Idempotency-Key is still running; send it again after a moment.
    StillRunning,
    /// A field of a table begins with a quote that nothing closes, and is taken as text.
    StrayQuote,
    /// There is no such subscription; it may have been used up or deleted.
    SubscriptionNotFound,
    /// Automations use the template.
    TemplateInUse,
    /// There is no such template, or not in this version.
    TemplateNotFound,
    /// The field has text beside other tags, so it can't be read as one text.
    TextBesideTags,
    /// Conditions nest too deeply.
    TooDeep,
    /// The text has too many characters or bytes.
    TooLong,
    /// There are too many parts.
    TooMany,
    /// There are as many automations as there may be.
    TooManyAutomations,
    /// Too many requests at the moment; send the same one again after `Retry-After` seconds.
    TooManyRequests,
    /// The contact has as many subscriptions as it may; end some of them, or wait until some are mailed.
    TooManySubscriptions,
    /// There are as many templates as there may be.
    TooManyTemplates,
    /// The file breaks off, within the item or before its end.
    UnexpectedEnd,
    /// The API key is not known.
    UnknownApiKey,
    /// A text of the item has an entity that is none of XML or HTML, which stays as it is written.
    UnknownEntity,
    /// There is no such field: in a condition, or of those that mails show, in an item of a feed.
    UnknownField,
    /// The field has no such operator.
    UnknownOperator,
    /// The call has no such parameter in its query.
    UnknownParameter,
    /// There is no such property.
    UnknownProperty,
    /// There is no such template.
    UnknownTemplate,
    /// The content type is not one that the call takes.
    UnsupportedMediaType,
    /// The request is well-formed but not valid; `errors` names each field.
    ValidationFailed,
    /// No policy for waves is stored.
    WavesNotFound,
    /// The list has too few or too many elements.
    WrongLength,
    /// The row has another number of fields than the first line.
    WrongNumberOfFields,
    /// The value is of another type.
    WrongType,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the sentence that says what the word means.
    pub fn meaning(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

/// Why a value was refused: a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    pub error_code: ErrorCode,
    pub message: String,
}

impl Invalid {
    pub fn new(error_code: ErrorCode, message: impl Into<String>) -> Self {
        Self { error_code, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn the_words_are_in_alphabetical_order() {
        let words: Vec<&str> = ErrorCode::iter().map(ErrorCode::as_str).collect();
        assert!(words.is_sorted(), "{words:?}");
    }
}

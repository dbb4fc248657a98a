use crate::bodies::{
    AutomationSettings, ContactPatch, FeedSettings, NewContact, NewSubscription, Receipts, StockLevel,
};
use crate::words::{Described, Operation};
use dry_run_stock_level::DryRun;
use read_log::ShownPage;
use restock_domain::{Automation, AutomationId, Contact, ContactId, EmailAddress, Locale, ShownSubscription, Sku};
use restock_http::{IdReply, LinesReport};
use restock_store::{Feed, KeyScope, LogFilter, RecordedReceipts};
use show_demand::ShownDemand;
use start_feed_import::StartedImport;
use update_stock_levels::AcceptedLevels;
use utoipa::PartialSchema;
use utoipa::openapi::path::{HttpMethod, PathItemBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, PathItem, RefOr, Schema, SchemaFormat, ServerBuilder};

const LINES: [&str; 2] = ["application/x-ndjson", "application/jsonl"];
const FEEDS: [&str; 3] = ["application/xml", "text/csv", "text/tab-separated-values"];
const NO_CONTACT: &str = "There is no such contact.";
const NO_AUTOMATION: &str = "There is no such automation.";

/// Every path with its operations.
pub fn operations(d: &mut Described) -> Vec<(&'static str, PathItem)> {
    use HttpMethod::{Delete, Get, Patch, Post, Put};
    use KeyScope::*;

    let subscribe = Operation::new(d, "subscribe", "Subscribe a contact to a SKU", WriteSubscriptions)
        .body::<NewSubscription>()
        .answers_and_tells::<ShownSubscription>(
            201,
            "The subscription; the same call again answers with the same one.",
            ("unsubscribe-url", "A link that ends this subscription."),
        )
        .problem(404, NO_CONTACT)
        .build();
    let unsubscribe = Operation::new(d, "unsubscribe", "End a subscription", WriteSubscriptions)
        .path_text("subscriptionId", "The id that subscribing returned.")
        .answers::<IdReply>(200, "It is ended.")
        .problem(404, "There is no such subscription.")
        .build();
    let subscriptions = d.list::<ShownSubscription>();
    let list_subscriptions = Operation::new(d, "listSubscriptions", "What a contact waits for", ReadSubscriptions)
        .path::<ContactId>("contactId")
        .answers_with(200, "Its subscriptions, oldest first.", subscriptions)
        .build();

    let update_level = Operation::new(d, "updateStockLevel", "Tell a stock level", WriteStockLevels)
        .body::<StockLevel>()
        .answers::<AcceptedLevels>(202, "The level is safe on the queue.")
        .build();
    let batch = ArrayBuilder::new().items(d.reference::<StockLevel>()).max_items(Some(10_000)).build();
    let update_levels = Operation::new(d, "updateStockLevels", "Tell several stock levels", WriteStockLevels)
        .body_of(Schema::from(batch).into())
        .answers::<AcceptedLevels>(202, "The valid levels are safe on the queue; the others are listed.")
        .build();
    let dry_run = Operation::new(d, "dryRunStockLevel", "What a stock level would do, and why", ReadSubscriptions)
        .body::<StockLevel>()
        .answers::<DryRun>(200, "Nothing was changed.")
        .build();

    let log = Operation::new(d, "readLog", "What became of each stock level that met demand", ReadLog)
        .query::<Sku>("sku", "Only of this SKU.")
        .query::<Locale>("locale", "Only levels that carried this locale.")
        .query::<AutomationId>("automation", "Only levels that this automation was asked about.")
        .query_of("outcome", "`sent`, `refused`, or a word of `skipped` or `mails`.", outcome())
        .query_of("from", "At this time or later.", moment())
        .query_of("to", "Before this time.", moment())
        .query_of("limit", "Entries to a page, 50 unless told.", whole_number(1.0, 100.0))
        .query_of("cursor", "Of the page before.", String::schema())
        .answers::<ShownPage>(200, "A page, newest first.")
        .build();
    let demand = Operation::new(d, "showDemand", "What shoppers wait for most", ReadLog)
        .query::<Locale>("locale", "Only subscriptions of this locale.")
        .query_of("limit", "How many SKUs, 50 unless told.", whole_number(1.0, 1000.0))
        .answers::<ShownDemand>(200, "The most wanted SKUs first.")
        .build();

    let create_contact = Operation::new(d, "createContact", "Create a contact", WriteContacts)
        .body::<NewContact>()
        .answers::<Contact>(201, "The contact.")
        .problem(409, "A contact has this address; `id` is its id.")
        .build();
    let get_contact = Operation::new(d, "getContact", "Show a contact", ReadContacts)
        .path::<ContactId>("contactId")
        .answers::<Contact>(200, "The contact.")
        .problem(404, NO_CONTACT)
        .build();
    let update_contact = Operation::new(d, "updateContact", "Change a contact", WriteContacts)
        .path::<ContactId>("contactId")
        .body::<ContactPatch>()
        .answers::<Contact>(200, "The contact as it is now.")
        .problem(404, NO_CONTACT)
        .problem(409, "A contact has this address; `id` is its id.")
        .build();
    let delete_contact = Operation::new(d, "eraseContact", "Erase a contact and all that belongs to it", WriteContacts)
        .path::<ContactId>("contactId")
        .answers::<IdReply>(200, "It is erased.")
        .problem(404, NO_CONTACT)
        .build();
    let find_contact = Operation::new(d, "findContact", "Find a contact by its address", ReadContacts)
        .required_query::<EmailAddress>("email")
        .answers::<IdReply>(200, "Its id.")
        .problem(404, NO_CONTACT)
        .build();
    let import_contacts =
        Operation::new(d, "importContacts", "Create or change contacts, one to a line", WriteContacts)
            .file(&LINES, true)
            .answers::<LinesReport>(200, "What became of the lines, at most 2,000.")
            .problem(400, "There is no line.")
            .build();
    let purchases = Operation::new(d, "recordPurchases", "Record what a contact bought", WriteContacts)
        .path::<ContactId>("contactId")
        .body::<Receipts>()
        .answers::<RecordedReceipts>(200, "How many receipts were new.")
        .problem(404, NO_CONTACT)
        .build();
    let import_purchases = Operation::new(d, "importPurchases", "Record receipts, one to a line", WriteContacts)
        .file(&LINES, true)
        .answers::<LinesReport>(200, "What became of the lines, at most 2,000.")
        .problem(400, "There is no line.")
        .build();

    let automations = d.list::<Automation>();
    let list_automations = Operation::new(d, "listAutomations", "All automations", ReadAutomations)
        .answers_with(200, "In the order in which they are asked.", automations)
        .build();
    let tag = ("etag", "The version, for If-Match.");
    let get_automation = Operation::new(d, "getAutomation", "Show an automation", ReadAutomations)
        .path::<AutomationId>("automationId")
        .query_of("version", "As it was in that version.", whole_number(0.0, 1e15))
        .answers_and_tells::<Automation>(200, "The automation.", tag)
        .problem(404, NO_AUTOMATION)
        .build();
    let put_automation = Operation::new(d, "putAutomation", "Store an automation", WriteAutomations)
        .path::<AutomationId>("automationId")
        .conditional()
        .body::<AutomationSettings>()
        .answers_and_tells::<Automation>(200, "The automation, as its next version.", tag)
        .problem(409, "There are fifty automations already.")
        .build();
    let delete_automation = Operation::new(d, "deleteAutomation", "Delete an automation", WriteAutomations)
        .path::<AutomationId>("automationId")
        .conditional()
        .answers::<IdReply>(200, "It is deleted.")
        .problem(404, NO_AUTOMATION)
        .build();

    let feeds = d.list::<Feed>();
    let list_feeds =
        Operation::new(d, "listFeeds", "All product feeds", ReadFeeds).answers_with(200, "By locale.", feeds).build();
    let get_feed = Operation::new(d, "getFeed", "Show a product feed and its last import", ReadFeeds)
        .path::<Locale>("locale")
        .answers::<Feed>(200, "The feed.")
        .problem(404, "The locale has no feed.")
        .build();
    let put_feed = Operation::new(d, "configureFeed", "Say where a locale's product feed is", WriteFeeds)
        .path::<Locale>("locale")
        .body::<FeedSettings>()
        .answers::<Feed>(200, "The feed.")
        .build();
    let import_feed =
        Operation::new(d, "importFeed", "Import a product feed, from its URL or from the body", WriteFeeds)
            .path::<Locale>("locale")
            .query_of("allowShrink", "Import also if most stored products are missing.", bool::schema())
            .file(&FEEDS, false)
            .answers::<StartedImport>(202, "The import is queued.")
            .problem(404, "The locale has no feed, and the body none either.")
            .problem(409, "The feed has no URL.")
            .build();

    let openapi = Operation::public(d, "openapi", "This description")
        .answers_with(200, "OpenAPI 3.1.", Schema::from(ObjectBuilder::new().build()).into())
        .build();
    let ask = Operation::public(d, "askToUnsubscribe", "A page with a button; changes nothing")
        .path_text("token", "From an email, or from the header unsubscribe-url.")
        .answers_page(200, "The question.")
        .answers_page(404, "The link does not work.")
        .build();
    let confirm = Operation::public(d, "confirmUnsubscribe", "One-click unsubscribe (RFC 8058)")
        .path_text("token", "From an email, or from the header unsubscribe-url.")
        .answers_page(200, "It is done.")
        .answers_page(404, "The link does not work.")
        .build();
    let root = PathItemBuilder::new().servers(Some([ServerBuilder::new().url("/").build()]));

    vec![
        ("/inventory/backinstock/subscriptions", PathItem::new(Post, subscribe)),
        ("/inventory/backinstock/subscriptions/{subscriptionId}", PathItem::new(Delete, unsubscribe)),
        ("/contacts/{contactId}/backinstock/subscriptions", PathItem::new(Get, list_subscriptions)),
        ("/inventory/stock-levels", PathItem::new(Put, update_level)),
        ("/inventory/stock-levels/batch", PathItem::new(Put, update_levels)),
        ("/inventory/stock-levels/dry-run", PathItem::new(Post, dry_run)),
        ("/inventory/backinstock/log", PathItem::new(Get, log)),
        ("/inventory/backinstock/demand", PathItem::new(Get, demand)),
        ("/contacts", PathItem::new(Post, create_contact)),
        ("/contacts/id", PathItem::new(Get, find_contact)),
        ("/contacts/imports", PathItem::new(Post, import_contacts)),
        (
            "/contacts/{contactId}",
            PathItemBuilder::new()
                .operation(Get, get_contact)
                .operation(Patch, update_contact)
                .operation(Delete, delete_contact)
                .build(),
        ),
        ("/contacts/{contactId}/purchases", PathItem::new(Post, purchases)),
        ("/purchases/imports", PathItem::new(Post, import_purchases)),
        ("/automations", PathItem::new(Get, list_automations)),
        (
            "/automations/{automationId}",
            PathItemBuilder::new()
                .operation(Get, get_automation)
                .operation(Put, put_automation)
                .operation(Delete, delete_automation)
                .build(),
        ),
        ("/feeds", PathItem::new(Get, list_feeds)),
        ("/feeds/{locale}", PathItemBuilder::new().operation(Get, get_feed).operation(Put, put_feed).build()),
        ("/feeds/{locale}/imports", PathItem::new(Post, import_feed)),
        ("/openapi.json", PathItem::new(Get, openapi)),
        ("/unsubscribe/{token}", root.operation(Get, ask).operation(Post, confirm).build()),
    ]
}

fn outcome() -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(LogFilter::outcomes()));
    Schema::from(text.build()).into()
}

fn moment() -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    Schema::from(ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).format(Some(format)).build()).into()
}

fn whole_number(least: f64, most: f64) -> RefOr<Schema> {
    let number = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer));
    Schema::from(number.minimum(Some(least)).maximum(Some(most)).build()).into()
}

//! The feeds of the demo: of the sample shop, or one that a person brings.

use crate::Error;
use crate::client::{Answer, Client};
use crate::functions::workspace;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use restock_api::feeds::MAX_FEED_BYTES;
use restock_feed::MediaType;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::{fs, io};

pub struct Shop {
    pub feeds: Vec<Feed>,
    /// SKU-1 and SKU-2 of the example.
    pub sku: String,
    pub second_sku: String,
    /// `sv-se` and `pl-pl` of the example.
    pub locale: String,
    pub second_locale: String,
}

pub struct Feed {
    pub locale: String,
    pub name: String,
    content_type: &'static str,
    bytes: Vec<u8>,
}

impl Shop {
    pub fn sample() -> Result<Self, Error> {
        let directory = workspace().join("infra/local/sample-shop");
        let feed = |file: &str| Feed::read(&directory.join(file), file.split('.').next().unwrap_or_default());
        Ok(Self {
            feeds: vec![feed("sv-SE.xml")?, feed("pl-PL.tsv")?, feed("de-DE.xml")?],
            sku: "SKU-1".into(),
            second_sku: "SKU-2".into(),
            locale: "sv-SE".into(),
            second_locale: "pl-PL".into(),
        })
    }

    /// Returns the example with the first two products of a feed. The example needs a second locale, which gets the
    /// same feed.
    pub fn of_feed(file: &Path, locale: &str) -> Result<Self, Error> {
        let second_locale = if locale.to_lowercase().starts_with("pl") { "sv-SE" } else { "pl-PL" };
        let feeds = vec![Feed::read(file, locale)?, Feed::read(file, second_locale)?];
        let mut skus = feeds[0].skus()?.into_iter();
        let (Some(sku), Some(second_sku)) = (skus.next(), skus.next()) else {
            return Err("The demo needs a feed with at least two products that can be read.".into());
        };
        Ok(Self { feeds, sku, second_sku, locale: locale.to_owned(), second_locale: second_locale.to_owned() })
    }

    /// Returns an external id: `SE-SKU-1` for `sv-SE`.
    pub fn external_id(&self, locale: &str) -> String {
        format!("{}-{}", locale.rsplit('-').next().unwrap_or_default().to_uppercase(), self.sku)
    }
}

impl Feed {
    fn read(file: &Path, locale: &str) -> Result<Self, Error> {
        let bytes = fs::read(file).map_err(|error| format!("{} can't be read: {error}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content_type = match MediaType::of_download(None, &name, &bytes[..bytes.len().min(1024)]).format {
            restock_feed::Format::Xml => "application/xml",
            restock_feed::Format::Csv => "text/csv",
            restock_feed::Format::Tsv => "text/tab-separated-values",
            restock_feed::Format::JsonLines => "application/x-ndjson",
        };
        Ok(Self { locale: locale.to_owned(), name, content_type, bytes })
    }

    /// Uploads the feed, or has it fetched if it is too large for that.
    pub fn start_import(&self, api: &Client) -> Result<Answer, Error> {
        let path = format!("/feeds/{}/imports", self.locale);
        if self.bytes.len() <= MAX_FEED_BYTES {
            return Ok(api.header("content-type", self.content_type).send("POST", &path, &self.bytes)?);
        }
        let url = self.serve_once()?;
        api.json("PUT", &format!("/feeds/{}", self.locale), &json!({ "url": url }))?;
        Ok(api.send("POST", &path, &[])?)
    }

    /// Returns the first two ids of items that can be imported.
    fn skus(&self) -> Result<Vec<String>, Error> {
        let mut skus: Vec<String> = Vec::new();
        let media_type = MediaType::parse(self.content_type).ok_or("the content type is not one of a feed")?;
        restock_feed::read(self.bytes.as_slice(), &media_type, None, &mut |_, item| {
            if let Some(sku) = item.ok().map(|item| item.product.sku().to_string())
                && skus.len() < 2
                && !skus.contains(&sku)
            {
                skus.push(sku);
            }
        })?;
        Ok(skus)
    }

    /// Serves the file to the next request, at the URL that this returns.
    fn serve_once(&self) -> io::Result<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}/{}", listener.local_addr()?, escaped(&self.name));
        let (bytes, content_type) = (self.bytes.clone(), self.content_type);
        std::thread::spawn(move || -> io::Result<()> {
            let (mut connection, _) = listener.accept()?;
            // A GET fits into one read on the loopback interface; what it says doesn't matter.
            let _ = connection.read(&mut [0; 8192])?;
            let length = bytes.len();
            write!(
                connection,
                "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            )?;
            connection.write_all(&bytes)
        });
        Ok(url)
    }
}

/// Escapes a text for a query parameter.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

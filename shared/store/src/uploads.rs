use crate::database::{Query, Write};
use crate::item::{EXPIRES_AT, number, number_of, string_of, texts};
use crate::keyspace;
use crate::{Error, Store};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use std::io::{Read, Write as _};
use std::time::Duration;

const TABLE: keyspace::Uploads = keyspace::Uploads;
/// DynamoDB's limit is 400 KB for an item with its names.
const PART: usize = 380_000;
const KEPT: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Keeps an uploaded file, compressed and in parts, for a day. `media_type` is kept with it.
    pub async fn put_upload(&self, id: &str, media_type: &str, file: &[u8], now: Timestamp) -> Result<(), Error> {
        let broken = |_| Error::Upload(id.to_owned());
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(file).map_err(broken)?;
        let compressed = encoder.finish().map_err(broken)?;
        let parts: Vec<&[u8]> = compressed.chunks(PART).collect();
        for (index, part) in parts.iter().enumerate() {
            let key = texts([("upload", id), ("part", &format!("{index:04}"))]);
            let mut item = texts([("mediaType", media_type)]);
            item.insert("parts".into(), number(parts.len() as i64));
            item.insert("data".into(), AttributeValue::B(Blob::new(*part)));
            item.insert(EXPIRES_AT.into(), number((now + KEPT).as_second()));
            self.database.write(Write::put(TABLE, key, item)).await?;
        }
        Ok(())
    }

    /// Returns the media type and the content of an uploaded file.
    pub async fn upload(&self, id: &str) -> Result<(String, Vec<u8>), Error> {
        let broken = || Error::Upload(id.to_owned());
        let (mut media_type, mut expected, mut found, mut compressed) = (String::new(), 0, 0, Vec::new());
        for item in self.query_all(Query::of(TABLE, id)).await? {
            let data = item.get("data").and_then(|data| data.as_b().ok()).ok_or_else(broken)?;
            compressed.extend_from_slice(data.as_ref());
            expected = number_of(TABLE, &item, "parts")?.ok_or_else(broken)?;
            media_type = string_of(&item, "mediaType").cloned().unwrap_or_default();
            found += 1;
        }
        if found == 0 || found != expected {
            return Err(broken());
        }
        let mut file = Vec::new();
        GzDecoder::new(compressed.as_slice()).read_to_end(&mut file).map_err(|_| broken())?;
        Ok((media_type, file))
    }
}

//! The lake of one region: its objects, their versions, and their bytes.

use std::collections::HashMap;

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::DateTime,
    types::{EncodingType, ReplicationStatus},
};
use sales::{clock::Timestamp, event, sale::FactId};

use super::{Patience, RegionCloud, items::Md5Sum, trouble::Trouble};
use crate::{day::Day, lake_object::ObjectLocation};

const KEY: &str = "lake_bucket";

/// All versions of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Number of writes.
    pub(crate) written: u32,
    /// Number of delete markers.
    pub(crate) deleted: u32,
    /// Whether versions differ in their ETags.
    pub(crate) differ: bool,
    /// The current version; `None` if it is deleted.
    pub(crate) latest: Option<Latest>,
    /// ETag of the first version seen, which others are compared with.
    pub(crate) etag: Option<String>,
}

/// The current version of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latest {
    /// ETag: the MD5 of the bytes if the object is small and not encrypted with KMS.
    pub(crate) etag: Option<Md5Sum>,
    /// Time of the write.
    pub(crate) written_at: Option<Timestamp>,
}

/// The contents of a range of folders.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    /// Objects under keys of facts.
    pub(crate) by_place: HashMap<ObjectLocation, Versions>,
    /// All other keys.
    pub(crate) foreign: Vec<String>,
}

/// An object with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// Content.
    pub(crate) bytes: Vec<u8>,
    /// Time of the write.
    pub(crate) written_at: Option<Timestamp>,
}

impl Versions {
    fn note_version(&mut self, etag: Option<String>, written_at: Option<DateTime>, is_latest: bool) {
        self.written += 1;
        if is_latest {
            let md5 = etag.as_deref().and_then(md5_of);
            self.latest = Some(Latest { etag: md5, written_at: written_at.and_then(moment) });
        }
        match &self.etag {
            None => self.etag = etag,
            Some(known) => self.differ |= etag.as_ref() != Some(known),
        }
    }
}

/// The MD5 in an ETag, if it has the form of one.
fn md5_of(etag: &str) -> Option<Md5Sum> {
    let digits = etag.trim_matches('"');
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let mut md5 = Md5Sum::default();
    for (byte, digits) in md5.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(md5)
}

/// The decoded key of a listing, which may be URL-encoded.
fn decoded(key: String, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key;
    }
    let one_name = key.replace('=', "%3D").replace('&', "%26");
    let decoded = url::form_urlencoded::parse(one_name.as_bytes()).next();
    decoded.map_or_else(String::new, |(key, _)| key.into_owned())
}

fn moment(date: DateTime) -> Option<Timestamp> {
    Timestamp::from_unix_seconds(date.secs())
}

impl RegionCloud {
    /// Whether the lake responds, within a moment.
    pub(crate) async fn lake_answers(&self) -> Result<(), Trouble> {
        let (client, bucket) = self.lake(Patience::Glance)?;
        let answer = client.head_bucket().bucket(bucket).send().await;
        answer.map(drop).map_err(|error| self.lake_trouble("HeadBucket", error))
    }

    /// All versions of all objects of a day; reports after each page how many it has read.
    pub(crate) async fn objects_of(&self, day: Day, read: impl Fn(u64)) -> Result<Objects, Trouble> {
        let mut objects = Objects::default();
        for folder in event::LAKE_FOLDERS {
            self.list_versions(&event::lake_prefix(folder, &day.to_string()), &mut objects, &read).await?;
        }
        Ok(objects)
    }

    /// All versions of one object; empty if it never existed.
    pub(crate) async fn versions_of(&self, place: ObjectLocation) -> Result<Option<Versions>, Trouble> {
        let mut objects = Objects::default();
        self.list_versions(&place.key(), &mut objects, &|_| {}).await?;
        Ok(objects.by_place.remove(&place))
    }

    async fn list_versions(&self, prefix: &str, objects: &mut Objects, read: &impl Fn(u64)) -> Result<(), Trouble> {
        let (client, bucket) = self.lake(Patience::Bulk)?;
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            // XML cannot represent every character of a key.
            let request = client.list_object_versions().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
            let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
            let page = request.send().await.map_err(|error| self.lake_trouble("ListObjectVersions", error))?;
            let (versions, markers) = (page.versions.unwrap_or_default(), page.delete_markers.unwrap_or_default());
            let key = |key: Option<String>| decoded(key.unwrap_or_default(), page.encoding_type.as_ref());
            read((versions.len() + markers.len()) as u64);
            for version in versions {
                if let Some(known) = objects.at(key(version.key)) {
                    known.note_version(version.e_tag, version.last_modified, version.is_latest == Some(true));
                }
            }
            for marker in markers {
                if let Some(known) = objects.at(key(marker.key)) {
                    known.deleted += 1;
                }
            }
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                return Ok(());
            }
            (key_marker, version_marker) =
                (page.next_key_marker.map(|marker| key(Some(marker))), page.next_version_id_marker);
        }
    }

    /// An object; `None` if there is none with this key.
    pub(crate) async fn object(&self, place: ObjectLocation, patience: Patience) -> Result<Option<Object>, Trouble> {
        let (client, bucket) = self.lake(patience)?;
        match client.get_object().bucket(bucket).key(place.key()).send().await {
            Ok(answer) => {
                let written_at = answer.last_modified.and_then(moment);
                let body = answer.body.collect().await;
                let bytes = body.map_err(|error| Trouble::new(format_args!("GetObject: {error}")))?.to_vec();
                Ok(Some(Object { bytes, written_at }))
            }
            Err(SdkError::ServiceError(answer)) if answer.err().is_no_such_key() => Ok(None),
            Err(error) => Err(self.lake_trouble("GetObject", error)),
        }
    }

    /// Whether S3 has yet to replicate an object to another bucket.
    pub(crate) async fn is_replicating(&self, place: ObjectLocation) -> Result<bool, Trouble> {
        let (client, bucket) = self.lake(Patience::Bulk)?;
        match client.head_object().bucket(bucket).key(place.key()).send().await {
            Ok(answer) => Ok(answer.replication_status == Some(ReplicationStatus::Pending)),
            Err(SdkError::ServiceError(answer)) if answer.err().is_not_found() => Ok(false),
            Err(error) => Err(self.lake_trouble("HeadObject", error)),
        }
    }

    /// Which of these sales of a day are in the lake. `ids` is sorted: the folder is listed from the first to the last
    /// of them, which adds little, since ids begin with the time.
    pub(crate) async fn sales_in_lake(&self, day: Day, ids: &[FactId]) -> Result<Vec<FactId>, Trouble> {
        let ([first, ..], [.., last]) = (ids, ids) else { return Ok(Vec::new()) };
        let (client, bucket) = self.lake(Patience::Bulk)?;
        let [first, last] = [first, last].map(|id| ObjectLocation { day, id: *id }.key());
        let request = client.list_objects_v2().bucket(bucket);
        let request = request.prefix(event::lake_prefix(event::LAKE_FOLDERS[0], &day.to_string()));
        // The key without its suffix sorts before the key itself.
        let mut pages = request.start_after(first.trim_end_matches(".json")).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.lake_trouble("ListObjectsV2", error))?;
            let keys: Vec<&str> = page.contents().iter().filter_map(|object| object.key()).collect();
            found.extend(keys.iter().filter_map(|key| ObjectLocation::parse(key)).map(|place| place.id));
            if keys.last().is_some_and(|key| *key >= last.as_str()) {
                break;
            }
        }
        Ok(found.into_iter().filter(|id| ids.binary_search(id).is_ok()).collect())
    }

    fn lake(&self, patience: Patience) -> Result<(Client, &str), Trouble> {
        let bucket = self.named(KEY, self.resources.lake_bucket.as_ref())?;
        let sdk = self.sdk(patience);
        // Custom endpoints have no bucket host names.
        let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(sdk.endpoint_url().is_some());
        Ok((Client::from_conf(config.build()), bucket))
    }

    fn lake_trouble<E>(&self, operation: &'static str, error: super::trouble::SdkError<E>) -> Trouble
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Trouble::of_sdk(&self.key(KEY), operation, error)
    }
}

impl Objects {
    /// The object with this key, created on first use; `None` if the key is not that of a fact, which is recorded.
    fn at(&mut self, key: String) -> Option<&mut Versions> {
        match ObjectLocation::parse(&key) {
            Some(place) => Some(self.by_place.entry(place).or_default()),
            None => {
                if self.foreign.last() != Some(&key) {
                    self.foreign.push(key);
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::items::md5;

    #[test]
    fn an_etag_is_an_md5_if_it_has_the_form_of_one() {
        assert_eq!(md5_of("\"d41d8cd98f00b204e9800998ecf8427e\""), Some(md5(b"")));
        for etag in ["", "\"d41d8cd98f00b204e9800998ecf8427e-2\"", "\"g41d8cd98f00b204e9800998ecf8427e\""] {
            assert_eq!(md5_of(etag), None, "{etag}");
        }
    }

    #[test]
    fn a_key_is_decoded_if_the_listing_says_that_it_is_encoded() {
        let key = "cancellations/dt=2025-12-01/1#cancelled.json";
        assert_eq!(decoded(key.to_owned(), None), key);
        for encoded in
            ["cancellations/dt%3D2025-12-01/1%23cancelled.json", "cancellations/dt=2025-12-01/1%23cancelled.json"]
        {
            assert_eq!(decoded(encoded.to_owned(), Some(&EncodingType::Url)), key);
        }
        assert_eq!(decoded("a%1B+%2B&".to_owned(), Some(&EncodingType::Url)), "a\u{1b} +&");
    }

    #[test]
    fn versions_with_different_etags_differ_and_the_latest_is_what_is_read() {
        let mut versions = Versions::default();
        let written = |seconds| Some(DateTime::from_secs(seconds));
        versions.note_version(Some("\"d41d8cd98f00b204e9800998ecf8427e\"".into()), written(20), true);
        versions.note_version(Some("\"d41d8cd98f00b204e9800998ecf8427e\"".into()), written(10), false);
        assert_eq!((versions.written, versions.differ), (2, false));
        let latest = Latest { etag: Some(md5(b"")), written_at: Timestamp::from_unix_seconds(20) };
        assert_eq!(versions.latest, Some(latest));
        versions.note_version(Some("\"x\"".into()), written(5), false);
        assert!(versions.differ);
    }
}

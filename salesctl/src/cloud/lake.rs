//! The journal in the lake of one region: its objects, and their lines.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::{ByteStream, DateTime},
    types::{EncodingType, ReplicationStatus},
};
use futures::{Stream, StreamExt, stream};
use sales::{
    clock::Timestamp,
    journal::{self, Hour},
};

use super::{Patience, RegionCloud, trouble::Trouble};
use crate::day::Day;

pub(super) const KEY: &str = "lake_bucket";

/// Objects read concurrently.
const OBJECTS_AT_A_TIME: usize = 32;

/// All versions of one object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Number of writes.
    pub(crate) written: u32,
    /// Number of delete markers.
    pub(crate) deleted: u32,
    /// Whether versions differ in their sizes.
    pub(crate) differ: bool,
    size: i64,
    latest: Option<Latest>,
}

/// The current version of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Latest {
    written_at: Option<Timestamp>,
}

/// An object of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Object {
    /// Its key.
    pub(crate) key: String,
    /// Time of the write.
    pub(crate) written_at: Option<Timestamp>,
}

/// The objects of some folders of the journal.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The objects that workers have written, by the hour of their folder.
    pub(crate) by_hour: BTreeMap<Hour, Vec<Arc<Object>>>,
    /// Keys of objects that no worker has written.
    pub(crate) foreign: Vec<String>,
    /// Objects that are deleted, or written again with other contents, which workers never do.
    pub(crate) changed: Vec<(String, Versions)>,
}

/// Result of copying an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copied {
    /// It was copied.
    Done,
    /// It has arrived meanwhile.
    WasThere,
    /// The source does not have it any more.
    IsGone,
}

impl Versions {
    fn note_version(&mut self, size: i64, written_at: Option<DateTime>, is_latest: bool) {
        self.differ |= self.written > 0 && size != self.size;
        self.size = size;
        self.written += 1;
        if is_latest {
            self.latest = Some(Latest { written_at: written_at.and_then(moment) });
        }
    }

    fn is_changed(&self) -> bool {
        self.differ || self.latest.is_none()
    }
}

impl Listing {
    fn of(versions: BTreeMap<String, Versions>) -> Self {
        let mut listing = Self::default();
        for (key, versions) in versions {
            let Some(hour) = Hour::of_key(&key) else {
                if versions.latest.is_some() {
                    listing.foreign.push(key);
                }
                continue;
            };
            if versions.is_changed() {
                listing.changed.push((key.clone(), versions));
            }
            if let Some(Latest { written_at }) = versions.latest {
                listing.by_hour.entry(hour).or_default().push(Arc::new(Object { key, written_at }));
            }
        }
        listing
    }
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

    /// The objects of a day.
    pub(crate) async fn objects_of_day(&self, day: Day) -> Result<Listing, Trouble> {
        self.list(&format!("{}dt={day}/", journal::FOLDER)).await
    }

    /// The objects of an hour.
    pub(crate) async fn objects_of_hour(&self, hour: Hour) -> Result<Vec<Arc<Object>>, Trouble> {
        Ok(self.list(&hour.prefix()).await?.by_hour.remove(&hour).unwrap_or_default())
    }

    async fn list(&self, prefix: &str) -> Result<Listing, Trouble> {
        let (client, bucket) = self.lake(Patience::Bulk)?;
        let mut objects: BTreeMap<String, Versions> = BTreeMap::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            // XML cannot represent every character of a key.
            let request = client.list_object_versions().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
            let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
            let page = request.send().await.map_err(|error| self.lake_trouble("ListObjectVersions", error))?;
            let key = |key: Option<String>| decoded(key.unwrap_or_default(), page.encoding_type.as_ref());
            for version in page.versions.unwrap_or_default() {
                let known = objects.entry(key(version.key)).or_default();
                let size = version.size.unwrap_or_default();
                known.note_version(size, version.last_modified, version.is_latest == Some(true));
            }
            for marker in page.delete_markers.unwrap_or_default() {
                objects.entry(key(marker.key)).or_default().deleted += 1;
            }
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                return Ok(Listing::of(objects));
            }
            (key_marker, version_marker) =
                (page.next_key_marker.map(|marker| key(Some(marker))), page.next_version_id_marker);
        }
    }

    /// Reads objects, several at once: for each what `digest` makes of its lines. One that is deleted meanwhile is left
    /// out.
    pub(crate) fn read_objects<'a, T: Default + 'a>(
        &'a self,
        objects: impl IntoIterator<Item = Arc<Object>> + 'a,
        digest: impl Fn(&mut T, &[u8]) + Copy + 'a,
    ) -> impl Stream<Item = Result<(Arc<Object>, Option<T>), Trouble>> + 'a {
        let reads = stream::iter(objects).map(move |object| async move {
            let read = self.read_object(&object.key, Patience::Bulk, digest).await?;
            Ok((object, read.map(|(read, _)| read)))
        });
        reads.buffer_unordered(OBJECTS_AT_A_TIME)
    }

    /// What `digest` makes of the lines of an object, and the time of its write; `None` if there is no such object.
    pub(crate) async fn read_object<T: Default>(
        &self,
        key: &str,
        patience: Patience,
        digest: impl Fn(&mut T, &[u8]),
    ) -> Result<Option<(T, Option<Timestamp>)>, Trouble> {
        let Some((mut body, written_at)) = self.object(key, patience).await? else { return Ok(None) };
        let (mut read, mut rest) = (T::default(), Vec::new());
        while let Some(chunk) = body.next().await {
            rest.extend_from_slice(&chunk.map_err(|error| Trouble::new(format_args!("GetObject: {error}")))?);
            let complete = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for line in rest[..complete].split_inclusive(|byte| *byte == b'\n') {
                digest(&mut read, &line[..line.len() - 1]);
            }
            rest.drain(..complete);
        }
        if !rest.is_empty() {
            digest(&mut read, &rest);
        }
        Ok(Some((read, written_at)))
    }

    async fn object(&self, key: &str, patience: Patience) -> Result<Option<(ByteStream, Option<Timestamp>)>, Trouble> {
        let (client, bucket) = self.lake(patience)?;
        match client.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => Ok(Some((answer.body, answer.last_modified.and_then(moment)))),
            Err(SdkError::ServiceError(answer)) if answer.err().is_no_such_key() => Ok(None),
            Err(error) => Err(self.lake_trouble("GetObject", error)),
        }
    }

    /// Copies an object of another region's journal as it is, unless one with its key is here.
    pub(crate) async fn copy_object(&self, from: &Self, key: &str) -> Result<Copied, Trouble> {
        let Some((body, _)) = from.object(key, Patience::Bulk).await? else { return Ok(Copied::IsGone) };
        let body = body.collect().await.map_err(|error| Trouble::new(format_args!("GetObject: {error}")))?;
        let (client, bucket) = self.lake(Patience::Bulk)?;
        let put = client.put_object().bucket(bucket).key(key).content_type("application/x-ndjson");
        match put.body(body.into_bytes().into()).if_none_match("*").send().await {
            Ok(_) => Ok(Copied::Done),
            Err(SdkError::ServiceError(answer)) if answer.raw().status().as_u16() == 412 => Ok(Copied::WasThere),
            Err(error) => Err(self.lake_trouble("PutObject", error)),
        }
    }

    /// Whether S3 has yet to replicate an object to another bucket.
    pub(crate) async fn is_replicating(&self, key: &str) -> Result<bool, Trouble> {
        let (client, bucket) = self.lake(Patience::Bulk)?;
        match client.head_object().bucket(bucket).key(key).send().await {
            Ok(answer) => Ok(answer.replication_status == Some(ReplicationStatus::Pending)),
            Err(SdkError::ServiceError(answer)) if answer.err().is_not_found() => Ok(false),
            Err(error) => Err(self.lake_trouble("HeadObject", error)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "journal/dt=2025-12-01/hour=07/sa-east-1-0192f5c0-7c1d-7a3e-8f11-0123456789ab.ndjson";

    fn versions(sizes: &[i64], is_there: bool) -> Versions {
        let mut versions = Versions { deleted: u32::from(!is_there), ..Versions::default() };
        for (place, size) in sizes.iter().enumerate() {
            versions.note_version(*size, Some(DateTime::from_secs(20)), is_there && place == 0);
        }
        versions
    }

    #[test]
    fn a_key_is_decoded_if_the_listing_says_that_it_is_encoded() {
        let key = "journal/dt=2025-12-01/1#2.txt";
        assert_eq!(decoded(key.to_owned(), None), key);
        for encoded in ["journal/dt%3D2025-12-01/1%232.txt", "journal/dt=2025-12-01/1%232.txt"] {
            assert_eq!(decoded(encoded.to_owned(), Some(&EncodingType::Url)), key);
        }
        assert_eq!(decoded("a%1B+%2B&".to_owned(), Some(&EncodingType::Url)), "a\u{1b} +&");
    }

    #[test]
    fn an_object_is_listed_under_its_hour_and_what_no_worker_writes_is_foreign() {
        let foreign = "journal/dt=2025-12-01/readme.txt";
        let deleted = "journal/dt=2025-12-01/deleted.txt";
        let listed =
            [(WRITTEN, versions(&[1], true)), (foreign, versions(&[1, 2], true)), (deleted, versions(&[1], false))];
        let listing = Listing::of(listed.map(|(key, versions)| (key.to_owned(), versions)).into());
        let written_at = Timestamp::from_unix_seconds(20);
        let object = Arc::new(Object { key: WRITTEN.to_owned(), written_at });
        assert_eq!(listing.by_hour, BTreeMap::from([(Hour::of_key(WRITTEN).unwrap(), vec![object])]));
        assert_eq!((listing.foreign, listing.changed), (vec![foreign.to_owned()], vec![]));
    }

    #[test]
    fn an_object_is_changed_if_it_is_deleted_or_its_versions_differ() {
        for (versions, changed, there) in [
            (versions(&[5], true), false, 1),
            // A replica, after a copy.
            (versions(&[5, 5], true), false, 1),
            (versions(&[5, 6], true), true, 1),
            (versions(&[5], false), true, 0),
        ] {
            let listing = Listing::of(BTreeMap::from([(WRITTEN.to_owned(), versions)]));
            assert_eq!(!listing.changed.is_empty(), changed, "{versions:?}");
            assert_eq!(listing.by_hour.len(), there, "{versions:?}");
        }
    }
}

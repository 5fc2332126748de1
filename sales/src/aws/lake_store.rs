//! The objects of the lake, in an S3 bucket.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, Object, ObjectIdentifier};

use super::{Connection, Deadline, S3Addressing, failure};
use crate::clock::Timestamp;
use crate::health::Dependency;
use crate::ports::{Create, FailureKind, LakeStore, Listing, ObjectPage, PortError, PortResult, StoredObject};

/// An object may have tens of megabytes.
const DEADLINE: Deadline =
    Deadline { attempts: 3, attempt: Duration::from_secs(60), operation: Duration::from_secs(130) };

/// [`LakeStore`] on S3.
#[derive(Clone, Debug)]
pub struct S3LakeStore {
    client: Client,
    bucket: String,
    dependency: Dependency,
}

impl S3LakeStore {
    /// The lake in the bucket of this name.
    #[must_use]
    pub fn new(connection: &Connection, bucket: String, addressing: S3Addressing, dependency: Dependency) -> Self {
        let config = aws_sdk_s3::config::Builder::from(&connection.0)
            .force_path_style(addressing == S3Addressing::Path)
            .retry_config(DEADLINE.retries())
            .timeout_config(DEADLINE.timeouts());
        Self { client: Client::from_conf(config.build()), bucket, dependency }
    }

    async fn page(&self, prefix: &str, after: Option<&str>, listing: Listing) -> PortResult<ObjectPage> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let list = list.set_start_after(after.map(str::to_owned));
        let list = list.set_delimiter((listing == Listing::Folders).then(|| "/".to_owned()));
        let answer = list.send().await.map_err(|error| failure::of_resource("ListObjectsV2", error))?;
        let truncated = answer.is_truncated == Some(true);
        let objects: Vec<StoredObject> = answer.contents.unwrap_or_default().into_iter().filter_map(stored).collect();
        let folders: Vec<String> =
            answer.common_prefixes.unwrap_or_default().into_iter().filter_map(|folder| folder.prefix).collect();
        // The highest code point ends whatever a folder may hold.
        let last = objects.last().map(|object| object.key.clone());
        let last = last.max(folders.last().map(|folder| format!("{folder}\u{10ffff}")));
        Ok(ObjectPage { objects, folders, next: last.filter(|_| truncated) })
    }

    async fn get(&self, key: &str, part: Option<Range<u64>>) -> PortResult<Option<Vec<u8>>> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let get = get.set_range(part.map(|part| format!("bytes={}-{}", part.start, part.end.saturating_sub(1))));
        match get.send().await {
            Ok(answer) => match answer.body.collect().await {
                Ok(content) => Ok(Some(content.to_vec())),
                Err(error) => {
                    let (kind, detail) = (FailureKind::Unavailable, failure::causes(&error));
                    Err(PortError { operation: "GetObject", kind, detail })
                }
            },
            Err(SdkError::ServiceError(answer)) if answer.err().is_no_such_key() => Ok(None),
            Err(error) => Err(failure::of("GetObject", error)),
        }
    }

    async fn put(&self, key: &str, content: Vec<u8>, only_new: bool) -> PortResult<Create> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(content));
        match put.set_if_none_match(only_new.then(|| "*".to_owned())).send().await {
            Ok(_) => Ok(Create::Created),
            Err(SdkError::ServiceError(answer)) if only_new && answer.raw().status().as_u16() == 412 => {
                Ok(Create::AlreadyExists)
            }
            Err(error) => Err(failure::of("PutObject", error)),
        }
    }

    async fn delete_all(&self, keys: &[String]) -> PortResult<()> {
        let rejected = |detail: String| PortError { operation: "DeleteObjects", kind: FailureKind::Rejected, detail };
        let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let objects = objects.collect::<Result<Vec<_>, _>>().map_err(|error| rejected(failure::causes(&error)))?;
        let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
        let delete = delete.map_err(|error| rejected(failure::causes(&error)))?;
        let answer = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let answer = answer.map_err(|error| failure::of("DeleteObjects", error))?;
        match answer.errors.unwrap_or_default().first() {
            None => Ok(()),
            Some(error) => {
                let code = error.code.as_deref().unwrap_or("no code");
                Err(failure::of_entry("DeleteObjects", code, error.message.as_deref(), code != "InternalError"))
            }
        }
    }
}

fn stored(object: Object) -> Option<StoredObject> {
    let modified = object.last_modified.and_then(|moment| Timestamp::from_unix_seconds(moment.secs()))?;
    Some(StoredObject { key: object.key?, size: u64::try_from(object.size?).ok()?, modified })
}

impl LakeStore for S3LakeStore {
    async fn list(&self, prefix: &str, after: Option<&str>, listing: Listing) -> PortResult<ObjectPage> {
        self.dependency.observe("ListObjectsV2", self.page(prefix, after, listing).await)
    }

    async fn read(&self, key: &str, part: Option<Range<u64>>) -> PortResult<Option<Vec<u8>>> {
        self.dependency.observe("GetObject", self.get(key, part).await)
    }

    async fn create(&self, key: &str, content: Vec<u8>) -> PortResult<Create> {
        self.dependency.observe("PutObject", self.put(key, content, true).await)
    }

    async fn replace(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        self.dependency.observe("PutObject", self.put(key, content, false).await).map(drop)
    }

    async fn delete(&self, keys: &[String]) -> PortResult<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.dependency.observe("DeleteObjects", self.delete_all(keys).await)
    }
}

//! The lake, in an S3 bucket.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;

use super::item::Attempt;
use super::{Connection, Deadline, failure};
use crate::entropy::Entropy;
use crate::event;
use crate::health::Dependency;
use crate::ports::{Lake, LakePut, PortResult};
use crate::sale::Fact;

/// Messages in flight stay hidden meanwhile; the total fits into the shutdown time of a task.
const DEADLINE: Deadline =
    Deadline { attempts: 2, attempt: Duration::from_secs(10), operation: Duration::from_secs(15) };

/// The metadata with the id of the attempt that put an object.
const ATTEMPT: &str = "attempt";

/// Where a request has the bucket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Addressing {
    /// In the host name, as AWS expects it.
    VirtualHost,
    /// In the path, as emulators expect it.
    Path,
}

/// [`Lake`] on S3.
#[derive(Clone, Debug)]
pub struct S3Lake {
    client: Client,
    bucket: String,
    dependency: Dependency,
    entropy: Entropy,
}

impl S3Lake {
    /// The lake in the bucket of this name.
    #[must_use]
    pub fn new(
        connection: &Connection,
        bucket: String,
        addressing: S3Addressing,
        dependency: Dependency,
        entropy: Entropy,
    ) -> Self {
        let config = aws_sdk_s3::config::Builder::from(&connection.0)
            .force_path_style(addressing == S3Addressing::Path)
            .retry_config(DEADLINE.retries())
            .timeout_config(DEADLINE.timeouts());
        Self { client: Client::from_conf(config.build()), bucket, dependency, entropy }
    }

    /// Whether this attempt put the object, but its response was lost. If that is unknown, it counts as not put.
    async fn is_from(&self, attempt: &Attempt, key: &str) -> bool {
        let answer = self.client.head_object().bucket(&self.bucket).key(key).send().await;
        let metadata = answer.ok().and_then(|object| object.metadata).unwrap_or_default();
        metadata.get(ATTEMPT).is_some_and(|known| known == attempt.as_str())
    }
}

impl Lake for S3Lake {
    async fn put(&self, fact: &Fact) -> PortResult<LakePut> {
        let (key, attempt) = (event::lake_key(fact), Attempt::new(&self.entropy));
        let put = self.client.put_object().bucket(&self.bucket).key(&key).metadata(ATTEMPT, attempt.as_str());
        let put = put.body(ByteStream::from(event::body(fact).into_bytes()));
        let outcome = match put.content_type("application/json").if_none_match("*").send().await {
            Ok(_) => Ok(LakePut::Stored),
            Err(SdkError::ServiceError(answer)) if answer.raw().status().as_u16() == 412 => {
                debug_assert_eq!(answer.err().code().unwrap_or("PreconditionFailed"), "PreconditionFailed");
                let own = self.is_from(&attempt, &key).await;
                Ok(if own { LakePut::Stored } else { LakePut::AlreadyThere })
            }
            Err(error) => Err(failure::of("PutObject", error)),
        };
        self.dependency.observe("PutObject", outcome)
    }

    async fn probe(&self) -> PortResult<()> {
        let answer = self.client.head_bucket().bucket(&self.bucket).send().await;
        self.dependency
            .observe("HeadBucket", answer.map(drop).map_err(|error| failure::of_resource("HeadBucket", error)))
    }
}

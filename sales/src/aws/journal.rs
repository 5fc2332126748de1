//! The journal, in an S3 bucket.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;

use super::{Connection, Deadline, failure};
use crate::health::Dependency;
use crate::journal::JournalObject;
use crate::ports::{Journal, PortResult};

/// Messages in flight stay hidden meanwhile; the total fits into the shutdown time of a task.
const DEADLINE: Deadline =
    Deadline { attempts: 2, attempt: Duration::from_secs(10), operation: Duration::from_secs(15) };

/// Where a request has the bucket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum S3Addressing {
    /// In the host name, as AWS expects it.
    VirtualHost,
    /// In the path, as emulators expect it.
    Path,
}

/// [`Journal`] on S3.
#[derive(Clone, Debug)]
pub struct S3Journal {
    client: Client,
    bucket: String,
    dependency: Dependency,
}

impl S3Journal {
    /// The journal in the bucket of this name.
    #[must_use]
    pub fn new(connection: &Connection, bucket: String, addressing: S3Addressing, dependency: Dependency) -> Self {
        let config = aws_sdk_s3::config::Builder::from(&connection.0)
            .force_path_style(addressing == S3Addressing::Path)
            .retry_config(DEADLINE.retries())
            .timeout_config(DEADLINE.timeouts());
        Self { client: Client::from_conf(config.build()), bucket, dependency }
    }
}

impl Journal for S3Journal {
    async fn put(&self, object: &JournalObject) -> PortResult<()> {
        let put = self.client.put_object().bucket(&self.bucket).key(&object.key);
        let put = put.body(ByteStream::from(object.lines.clone().into_bytes())).content_type("application/x-ndjson");
        let outcome = match put.if_none_match("*").send().await {
            Ok(_) => Ok(()),
            // No one else uses this key: the response of an earlier attempt was lost.
            Err(SdkError::ServiceError(answer)) if answer.raw().status().as_u16() == 412 => Ok(()),
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

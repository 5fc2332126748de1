//! The AWS operation of a request.

use hyper::{Method, Uri};

/// A service of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AwsService {
    DynamoDb,
    Sns,
    Sqs,
    S3,
    Ssm,
}

impl AwsService {
    fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "DynamoDB",
            Self::Sns => "SNS",
            Self::Sqs => "SQS",
            Self::S3 => "S3",
            Self::Ssm => "SSM",
        }
    }
}

/// An operation that the services call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    PutItem,
    UpdateItem,
    DeleteItem,
    GetItem,
    BatchWriteItem,
    BatchExecuteStatement,
    BatchGetItem,
    Query,
    Publish,
    ReceiveMessage,
    DeleteMessageBatch,
    ChangeMessageVisibilityBatch,
    GetQueueAttributes,
    SendMessage,
    PutObject,
    HeadBucket,
    GetParameter,
}

impl Operation {
    /// All operations, in order of declaration.
    pub(super) const ALL: [Self; 17] = [
        Self::PutItem,
        Self::UpdateItem,
        Self::DeleteItem,
        Self::GetItem,
        Self::BatchWriteItem,
        Self::BatchExecuteStatement,
        Self::BatchGetItem,
        Self::Query,
        Self::Publish,
        Self::ReceiveMessage,
        Self::DeleteMessageBatch,
        Self::ChangeMessageVisibilityBatch,
        Self::GetQueueAttributes,
        Self::SendMessage,
        Self::PutObject,
        Self::HeadBucket,
        Self::GetParameter,
    ];

    /// The operation of a request: in its target (JSON), its form (SNS), or its method and path (S3).
    pub(super) fn of(method: &Method, uri: &Uri, target: Option<&str>, body: &[u8]) -> Option<Self> {
        match (target, action(body)) {
            (Some(target), _) => Self::of_target(target),
            (None, Some(action)) => Self::named(AwsService::Sns, action),
            (None, None) => Self::of_object(method, uri),
        }
    }

    fn of_target(target: &str) -> Option<Self> {
        let (service, name) = target.split_once('.')?;
        let service = match service {
            "DynamoDB_20120810" => AwsService::DynamoDb,
            "AmazonSQS" => AwsService::Sqs,
            "AmazonSSM" => AwsService::Ssm,
            _ => return None,
        };
        Self::named(service, name)
    }

    fn of_object(method: &Method, uri: &Uri) -> Option<Self> {
        let path = uri.path().strip_prefix('/')?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        match (method, key.is_empty(), uri.query()) {
            _ if bucket.is_empty() => None,
            // The SDK repeats the operation in a query parameter.
            (&Method::PUT, false, None | Some("x-id=PutObject")) => Some(Self::PutObject),
            (&Method::HEAD, true, None) => Some(Self::HeadBucket),
            _ => None,
        }
    }

    fn named(service: AwsService, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name && operation.service() == service)
    }

    /// The service of an operation.
    pub(super) fn service(self) -> AwsService {
        match self {
            Self::PutItem
            | Self::UpdateItem
            | Self::DeleteItem
            | Self::GetItem
            | Self::BatchWriteItem
            | Self::BatchExecuteStatement
            | Self::BatchGetItem
            | Self::Query => AwsService::DynamoDb,
            Self::Publish => AwsService::Sns,
            Self::ReceiveMessage
            | Self::DeleteMessageBatch
            | Self::ChangeMessageVisibilityBatch
            | Self::GetQueueAttributes
            | Self::SendMessage => AwsService::Sqs,
            Self::PutObject | Self::HeadBucket => AwsService::S3,
            Self::GetParameter => AwsService::Ssm,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::PutItem => "PutItem",
            Self::UpdateItem => "UpdateItem",
            Self::DeleteItem => "DeleteItem",
            Self::GetItem => "GetItem",
            Self::BatchWriteItem => "BatchWriteItem",
            Self::BatchExecuteStatement => "BatchExecuteStatement",
            Self::BatchGetItem => "BatchGetItem",
            Self::Query => "Query",
            Self::Publish => "Publish",
            Self::ReceiveMessage => "ReceiveMessage",
            Self::DeleteMessageBatch => "DeleteMessageBatch",
            Self::ChangeMessageVisibilityBatch => "ChangeMessageVisibilityBatch",
            Self::GetQueueAttributes => "GetQueueAttributes",
            Self::SendMessage => "SendMessage",
            Self::PutObject => "PutObject",
            Self::HeadBucket => "HeadBucket",
            Self::GetParameter => "GetParameter",
        }
    }

    /// Its name with its service's, such as `DynamoDB.PutItem`.
    pub(super) fn full_name(self) -> String {
        format!("{}.{}", self.service().name(), self.name())
    }
}

/// The operation in a form, which SDKs put into its first field.
pub(super) fn action(body: &[u8]) -> Option<&str> {
    let rest = body.strip_prefix(b"Action=")?;
    let end = rest.iter().position(|&byte| byte == b'&').unwrap_or(rest.len());
    std::str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(method: &str, uri: &str, target: Option<&str>, body: &str) -> Option<Operation> {
        Operation::of(&method.parse().unwrap(), &uri.parse().unwrap(), target, body.as_bytes())
    }

    #[test]
    fn the_list_is_in_the_order_of_declaration() {
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, place, "{operation:?}");
            assert_eq!(Operation::named(operation.service(), operation.name()), Some(operation));
        }
    }

    #[test]
    fn a_json_protocol_names_its_operation_in_the_target() {
        for (target, expected) in [
            ("DynamoDB_20120810.Query", Some(Operation::Query)),
            ("AmazonSQS.ReceiveMessage", Some(Operation::ReceiveMessage)),
            ("AmazonSSM.GetParameter", Some(Operation::GetParameter)),
            ("AmazonSSM.Query", None),
            ("DynamoDB_20120810.Scan", None),
            ("DynamoDB_20111205.Query", None),
            ("Query", None),
        ] {
            assert_eq!(operation("POST", "/", Some(target), "{}"), expected, "{target}");
        }
    }

    #[test]
    fn a_form_names_its_operation_in_the_first_field() {
        assert_eq!(operation("POST", "/", None, "Action=Publish&Version=1"), Some(Operation::Publish));
        assert_eq!(operation("POST", "/", None, "Action=Publish"), Some(Operation::Publish));
        assert_eq!(operation("POST", "/", None, "Action=PublishBatch"), None);
        assert_eq!(operation("POST", "/", None, "Action=Subscribe"), None);
        assert_eq!(operation("POST", "/", None, "Version=1&Action=Publish"), None);
    }

    #[test]
    fn an_object_is_put_by_its_path_and_a_bucket_is_looked_at_by_its_own() {
        for (method, uri, expected) in [
            ("PUT", "/lake/journal/dt=2025-11-30/hour=23/a.ndjson?x-id=PutObject", Some(Operation::PutObject)),
            ("PUT", "/lake/a", Some(Operation::PutObject)),
            ("HEAD", "/lake", Some(Operation::HeadBucket)),
            ("HEAD", "/lake/", Some(Operation::HeadBucket)),
            ("PUT", "/lake", None),
            ("PUT", "/lake/a?acl", None),
            ("HEAD", "/lake/a", None),
            ("GET", "/lake/a", None),
            ("HEAD", "/", None),
            ("OPTIONS", "*", None),
        ] {
            assert_eq!(operation(method, uri, None, ""), expected, "{method} {uri}");
        }
    }
}

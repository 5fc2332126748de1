//! Maps the SDK's errors to the one question of callers: does it concern this call, or all of them?

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::ports::{FailureKind, PortError};

type Response = aws_sdk_dynamodb::config::http::HttpResponse;

/// The port error for a failed operation of the SDK.
pub fn of<E>(operation: &'static str, error: SdkError<E, Response>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let kind = match &error {
        SdkError::ServiceError(answer) => {
            let (code, message) = (answer.err().code(), answer.err().message());
            kind(code.unwrap_or_default(), message.unwrap_or_default(), answer.raw().status().as_u16())
        }
        SdkError::DispatchFailure(_) if is_of_credentials(&error) => FailureKind::Denied,
        SdkError::ConstructionFailure(_) => FailureKind::Rejected,
        _ => FailureKind::Unavailable,
    };
    let detail = match &error {
        SdkError::ServiceError(answer) => {
            let (code, message) = (answer.err().code(), answer.err().message());
            let status = answer.raw().status().as_u16();
            format!("{} (status {status}): {}", code.unwrap_or("no code"), message.unwrap_or("no message"))
        }
        _ => causes(&error),
    };
    PortError { operation, kind, detail }
}

/// Whether no call was made, since there are no credentials to sign it with.
fn is_of_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<CredentialsError>())
}

/// An error and what caused it, outermost first.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let chain: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    chain.join(": ")
}

/// The same for an operation with only one form of request: if it is rejected, the resource is the cause.
pub(super) fn of_resource<E>(operation: &'static str, error: SdkError<E, Response>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let mut error = of(operation, error);
    if error.kind == FailureKind::Rejected {
        error.kind = FailureKind::Invalid;
    }
    error
}

/// The port error for one entry of a batch.
pub(super) fn of_entry(operation: &'static str, code: &str, message: Option<&str>, senders_fault: bool) -> PortError {
    let status = if senders_fault { 400 } else { 500 };
    let kind = kind(code, message.unwrap_or_default(), status);
    PortError { operation, kind, detail: format!("{code}: {}", message.unwrap_or("no message")) }
}

/// The resource does not exist.
const MISSING: &[&str] = &[
    "AcceleratorNotFoundException",
    "EndpointGroupNotFoundException",
    "ListenerNotFoundException",
    "NoSuchBucket",
    "NonExistentQueue",
    "NotFound",
    "NotFoundException",
    "ParameterNotFound",
    "QueueDeletedRecently",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
];

/// Credentials, clock, policies or keys: the caller is not allowed.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthFailure",
    "AuthorizationError",
    "AuthorizationErrorException",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSecurityException",
    "InvalidSignature",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "NotSignedUp",
    "OptInRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// Throttled, or busy with another change; status 400 in services with a JSON protocol.
const UNAVAILABLE: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Only this item, message, receipt or object.
const REJECTED: &[&str] = &[
    "BatchRequestTooLong",
    "ConditionalCheckFailedException",
    "ConditionalRequestConflict",
    "EntityTooLarge",
    "InvalidMessageContents",
    "ItemCollectionSizeLimitExceededException",
    "KeyTooLongError",
    "MessageNotInflight",
    "MessageTooLong",
    "OperationAborted",
    "PreconditionFailed",
    "ReceiptHandleIsInvalid",
    "TransactionConflictException",
];

/// Codes that only mean "the request is not valid", with the text of their messages about a single item.
const BY_MESSAGE: &[(&str, &str)] = &[
    ("ValidationException", "item size"),
    ("InvalidParameterValue", "receipt handle"),
    ("InvalidParameterValue", "receipthandle"),
    ("InvalidParameterValue", "not available for visibility timeout change"),
    ("InvalidParameterValue", "must be shorter than"),
];

fn kind(code: &str, message: &str, status: u16) -> FailureKind {
    // SQS and SNS spell one error in several ways: `KmsThrottled`, `KMS.ThrottlingException`, `KMSThrottling`.
    let code = code.rsplit_once('#').map_or(code, |(_, name)| name);
    let code = code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code);
    let is_among = |codes: &[&str]| codes.contains(&code);
    let is_of_a_key = code.get(..3).is_some_and(|prefix| prefix.eq_ignore_ascii_case("kms"));
    if is_among(REJECTED) || is_about_one_item(code, message) {
        FailureKind::Rejected
    } else if is_among(UNAVAILABLE) || code.to_ascii_lowercase().contains("throttl") {
        FailureKind::Unavailable
    } else if is_among(DENIED) || is_of_a_key {
        // A key that is disabled, pending deletion, of another kind or missing affects all calls.
        FailureKind::Denied
    } else if is_among(MISSING) {
        FailureKind::Missing
    } else {
        match status {
            408 | 429 | 500.. => FailureKind::Unavailable,
            401 | 403 => FailureKind::Denied,
            404 => FailureKind::Missing,
            _ => FailureKind::Unrecognized,
        }
    }
}

fn is_about_one_item(code: &str, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    BY_MESSAGE.iter().any(|(general, said)| *general == code && message.contains(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_its_code_and_then_by_its_status() {
        for (code, status, expected) in [
            ("ResourceNotFoundException", 400, FailureKind::Missing),
            ("AWS.SimpleQueueService.NonExistentQueue", 400, FailureKind::Missing),
            ("com.amazonaws.sqs#QueueDoesNotExist", 400, FailureKind::Missing),
            ("", 404, FailureKind::Missing),
            ("AccessDeniedException", 400, FailureKind::Denied),
            ("", 403, FailureKind::Denied),
            ("InvalidSignatureException", 400, FailureKind::Denied),
            ("RequestTimeTooSkewed", 400, FailureKind::Denied),
            ("KmsDisabled", 400, FailureKind::Denied),
            ("KMS.AccessDeniedException", 400, FailureKind::Denied),
            ("KMSInvalidStateException", 400, FailureKind::Denied),
            ("ProvisionedThroughputExceededException", 400, FailureKind::Unavailable),
            ("OverLimit", 400, FailureKind::Unavailable),
            ("KmsThrottled", 400, FailureKind::Unavailable),
            ("KMS.ThrottlingException", 400, FailureKind::Unavailable),
            ("KMSThrottlingException", 400, FailureKind::Unavailable),
            ("InternalServerError", 500, FailureKind::Unavailable),
            ("", 503, FailureKind::Unavailable),
            ("ReceiptHandleIsInvalid", 404, FailureKind::Rejected),
            ("AWS.SimpleQueueService.MessageNotInflight", 400, FailureKind::Rejected),
            ("ConditionalRequestConflict", 409, FailureKind::Rejected),
            ("ValidationException", 400, FailureKind::Unrecognized),
            ("SomethingNewException", 400, FailureKind::Unrecognized),
            ("", 400, FailureKind::Unrecognized),
        ] {
            assert_eq!(kind(code, "", status), expected, "{code:?} {status}");
        }
    }

    #[test]
    fn a_general_code_concerns_one_item_only_where_its_message_says_so() {
        for (code, message, expected) in [
            ("ValidationException", "Item size has exceeded the maximum allowed size", FailureKind::Rejected),
            ("ValidationException", "The provided key element does not match", FailureKind::Unrecognized),
            ("InvalidParameterValue", "The receipt handle has expired", FailureKind::Rejected),
            (
                "InvalidParameterValue",
                "Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available \
                 for visibility timeout change.",
                FailureKind::Rejected,
            ),
            ("InvalidParameterValue", "Value 13 for parameter MaxNumberOfMessages", FailureKind::Unrecognized),
        ] {
            assert_eq!(kind(code, message, 400), expected, "{code}: {message}");
        }
    }

    #[test]
    fn a_call_that_was_not_answered_is_denied_only_for_want_of_credentials() {
        use aws_sdk_dynamodb::error::ConnectorError;
        use aws_sdk_dynamodb::operation::put_item::PutItemError;

        let dispatch = |cause: Box<dyn std::error::Error + Send + Sync>| {
            let error = SdkError::<PutItemError, Response>::dispatch_failure(ConnectorError::other(cause, None));
            of("PutItem", error).kind
        };
        assert_eq!(dispatch("connection closed before message completed".into()), FailureKind::Unavailable);
        assert_eq!(dispatch(Box::new(CredentialsError::not_loaded("no one is signed in"))), FailureKind::Denied);
    }

    #[test]
    fn an_entry_of_a_batch_is_told_by_its_code_and_then_by_whose_fault_it_is() {
        for (code, senders_fault, expected) in [
            ("AuthorizationError", true, FailureKind::Denied),
            ("KMSAccessDenied", true, FailureKind::Denied),
            ("ReceiptHandleIsInvalid", true, FailureKind::Rejected),
            ("ProvisionedThroughputExceeded", true, FailureKind::Unavailable),
            ("ResourceNotFound", true, FailureKind::Missing),
            ("SomethingNew", true, FailureKind::Unrecognized),
            ("SomethingNew", false, FailureKind::Unavailable),
        ] {
            assert_eq!(of_entry("PublishBatch", code, None, senders_fault).kind, expected, "{code} {senders_fault}");
        }
    }
}

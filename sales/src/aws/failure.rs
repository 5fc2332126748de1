//! From the SDK's errors to the one question that callers ask: does it concern this call, or all of them?

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::ports::{FailureKind, PortError};

type Response = aws_sdk_dynamodb::config::http::HttpResponse;

/// The port error for an operation that the SDK gave up.
pub fn of<E>(operation: &'static str, error: SdkError<E, Response>) -> PortError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let kind = match &error {
        SdkError::ServiceError(answer) => of_code(answer.err().code(), answer.raw().status().as_u16()),
        SdkError::DispatchFailure(failure) if failure.is_other() => FailureKind::Denied,
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

/// An error and what caused it, outermost first.
fn causes(error: &dyn std::error::Error) -> String {
    let chain: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    chain.join(": ")
}

/// The same for an operation that is called in one way only: when it is refused, then because of the resource.
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
    let kind = if senders_fault { FailureKind::Rejected } else { FailureKind::Unavailable };
    PortError { operation, kind, detail: format!("{code}: {}", message.unwrap_or("no message")) }
}

fn of_code(code: Option<&str>, status: u16) -> FailureKind {
    match code.unwrap_or_default() {
        "ResourceNotFoundException"
        | "NoSuchBucket"
        | "NotFound"
        | "NotFoundException"
        | "ParameterNotFound"
        | "AcceleratorNotFoundException"
        | "ListenerNotFoundException"
        | "EndpointGroupNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue" => FailureKind::Missing,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "KMSAccessDeniedException"
        | "KmsAccessDenied"
        | "MissingAuthenticationToken"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => FailureKind::Denied,
        // Throttling comes with status 400 from the services with a JSON protocol.
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "SlowDown" => FailureKind::Unavailable,
        _ if matches!(status, 408 | 429 | 500..) => FailureKind::Unavailable,
        _ if matches!(status, 401 | 403) => FailureKind::Denied,
        _ if status == 404 => FailureKind::Missing,
        _ => FailureKind::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_its_code_and_then_by_its_status() {
        for (code, status, kind) in [
            (Some("ResourceNotFoundException"), 400, FailureKind::Missing),
            (Some("AWS.SimpleQueueService.NonExistentQueue"), 400, FailureKind::Missing),
            (None, 404, FailureKind::Missing),
            (Some("AccessDeniedException"), 400, FailureKind::Denied),
            (None, 403, FailureKind::Denied),
            (Some("ProvisionedThroughputExceededException"), 400, FailureKind::Unavailable),
            (Some("InternalServerError"), 500, FailureKind::Unavailable),
            (None, 503, FailureKind::Unavailable),
            (Some("ReceiptHandleIsInvalid"), 404, FailureKind::Missing),
            (Some("ValidationException"), 400, FailureKind::Rejected),
            (Some("ConditionalRequestConflict"), 409, FailureKind::Rejected),
        ] {
            assert_eq!(of_code(code, status), kind, "{code:?} {status}");
        }
    }
}

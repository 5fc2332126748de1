//! Responses as sent.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// JSON of DynamoDB and SQS.
pub(super) const JSON_1_0: &str = "application/x-amz-json-1.0";

/// JSON of SSM.
pub(super) const JSON_1_1: &str = "application/x-amz-json-1.1";

/// XML of SNS.
pub(super) const XML: &str = "text/xml";

/// JSON of the control routes.
pub(super) const JSON: &str = "application/json";

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    status: StatusCode,
    header: Option<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    /// 200 with a body of this type.
    pub(super) fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let header = Some((CONTENT_TYPE, HeaderValue::from_static(content_type)));
        Self { status: StatusCode::OK, header, body: body.into() }
    }

    /// A constant body.
    pub(super) fn fixed(content_type: &'static str, body: &'static str) -> Self {
        Self::ok(content_type, Bytes::from_static(body.as_bytes()))
    }

    /// Only a status.
    pub(super) fn status(status: StatusCode) -> Self {
        Self { status, header: None, body: Bytes::new() }
    }

    /// S3's response to a stored object.
    pub(super) fn stored() -> Self {
        let tag = HeaderValue::from_static("\"5d41402abc4b2a76b9719d911017c592\"");
        Self { header: Some((ETAG, tag)), ..Self::status(StatusCode::OK) }
    }

    /// An error of the JSON protocols.
    pub(super) fn refusal(status: StatusCode, message: &str) -> Self {
        let body = serde_json::json!({ "__type": "UnknownOperationException", "message": message });
        Self { status, ..Self::ok(JSON_1_0, body.to_string()) }
    }

    /// The body as text.
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        response.headers_mut().extend(answer.header);
        response
    }
}

/// Why a request with a known operation cannot be answered.
#[derive(Debug)]
pub(super) struct NotUnderstood(pub(super) String);

impl From<serde_json::Error> for NotUnderstood {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

//! Why a read or a change failed: the cause, and the next step.

use std::fmt::{self, Display};

use sales::{
    aws::failure,
    ports::{FailureKind, PortError},
};
use serde::Serialize;
use thiserror::Error;

use super::settings::Settings;

/// Why one read or change failed.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[serde(into = "String")]
pub(crate) struct Trouble {
    text: String,
    kind: TroubleKind,
}

/// Kinds of trouble, as far as they affect what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// The resource is not configured.
    NotSet,
    /// The resource does not exist.
    Missing,
    /// The credentials do not allow it.
    Denied,
    /// Everything else, such as an unavailable endpoint.
    Other,
}

/// The subject of a call: the setting that names the resource, and the settings that determined the endpoint.
pub(crate) trait Subject {
    /// Name of the setting.
    fn key(&self) -> &str;
    /// The other settings, where known.
    fn settings(&self) -> Option<&Settings>;
}

impl Subject for str {
    fn key(&self) -> &str {
        self
    }

    fn settings(&self) -> Option<&Settings> {
        None
    }
}

/// A setting of salesctl, with those that determine the endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(super) name: String,
    pub(super) settings: Settings,
}

impl Subject for Key {
    fn key(&self) -> &str {
        &self.name
    }

    fn settings(&self) -> Option<&Settings> {
        Some(&self.settings)
    }
}

impl std::ops::Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Trouble {
    /// A missing setting.
    pub(crate) fn not_set(key: &str) -> Self {
        Self { text: format!("{key} is not set"), kind: TroubleKind::NotSet }
    }

    /// A problem other than a failed call.
    pub(crate) fn new(text: impl Display) -> Self {
        Self { text: text.to_string(), kind: TroubleKind::Other }
    }

    /// A failed call, for a resource that the setting in `subject` names.
    pub(crate) fn of_call(subject: &(impl Subject + ?Sized), error: &PortError) -> Self {
        let PortError { operation, kind, detail } = error;
        let settings = subject.settings();
        let check = |settings: Option<String>| settings.map_or_else(String::new, |named| format!(": check {named}"));
        if let Some(cause) = contradiction(detail) {
            let named = check(settings.map(Settings::all));
            return Self { text: format!("{operation}: {cause}{named}"), kind: TroubleKind::Other };
        }
        let (text, kind) = match kind {
            FailureKind::Missing => {
                let key = subject.key();
                let ignored = settings.and_then(Settings::of_the_other_side).map_or_else(String::new, also);
                (format!("{operation}: {detail}: check {key}{ignored}"), TroubleKind::Missing)
            }
            FailureKind::Denied => match settings.and_then(Settings::of_the_other_side) {
                Some(named) => (format!("{operation}: {detail}: check {named}"), TroubleKind::Other),
                None => (
                    format!(
                        "{operation}: {detail}: not allowed with these credentials; check `aws sts get-caller-identity`"
                    ),
                    TroubleKind::Denied,
                ),
            },
            FailureKind::Unavailable => {
                let named = if is_answered(detail) { None } else { settings.and_then(Settings::of_the_way) };
                let named = named.map_or_else(String::new, |named| format!(" ({named})"));
                (format!("{operation}: {}{named}", root(detail)), TroubleKind::Other)
            }
            FailureKind::Invalid | FailureKind::Rejected | FailureKind::Unrecognized => {
                (format!("{operation}: {detail}"), TroubleKind::Other)
            }
        };
        Self { text, kind }
    }

    /// The same for an error of the SDK.
    pub(crate) fn of_sdk<E>(subject: &(impl Subject + ?Sized), operation: &'static str, error: SdkError<E>) -> Self
    where
        E: aws_sdk_ssm::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Self::of_call(subject, &failure::of(operation, error))
    }

    /// The kind.
    pub(crate) fn kind(&self) -> TroubleKind {
        self.kind
    }
}

/// An error of any SDK client.
pub(super) type SdkError<E> = aws_sdk_ssm::error::SdkError<E, aws_sdk_ssm::config::http::HttpResponse>;

fn also(named: String) -> String {
    format!(", and {named}")
}

/// The SDK's text when settings contradict each other or a URL is invalid, so that no call was made.
fn contradiction(chain: &str) -> Option<&str> {
    let signs = ["Invalid Configuration", "failed to resolve endpoint", "failed to construct", "valid URI"];
    let is_sign = |cause: &&str| signs.iter().any(|sign| cause.contains(sign));
    chain.contains("endpoint").then(|| chain.split(": ").find(is_sign)).flatten()?;
    // The SDK's text contains a colon.
    match chain.find("Invalid Configuration") {
        Some(start) => Some(&chain[start..]),
        None => chain.rsplit(": ").next(),
    }
}

/// Whether the service responded, so that the endpoint is not the cause.
fn is_answered(detail: &str) -> bool {
    detail.contains(" (status ")
}

/// The end of a chain of causes, which has the root cause; the others only name the layers above.
fn root(chain: &str) -> String {
    if let Some((_, time)) = chain.rsplit_once("timeout (all attempts including retries) occurred after ") {
        return format!("no answer within {time}");
    }
    match chain.rsplit_once("dispatch failure: ").map(|(_, causes)| causes) {
        Some(causes) => causes.rsplit(": ").next().unwrap_or(causes).to_owned(),
        None => chain.to_owned(),
    }
}

impl Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        trouble.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(kind: FailureKind, detail: &str) -> String {
        Trouble::of_call("regions.a.queue_url", &PortError { operation: "Get", kind, detail: detail.into() })
            .to_string()
    }

    #[test]
    fn each_kind_says_what_to_do_next() {
        assert_eq!(trouble(FailureKind::Missing, "no queue"), "Get: no queue: check regions.a.queue_url");
        assert!(trouble(FailureKind::Denied, "no").contains("not allowed with these credentials"));
    }

    #[test]
    fn of_what_cannot_be_reached_the_root_cause_is_told() {
        let chain = "dispatch failure: io error: client error (Connect): tcp connect error: Connection refused";
        assert_eq!(trouble(FailureKind::Unavailable, chain), "Get: Connection refused");
        let timeout = "request has timed out: operation timeout (all attempts including retries) occurred after 2s";
        assert_eq!(trouble(FailureKind::Unavailable, timeout), "Get: no answer within 2s");
        assert_eq!(
            trouble(FailureKind::Unavailable, "SlowDown (status 503): slow"),
            "Get: SlowDown (status 503): slow"
        );
    }
}

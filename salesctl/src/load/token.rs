//! The token of requests, where the API asks for one: a fixed one, or what a command prints, renewed before it ends.

use std::{
    process::{Output, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use tokio::{process::Command, sync::Mutex, time::timeout};

/// A token that ends this soon is renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);

/// Time for the command.
const PATIENCE: Duration = Duration::from_secs(60);

/// Characters of a command's error shown.
const TOLD: usize = 200;

/// Where tokens are from. Cheap to clone; clones share the token.
#[derive(Debug, Clone)]
pub(super) enum Tokens {
    /// Requests have none.
    None,
    /// The same for all requests.
    Fixed(String),
    /// What this shell command prints.
    Command(String, Arc<Mutex<Option<Known>>>),
}

/// A token, and when it ends, as far as it says so.
#[derive(Clone)]
pub(super) struct Known {
    token: String,
    ends: Option<SystemTime>,
}

impl std::fmt::Debug for Known {
    /// Without the token.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Known").field("ends", &self.ends).finish_non_exhaustive()
    }
}

/// The response of a token endpoint, RFC 6749.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
}

/// The claim of a token that says when it ends.
#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
}

impl Tokens {
    /// The fixed one if there is one, else those of the command.
    pub(super) fn new(fixed: Option<&str>, command: Option<&str>) -> Self {
        match (fixed, command) {
            (Some(token), _) => Self::Fixed(token.to_owned()),
            (None, Some(command)) => Self::Command(command.to_owned(), Arc::default()),
            (None, None) => Self::None,
        }
    }

    /// Whether requests have no token.
    pub(super) fn are_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The token of a request that is sent now.
    ///
    /// # Errors
    /// If the command fails, or prints no token.
    pub(super) async fn current(&self) -> anyhow::Result<Option<String>> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(token) => Ok(Some(token.clone())),
            Self::Command(command, known) => {
                // Whoever needs one meanwhile waits for the same command.
                let mut known = known.lock().await;
                if let Some(Known { token, .. }) = known.as_ref().filter(|known| known.lasts(SystemTime::now())) {
                    return Ok(Some(token.clone()));
                }
                let new = printed(command).await.context("token_command")?;
                Ok(Some(known.insert(new).token.clone()))
            }
        }
    }
}

impl Known {
    fn lasts(&self, now: SystemTime) -> bool {
        self.ends.is_none_or(|ends| now + RENEWED_BEFORE < ends)
    }
}

async fn printed(command: &str) -> anyhow::Result<Known> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).stdin(Stdio::null()).kill_on_drop(true);
    let ended = timeout(PATIENCE, shell.output()).await;
    let Output { status, stdout, stderr } =
        ended.with_context(|| format!("it did not end within {} s", PATIENCE.as_secs()))??;
    if !status.success() {
        let told: String = String::from_utf8_lossy(&stderr).trim().chars().take(TOLD).collect();
        bail!("{status}: {}", told.escape_debug());
    }
    parse(&String::from_utf8(stdout).context("it printed no text")?)
}

/// A token, or the response of a token endpoint.
fn parse(printed: &str) -> anyhow::Result<Known> {
    let printed = printed.trim();
    let token = match serde_json::from_str(printed) {
        Ok(Issued { access_token }) => access_token,
        Err(_) => printed.to_owned(),
    };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    ensure!(
        !token.is_empty() && token.bytes().all(is_token),
        "it printed neither a token nor a token endpoint's response"
    );
    let ends = ends(&token);
    Ok(Known { token, ends })
}

/// When a JWT ends; other tokens do not say.
fn ends(token: &str) -> Option<SystemTime> {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::try_from_secs_f64(exp?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(exp: u64) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#)))
    }

    #[test]
    fn a_token_is_printed_alone_or_in_a_response() {
        let token = jwt(1_764_547_199);
        for printed in [format!("{token}\n"), format!(r#"{{"access_token":"{token}","expires_in":3600}}"#)] {
            let known = parse(&printed).unwrap();
            assert_eq!(known.token, token);
            let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_547_199);
            assert_eq!(known.ends, Some(end));
            assert!(known.lasts(end - Duration::from_secs(61)) && !known.lasts(end - Duration::from_secs(60)));
            assert!(!format!("{known:?}").contains(&token));
        }
        assert!(parse("opaque").unwrap().lasts(SystemTime::now()));
        for printed in ["", "a b", r#"{"error":"invalid_client"}"#] {
            assert!(parse(printed).is_err(), "{printed}");
        }
    }

    #[tokio::test]
    async fn the_command_runs_again_only_when_its_token_ends() {
        let directory = tempfile::tempdir().unwrap();
        let ran = directory.path().join("ran");
        for (exp, times) in [(4_102_444_800, 1), (1, 3)] {
            std::fs::write(&ran, "").unwrap();
            let command = format!("echo x >> '{}'; echo {}", ran.display(), jwt(exp));
            let tokens = Tokens::new(None, Some(&command));
            for _ in 0..3 {
                assert_eq!(tokens.clone().current().await.unwrap(), Some(jwt(exp)));
            }
            assert_eq!(std::fs::read_to_string(&ran).unwrap().lines().count(), times);
        }
        let failing = Tokens::new(None, Some("echo no such client >&2; exit 3"));
        let error = format!("{:#}", failing.current().await.unwrap_err());
        assert!(error.starts_with("token_command") && error.contains("no such client"), "{error}");
        assert_eq!(Tokens::new(Some("fixed"), Some("exit 1")).current().await.unwrap().as_deref(), Some("fixed"));
    }
}

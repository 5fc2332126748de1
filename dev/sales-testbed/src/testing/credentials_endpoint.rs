//! A test double of the endpoint where an ECS task gets its credentials.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{StatusCode, header::CONTENT_TYPE, header::HeaderValue};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

use crate::{
    http_proxy::{Answer, refusal, serve},
    resources::ACCOUNT,
};

/// Its behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerCredentials {
    /// It returns credentials that the emulator accepts, after this delay, valid until this time (RFC 3339).
    After(Duration, &'static str),
    /// It refuses.
    Refused,
}

/// Returns credentials, slowly or not at all, and counts its requests.
#[derive(Debug)]
pub struct CredentialsEndpoint {
    url: String,
    asked: Arc<AtomicUsize>,
    answers: Arc<Mutex<ContainerCredentials>>,
    serving: JoinHandle<()>,
}

impl CredentialsEndpoint {
    /// One with this behaviour.
    pub async fn start(answers: ContainerCredentials) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/credentials", listener.local_addr()?);
        let (asked, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(answers)));
        let (count, told) = (Arc::clone(&asked), Arc::clone(&answers));
        let serving = tokio::spawn(serve(listener, move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let now = *told.lock().unwrap_or_else(PoisonError::into_inner);
            answer(now)
        }));
        Ok(Self { url, asked, answers, serving })
    }

    /// Changes its behaviour.
    pub fn answer(&self, answers: ContainerCredentials) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// Number of requests.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Variables of a service that gets its credentials only here.
    pub fn instead_of_keys(&self, environment: Vec<(String, String)>) -> Vec<(String, String)> {
        let is_key = |name: &str| ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].contains(&name);
        let mut environment: Vec<_> = environment.into_iter().filter(|(name, _)| !is_key(name)).collect();
        environment.push(("AWS_CONTAINER_CREDENTIALS_FULL_URI".to_owned(), self.url.clone()));
        environment
    }
}

impl Drop for CredentialsEndpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(credentials: ContainerCredentials) -> Answer {
    match credentials {
        ContainerCredentials::Refused => refusal(StatusCode::FORBIDDEN, "AccessDenied", "there are none"),
        ContainerCredentials::After(time, end) => {
            sleep(time).await;
            let body =
                json!({ "AccessKeyId": ACCOUNT, "SecretAccessKey": "local", "Token": "token", "Expiration": end });
            let mut answer = Answer::new(body.to_string().into());
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
    }
}

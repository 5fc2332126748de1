//! The endpoint as its clients see it: the SDK's, and the services' own adapters.

#![expect(clippy::disallowed_types, reason = "what answers as AWS is asked with the SDK's clients")]

mod dynamodb;
mod messages;
mod others;

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use aws_config::SdkConfig;
use sales::aws::Connection;
use sales::health::{Dependency, Health};
use sales_testbed::testing;
use tokio::sync::oneshot;

use super::{Counts, Latency, Load, Ports, Settings, serve};

/// An endpoint on a separate thread; it stops when dropped.
struct Running {
    ports: Ports,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Running {
    fn start(latency: Latency, tls: Option<PathBuf>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let told_once = move |ports| tell.send(ports).map_err(std::io::Error::other);
        let thread = std::thread::spawn(move || serve(Settings { latency, tls }, told_once, stopped));
        Self { ports: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Without latency and TLS, offering this load.
    async fn loaded(messages: u64, pending: u64) -> Self {
        let running = Self::start(Latency::NONE, None);
        running.load(messages, pending).await;
        running
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.aws)
    }

    fn sdk(&self) -> SdkConfig {
        testing::sdk(&self.url(), "sa-east-1")
    }

    fn connection(&self) -> Connection {
        Connection::from(self.sdk())
    }

    async fn load(&self, messages: u64, pending: u64) {
        self.offer(Load { messages, pending, ..Load::default() }).await;
    }

    async fn offer(&self, load: Load) {
        let url = format!("http://127.0.0.1:{}/load", self.ports.control);
        let answer = testing::client().post(url).json(&load).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    async fn counts(&self) -> Counts {
        let url = format!("http://127.0.0.1:{}/counts", self.ports.control);
        testing::client().get(url).send().await.unwrap().json().await.unwrap()
    }

    /// The counts of calls; all calls must be known.
    async fn calls(&self) -> Vec<(String, u64)> {
        let counts = self.counts().await;
        assert_eq!(counts.unknown, [""; 0]);
        counts.calls.into_iter().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

fn dependency() -> Dependency {
    Health::default().needs("canned")
}

fn called(calls: &[(&str, u64)]) -> Vec<(String, u64)> {
    calls.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect()
}

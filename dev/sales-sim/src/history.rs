//! History of a run, for people: recorded only if someone will read it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// A log in virtual time. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct History {
    began: Instant,
    lines: Option<Arc<Mutex<Vec<String>>>>,
}

impl History {
    /// A history that begins now; it records nothing unless `kept`.
    #[must_use]
    pub fn new(kept: bool) -> Self {
        Self { began: Instant::now(), lines: kept.then(Arc::default) }
    }

    /// Records an event.
    pub fn note(&self, tell: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let elapsed = self.began.elapsed();
            let line = format!("{:>4}.{:03} {}", elapsed.as_secs(), elapsed.subsec_millis(), tell());
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    /// All lines, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .as_ref()
            .map(|lines| lines.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }
}

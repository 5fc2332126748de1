//! Slots for processes, the processes in them, and the requests to them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::regions::REGIONS;
use crate::schedule::{ProcessKind, Schedule};

/// A request on its way to an API, with the channel for its response.
pub struct Incoming {
    /// The request.
    pub request: test::TestRequest,
    /// The channel for the response; dropped when the API dies.
    pub reply: oneshot::Sender<Answer>,
}

/// A response as a client sees it.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
}

/// Default time for a process to restart.
const RESTART: Duration = Duration::from_secs(2);

/// A slot for a process.
pub struct Slot {
    /// The service.
    pub role: ProcessKind,
    /// The region.
    pub region: usize,
    running: RefCell<Option<Running>>,
    restart: Cell<Duration>,
}

/// The process in a slot.
pub struct Running {
    /// Asks it to shut down.
    pub stop: CancellationToken,
    /// Kills it.
    pub death: Arc<Notify>,
    /// The channel for requests, if it is an API.
    pub intake: Option<mpsc::Sender<Incoming>>,
}

impl Slot {
    /// The slots of a schedule.
    #[must_use]
    pub fn all(schedule: &Schedule) -> Vec<Self> {
        let slot = |role, region| Self { role, region, running: RefCell::default(), restart: Cell::new(RESTART) };
        let of = |role: ProcessKind, counts: [usize; REGIONS]| {
            counts.into_iter().enumerate().flat_map(move |(region, count)| (0..count).map(move |_| slot(role, region)))
        };
        of(ProcessKind::Api, schedule.apis)
            .chain(of(ProcessKind::Worker, schedule.workers))
            .chain(of(ProcessKind::Lake, schedule.lakes))
            .collect()
    }

    /// Whether a process runs here.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// The channel for requests, if an API runs here.
    #[must_use]
    pub fn intake(&self) -> Option<mpsc::Sender<Incoming>> {
        let running = self.running.borrow();
        running.as_ref().filter(|running| !running.stop.is_cancelled())?.intake.clone()
    }

    /// Kills the process at once; it restarts after a while.
    pub fn kill(&self, restart: Duration) {
        if let Some(running) = &*self.running.borrow() {
            self.restart.set(restart);
            running.death.notify_one();
        }
    }

    /// Asks the process to shut down; it restarts after a while.
    pub fn stop(&self, restart: Duration) {
        if let Some(running) = &*self.running.borrow() {
            self.restart.set(restart);
            running.stop.cancel();
        }
    }

    /// Registers a new process.
    pub fn begin(&self, running: Running) {
        *self.running.borrow_mut() = Some(running);
    }

    /// Removes the ended process; returns the time until the next one starts.
    pub fn end(&self) -> Duration {
        *self.running.borrow_mut() = None;
        self.restart.replace(RESTART)
    }
}

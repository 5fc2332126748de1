//! Places for processes, what runs in them, and what clients send there.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::regions::REGIONS;
use crate::schedule::{ProcessKind, Schedule};

/// A request on its way to an API, and where its answer goes.
pub struct Incoming {
    /// The request.
    pub request: test::TestRequest,
    /// Where the answer goes; dropped when the API dies.
    pub reply: oneshot::Sender<Answer>,
}

/// What a client sees.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: String,
}

/// How long a process takes to start again when nobody says otherwise.
const RESTART: Duration = Duration::from_secs(2);

/// A place for a process.
pub struct Slot {
    /// What runs there.
    pub role: ProcessKind,
    /// Where it is.
    pub region: usize,
    running: RefCell<Option<Running>>,
    restart: Cell<Duration>,
}

/// The process in a slot.
pub struct Running {
    /// Asks it to end.
    pub stop: CancellationToken,
    /// Lets it die at once.
    pub death: Arc<Notify>,
    /// Where requests go, if it is an API.
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
        of(ProcessKind::Api, schedule.apis).chain(of(ProcessKind::Worker, schedule.workers)).collect()
    }

    /// Whether a process runs here.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// Where requests go, if an API runs here.
    #[must_use]
    pub fn intake(&self) -> Option<mpsc::Sender<Incoming>> {
        let running = self.running.borrow();
        running.as_ref().filter(|running| !running.stop.is_cancelled())?.intake.clone()
    }

    /// The process dies at once, wherever it is, and starts again after a while.
    pub fn kill(&self, restart: Duration) {
        if let Some(running) = &*self.running.borrow() {
            self.restart.set(restart);
            running.death.notify_one();
        }
    }

    /// The process is asked to end, and starts again after a while.
    pub fn stop(&self, restart: Duration) {
        if let Some(running) = &*self.running.borrow() {
            self.restart.set(restart);
            running.stop.cancel();
        }
    }

    /// A process runs here from now on.
    pub fn begin(&self, running: Running) {
        *self.running.borrow_mut() = Some(running);
    }

    /// The process has ended; returns how long it takes until the next one starts.
    pub fn end(&self) -> Duration {
        *self.running.borrow_mut() = None;
        self.restart.replace(RESTART)
    }
}

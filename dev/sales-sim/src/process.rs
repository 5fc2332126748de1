//! The two services as processes: put together as their binaries do it, on ports in memory.

use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{App, test};
use prometheus_client::registry::Registry;
use sales::site::Site;
use sales_api::announcer::Announcer;
use sales_api::grouped_writes::GroupedWrites;
use sales_api::server::Sales;
use sales_worker::backlog::BacklogGauge;
use sales_worker::work::{Inside, Outside, work};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mutation::Mutated;
use crate::world::{Identity, World, region};

/// As long as the API itself lets requests and announcements finish.
const DRAIN_TIME: Duration = Duration::from_secs(8);
const FLUSH_TIME: Duration = Duration::from_secs(6);

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

/// An API: its own routes, use cases, grouped writes and announcements.
pub async fn api(world: &World, who: Identity, mut intake: mpsc::Receiver<Incoming>, stop: CancellationToken) {
    let client = world.client(&who);
    let mut registry = Registry::default();
    let metrics = sales_api::metrics::Metrics::new(&mut registry);
    let (site, refresh) = Site::new(region(who.region), client.site_switch(), who.entropy.clone());
    let closed = CancellationToken::new();
    let (announcer, announcing) = Announcer::new(client.sale_topic(), metrics.clone(), closed.clone());
    let announcing = tokio::task::spawn_local(announcing);
    tokio::task::spawn_local(refresh.run(stop.clone()));
    let table = Mutated::new(client.sale_table(), world.mutation, &client, &who.clock);
    let sales = Sales {
        writes: GroupedWrites::start(table.clone(), metrics.clone()),
        table,
        announcer,
        site,
        clock: who.clock,
        entropy: who.entropy.clone(),
        metrics,
    };
    let app = App::new().app_data(Data::new(sales)).app_data(Data::new(who.entropy));
    let app = app.configure(sales_api::routes::configure::<Mutated<sales::memory::MemorySaleTable>>);
    let app = Rc::new(test::init_service(app).await);
    let requests = TaskTracker::new();
    while let Some(Some(incoming)) = stop.run_until_cancelled(intake.recv()).await {
        let app = Rc::clone(&app);
        requests.spawn_local(async move {
            let response = app.call(incoming.request.to_request()).await;
            let answer = match response {
                Ok(response) => {
                    let status = response.status();
                    let body = test::read_body(response).await;
                    Answer { status, body: String::from_utf8_lossy(&body).into_owned() }
                }
                Err(error) => Answer { status: error.as_response_error().status_code(), body: error.to_string() },
            };
            // An error means that the client has given up.
            let _ = incoming.reply.send(answer);
        });
    }
    drop(intake);
    requests.close();
    let _ = tokio::time::timeout(DRAIN_TIME, requests.wait()).await;
    closed.cancel();
    let _ = tokio::time::timeout(FLUSH_TIME, announcing).await;
}

/// A worker: its consumers, its sweep, its state's refresh.
pub async fn worker(world: &World, who: Identity, stop: CancellationToken) {
    let client = world.client(&who);
    let mut registry = Registry::default();
    let (site, refresh) = Site::new(region(who.region), client.site_switch(), who.entropy.clone());
    let mutation = world.mutation;
    let outside = Outside {
        queue: Mutated::new(client.sale_queue(), mutation, &client, &who.clock),
        table: Mutated::new(client.sale_table(), mutation, &client, &who.clock),
        marks: client.marks(),
        leases: Mutated::new(client.leases(), mutation, &client, &who.clock),
        lake: Mutated::new(client.lake(), mutation, &client, &who.clock),
    };
    let inside = Inside {
        site,
        refresh,
        metrics: sales_worker::metrics::Metrics::new(&mut registry),
        backlog: BacklogGauge::new(&mut registry, region(who.region), who.clock.clone()),
        clock: who.clock,
        entropy: who.entropy,
    };
    work(world.schedule.settings, outside, inside, stop).await;
}

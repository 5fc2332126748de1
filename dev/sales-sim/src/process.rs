//! The services as processes: assembled like their binaries, on ports in memory.

use std::rc::Rc;

use actix_web::dev::Service;
use actix_web::web::Data;
use actix_web::{App, test};
use prometheus_client::registry::Registry;
use sales::memory::{MemoryJournal, MemoryLeases, MemoryMarks, MemorySaleQueue, MemorySaleTable, MemorySiteSwitch};
use sales::site::Site;
use sales_api::sales::Shared;
use sales_api::sign_in::SignIn;
use sales_lake::builder::Builder;
use sales_lake::lease::TableLease;
use sales_lake::maintain::Maintenance;
use sales_lake::service::Worker as LakeWorker;
use sales_service::http::server::DRAIN_TIME;
use sales_worker::backlog::BacklogGauge;
use sales_worker::worker::{Inside, Platform, Ports, work};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mutation::{Mutated, mistake_caller};
use crate::regions::region;
use crate::shops;
use crate::slot::{Answer, Incoming};
use crate::world::{Identity, World};

/// An API: its own routes, use cases, grouped writes and announcements.
pub async fn api(world: &World, who: Identity, mut intake: mpsc::Receiver<Incoming>, stop: CancellationToken) {
    let client = world.client(&who);
    let mut registry = Registry::default();
    let metrics = sales_api::metrics::Metrics::new(&mut registry);
    let switch = Mutated::new(client.site_switch(), world.mutation, &client, &who.clock);
    let (site, refresh) = Site::new(region(who.region), switch, who.entropy.clone());
    let topic = client.sale_topic();
    let (shared, announcing) = Shared::start(topic, site, who.clock.clone(), who.entropy.clone(), metrics);
    tokio::task::spawn_local(refresh.run(stop.clone()));
    let sales = shared.sales(Mutated::new(client.sale_table(), world.mutation, &client, &who.clock));
    let sign_in = if world.schedule.sign_in { shops::sign_in(&who.clock) } else { SignIn::Off };
    let app = App::new().app_data(Data::new(sales)).app_data(Data::new(who.entropy)).app_data(Data::new(sign_in));
    let app = app.configure(sales_api::routes::configure::<Mutated<MemorySaleTable>>);
    let app = Rc::new(test::init_service(app).await);
    let requests = TaskTracker::new();
    while let Some(Some(incoming)) = stop.run_until_cancelled(intake.recv()).await {
        let (app, mutation) = (Rc::clone(&app), world.mutation);
        requests.spawn_local(async move {
            let mut request = incoming.request.to_request();
            mistake_caller(mutation, &mut request);
            let response = app.call(request).await;
            let answer = match response {
                Ok(response) => {
                    let status = response.status();
                    let body = test::read_body(response).await;
                    Answer { status, body: String::from_utf8_lossy(&body).into_owned() }
                }
                Err(error) => Answer { status: error.as_response_error().status_code(), body: error.to_string() },
            };
            // An error means that the client has disconnected.
            let _ = incoming.reply.send(answer);
        });
    }
    drop(intake);
    requests.close();
    let _ = tokio::time::timeout(DRAIN_TIME, requests.wait()).await;
    announcing.finish().await;
}

/// The cloud in memory, with or without a bug.
struct InMemory;

impl Platform for InMemory {
    type Switch = Mutated<MemorySiteSwitch>;
    type Queue = Mutated<MemorySaleQueue>;
    type Table = Mutated<MemorySaleTable>;
    type Marks = Mutated<MemoryMarks>;
    type Leases = Mutated<MemoryLeases>;
    type Journal = Mutated<MemoryJournal>;
}

/// A worker: its consumers, its sweep, and the refresh of its state.
pub async fn worker(world: &World, who: Identity, stop: CancellationToken) {
    let client = world.client(&who);
    let mut registry = Registry::default();
    let mutation = world.mutation;
    let switch = Mutated::new(client.site_switch(), mutation, &client, &who.clock);
    let (site, refresh) = Site::new(region(who.region), switch, who.entropy.clone());
    let ports = Ports::<InMemory> {
        queue: Mutated::new(client.sale_queue(), mutation, &client, &who.clock),
        table: Mutated::new(client.sale_table(), mutation, &client, &who.clock),
        marks: Mutated::new(client.marks(), mutation, &client, &who.clock),
        leases: Mutated::new(client.leases(), mutation, &client, &who.clock),
        journal: Mutated::new(client.journal(), mutation, &client, &who.clock),
    };
    let inside = Inside {
        site,
        refresh,
        metrics: sales_worker::metrics::Metrics::new(&mut registry),
        backlog: BacklogGauge::new(&mut registry, region(who.region), who.clock.clone()),
        clock: who.clock,
        entropy: who.entropy,
    };
    work(world.schedule.settings, ports, inside, stop).await;
}

/// A builder of the lake's table: its folds, and what keeps the table small.
pub async fn lake(world: &World, who: Identity, stop: CancellationToken) {
    let client = world.client(&who);
    let mutation = world.mutation;
    let metrics = sales_lake::metrics::Metrics::default();
    let store = Mutated::new(client.lake_store(), mutation, &client, &who.clock);
    let leases = Mutated::new(client.leases(), mutation, &client, &who.clock);
    let builder = Builder::new(store, who.clock.clone(), who.entropy.clone(), metrics.clone());
    let lease = TableLease::new(leases, who.clock, &who.entropy);
    let worker = LakeWorker { builder, lease, maintenance: Maintenance::default(), metrics };
    worker.run(world.schedule.fold_interval, stop).await;
}

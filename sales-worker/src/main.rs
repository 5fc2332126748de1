//! Brings each accepted sale to the lake exactly once.

use std::process::ExitCode;

use sales::aws::{Connection, DynamoLeases, DynamoMarks, DynamoSaleTable, S3Journal, SqsSaleQueue, SsmSiteSwitch};
use sales::entropy::Entropy;
use sales_service::{command_line, shutdown};
use sales_worker::app::{self, Dependencies};
use sales_worker::config::{Arguments, Config};
use sales_worker::worker::{Platform, Ports};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// AWS.
struct Aws;

impl Platform for Aws {
    type Switch = SsmSiteSwitch;
    type Queue = SqsSaleQueue;
    type Table = DynamoSaleTable;
    type Marks = DynamoMarks;
    type Leases = DynamoLeases;
    type Journal = S3Journal;
}

#[actix_web::main]
async fn main() -> ExitCode {
    command_line::run::<Arguments, _, _>(|_, environment| Config::read(environment), run).await
}

async fn run(config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals()?;
    let connection = Connection::open(&config.region, "sales-worker").await;
    let Config { region, state_parameter, queue_url, sales_table, idempotency_table, bucket, .. } = config.clone();
    let (shards, until) = (config.work.shards, shutdown.clone());
    let ports = |dependencies: &Dependencies| {
        connection.keep_credentials(dependencies.credentials.clone(), until);
        let switch = SsmSiteSwitch::new(&connection, state_parameter, dependencies.site_state.clone());
        let ports = Ports {
            queue: SqsSaleQueue::new(
                &connection,
                queue_url,
                dependencies.queue.clone(),
                dependencies.dead_letters.clone(),
            ),
            table: DynamoSaleTable::new(
                &connection,
                sales_table,
                shards,
                dependencies.sales_table.clone(),
                Entropy::system(),
            ),
            marks: DynamoMarks::new(&connection, idempotency_table.clone(), dependencies.marks.clone()),
            leases: DynamoLeases::new(&connection, idempotency_table, region, dependencies.marks.clone()),
            journal: S3Journal::new(&connection, bucket, config.s3_addressing, dependencies.lake.clone()),
        };
        (switch, ports)
    };
    app::run::<Aws>(&config, ports, shutdown).await
}

//! Folds the journal of the lake into a Delta Lake table.

use std::process::ExitCode;

use sales::aws::{Connection, DynamoLeases, S3LakeStore};
use sales_lake::app::{self, Dependencies};
use sales_lake::config::{Arguments, Config};
use sales_service::{command_line, shutdown};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[actix_web::main]
async fn main() -> ExitCode {
    command_line::run::<Arguments, _, _>(Config::read, run).await
}

async fn run(config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals()?;
    let connection = Connection::open(&config.region, "sales-lake").await;
    let Config { region, bucket, idempotency_table, s3_addressing, .. } = config.clone();
    let until = shutdown.clone();
    let ports = |dependencies: &Dependencies| {
        connection.keep_credentials(dependencies.credentials.clone(), until);
        let store = S3LakeStore::new(&connection, bucket, s3_addressing, dependencies.lake.clone());
        let leases = DynamoLeases::new(&connection, idempotency_table, region, dependencies.leases.clone());
        (store, leases)
    };
    app::run(&config, ports, shutdown).await
}

//! Accepts sales over HTTP: stored first, answered, then announced.

use std::process::ExitCode;

use sales::aws::{Connection, DynamoSaleTable, SnsSaleTopic, SsmSiteSwitch};
use sales::entropy::Entropy;
use sales_service::{command_line, shutdown};
use sales_api::config::{Arguments, Config};
use sales_api::server::{self, Outside};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[actix_web::main]
async fn main() -> ExitCode {
    command_line::run::<Arguments, _, _>(Config::read, run).await
}

async fn run(config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals()?;
    let connection = Connection::open(&config.region, "sales-api").await;
    let until = shutdown.clone();
    let outside = |dependencies: &server::Dependencies| {
        connection.keep_credentials(dependencies.credentials.clone(), until);
        Outside {
            switch: SsmSiteSwitch::new(&connection, config.state_parameter.clone(), dependencies.site_state.clone()),
            topic: SnsSaleTopic::new(&connection, config.topic_arn.clone(), dependencies.topic.clone()),
            table: {
                let (connection, table) = (connection.clone(), config.sales_table.clone());
                let (shards, dependency) = (config.shards, dependencies.sales_table.clone());
                move || {
                    let (table, dependency) = (table.clone(), dependency.clone());
                    DynamoSaleTable::new(&connection.with_own_pool(), table, shards, dependency, Entropy::system())
                }
            },
        }
    };
    server::run(config.listen, config.transport, config.region.clone(), config.image.clone(), outside, shutdown).await
}

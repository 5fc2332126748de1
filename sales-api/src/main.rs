//! Accepts sales over HTTP: stored first, answered, then announced.

use std::process::ExitCode;

use sales::aws::{Connection, DynamoSaleTable, SnsSaleTopic, SsmSiteSwitch};
use sales::entropy::Entropy;
use sales_api::app::{self, Ports};
use sales_api::config::{Arguments, Config};
use sales_service::{command_line, shutdown};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[actix_web::main]
async fn main() -> ExitCode {
    command_line::run::<Arguments, _, _>(|_, environment| Config::read(environment), run).await
}

async fn run(config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals()?;
    let connection = Connection::open(&config.region, "sales-api").await;
    let until = shutdown.clone();
    let ports = |dependencies: &app::Dependencies| {
        connection.keep_credentials(dependencies.credentials.clone(), until);
        Ports {
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
    app::run(config.listen, config.transport, config.region.clone(), config.image.clone(), ports, shutdown).await
}

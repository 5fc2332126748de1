//! Accepts sales over HTTP: stored first, answered, then announced.

use std::process::ExitCode;

use sales::aws::{Connection, DynamoKeyStore, DynamoSaleTable, SnsSaleTopic, SsmSiteSwitch};
use sales::entropy::Entropy;
use sales_api::app::{self, Ports, Service};
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
            keys: {
                let (table, dependency) = (config.sales_table.clone(), dependencies.sales_table.clone());
                DynamoKeyStore::new(&connection, table, config.region.clone(), dependency)
            },
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
    let service = Service {
        listen: config.listen,
        transport: config.transport,
        region: config.region.clone(),
        image: config.image.clone(),
        sign_in: config.sign_in.clone(),
    };
    app::run(service, ports, shutdown).await
}

//! Configuration of the API: the only place that reads its variables.

use std::net::SocketAddr;

use clap::Parser;
use sales::region::Region;
use sales::shard::Shards;
use sales_service::command_line::{self, Errand};
use sales_service::environment::{Environment, Read};
use sales_service::http::Transport;
use sales_service::telemetry::Logging;

use crate::routes::docs;
use crate::sign_in::settings::Settings;

/// Accepts sales over HTTP: stores each sale, responds, then announces it.
#[derive(Parser)]
#[command(version, after_help = VARIABLES)]
pub struct Arguments {
    /// Print the OpenAPI 3.1 description of the API as JSON, and exit
    #[arg(long)]
    openapi: bool,
    /// Check the API on this machine at BIND_HOST:PORT (HTTPS if TLS is set); exits with 0 or 1
    #[arg(long, conflicts_with = "openapi")]
    healthcheck: bool,
}

impl command_line::Arguments for Arguments {
    fn errand(&self, environment: &Environment) -> Read<Option<Errand>> {
        if self.openapi {
            return Ok(Some(Errand::Print(docs::description())));
        }
        if !self.healthcheck {
            return Ok(None);
        }
        Ok(Some(Errand::Healthcheck(environment.listen_address()?, environment.transport()?)))
    }
}

const VARIABLES: &str = "\
Configuration is by environment variables only.

Required:
  AWS_REGION                  region that this process runs in, such as sa-east-1
  SNS_SALES_PROCESSING_TOPIC  ARN of the topic that sales are published to
  SSM_PARAMETER_STORE_STATE   name of the parameter that holds ACTIVE or PASSIVE
  DYNAMO_SALES_TABLE          name of the table of sales

Optional:
  PORT                        port to listen on [default: 8080]
  BIND_HOST                   IP address to listen on [default: 0.0.0.0]
  TLS                         self-signed: serve only HTTPS (TLS 1.2 and 1.3), with a certificate generated at
                              startup, for a load balancer that does not verify it [default: HTTP]
  PENDING_SHARDS              shards of the pending index, equal in all services and regions [default: 16]
  OIDC_ISSUERS                issuers whose access tokens clients must send, as URLs separated by commas
                              [default: none, and everyone may do everything]
  OIDC_AUDIENCES              required with OIDC_ISSUERS: what their tokens are for (aud), or the ids of clients where
                              tokens have no aud
  OIDC_JWKS_URLS              addresses of the issuers' keys, in the same order [default: from their discovery documents]
  OIDC_SCOPE_PREFIX           what precedes write, read, cancel and all in the scopes of a token [default: sales/]
  OIDC_SEPARATE_ISSUERS       true: the same client id of two issuers is two clients [default: false]
  OIDC_CLIENTS                names of clients, ID=NAME,...: several ids of one name are one client
  IMAGE                       digest or tag of the running image, shown by /version
  LOG_FORMAT                  json or text [default: text on a terminal, else json]
  RUST_LOG                    log filter [default: info]
  AWS_ENDPOINT_URL            AWS endpoint, also per service (AWS_ENDPOINT_URL_SNS, ...)
  AWS_ACCESS_KEY_ID, ...      credentials, from any source that AWS SDKs support

SIGTERM and SIGINT stop the intake and finish requests in flight; a second signal exits immediately.

Exit codes: 0 stopped by a signal, 1 cannot serve, 64 invalid or missing variable or argument, 128 + signal number
after a second signal";

/// The validated variables.
#[derive(Debug)]
pub struct Config {
    /// `AWS_REGION`
    pub region: Region,
    /// `SNS_SALES_PROCESSING_TOPIC`
    pub topic_arn: String,
    /// `SSM_PARAMETER_STORE_STATE`
    pub state_parameter: String,
    /// `DYNAMO_SALES_TABLE`
    pub sales_table: String,
    /// `PENDING_SHARDS`
    pub shards: Shards,
    /// `PORT` and `BIND_HOST`
    pub listen: SocketAddr,
    /// `TLS`
    pub transport: Transport,
    /// `IMAGE`
    pub image: Option<String>,
    /// `OIDC_*`
    pub sign_in: Option<Settings>,
}

impl Config {
    /// Reads and checks all variables.
    pub fn read(environment: &Environment) -> Read<(Logging, Self)> {
        let region = environment.region()?;
        environment.aws_endpoints()?;
        environment.certificates()?;
        let config = Self {
            topic_arn: environment.topic_arn("SNS_SALES_PROCESSING_TOPIC", &region)?,
            state_parameter: environment.parameter("SSM_PARAMETER_STORE_STATE")?,
            sales_table: environment.table("DYNAMO_SALES_TABLE")?,
            shards: environment.shards()?,
            listen: environment.listen_address()?,
            transport: environment.transport()?,
            image: environment.image()?,
            sign_in: Settings::read(environment)?,
            region,
        };
        Ok((environment.logging()?, config))
    }
}

//! Ports of `cargo local`.

use anyhow::Context;
use clap::Args;

use crate::{
    resources::REGIONS,
    tcp_ports::{self, PortUse},
};

/// The TCP ports of an instance, as options of its command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct LocalPorts {
    /// Port of the common address in front of both regions
    #[arg(long = "port", value_name = "PORT", default_value_t = 8080, value_parser = port())]
    pub front: u16,
    /// Port of the stand-in for api.DOMAIN, which Route 53 answers by health checks
    #[arg(long = "dns-port", value_name = "PORT", default_value_t = 8088, value_parser = port())]
    pub dns: u16,
    /// Ports of each region's API
    #[arg(long = "api-ports", value_name = "PORT,PORT", default_value = "8081,8082", value_parser = pair)]
    pub apis: [u16; 2],
    /// Ports of each region's worker, for health and metrics
    #[arg(long = "worker-ports", value_name = "PORT,PORT", default_value = "8091,8092", value_parser = pair)]
    pub workers: [u16; 2],
    /// Ports of each region's builder of the lake's table, for health and metrics
    #[arg(long = "lake-ports", value_name = "PORT,PORT", default_value = "8093,8094", value_parser = pair)]
    pub lakes: [u16; 2],
    /// Ports of AWS in each region
    #[arg(long = "aws-ports", value_name = "PORT,PORT", default_value = "4567,4568", value_parser = pair)]
    pub aws: [u16; 2],
    /// Port of Global Accelerator's API
    #[arg(long = "accelerator-port", value_name = "PORT", default_value_t = 8090, value_parser = port())]
    pub accelerator: u16,
    /// Port of the AWS emulator
    #[arg(long = "emulator-port", value_name = "PORT", default_value_t = 4566, value_parser = port())]
    pub emulator: u16,
}

/// A port that the user may choose.
pub fn port() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}

fn pair(text: &str) -> anyhow::Result<[u16; 2]> {
    let port = |text: &str| text.parse().ok().filter(|port| *port > 0);
    let pair = text.split_once(',').and_then(|(one, other)| Some([port(one)?, port(other)?]));
    pair.context("expected two port numbers, such as 8081,8082")
}

impl LocalPorts {
    /// Free ports.
    pub fn free() -> anyhow::Result<Self> {
        let [front, dns, accelerator, emulator] = tcp_ports::free()?;
        let [api, other_api, worker, other_worker, lake, other_lake, aws, other_aws] = tcp_ports::free()?;
        let (apis, workers, lakes) = ([api, other_api], [worker, other_worker], [lake, other_lake]);
        Ok(Self { front, dns, apis, workers, lakes, aws: [aws, other_aws], accelerator, emulator })
    }

    /// The options for these ports.
    pub fn options(&self) -> [String; 8] {
        let pair = |option: &str, [one, other]: [u16; 2]| format!("--{option}={one},{other}");
        [
            format!("--port={}", self.front),
            format!("--dns-port={}", self.dns),
            pair("api-ports", self.apis),
            pair("worker-ports", self.workers),
            pair("lake-ports", self.lakes),
            pair("aws-ports", self.aws),
            format!("--accelerator-port={}", self.accelerator),
            format!("--emulator-port={}", self.emulator),
        ]
    }

    /// All ports with their purposes.
    pub fn roles(&self) -> Vec<PortUse> {
        let role = |port, purpose: &str, option| PortUse { port, purpose: purpose.to_owned(), option };
        let each = |ports: [u16; 2], service: &str, option| {
            [0, 1].map(|position| role(ports[position], &format!("{service} of {}", REGIONS[position]), option))
        };
        let mut roles = vec![role(self.front, "address in front of both regions", "--port")];
        roles.push(role(self.dns, "name that DNS answers", "--dns-port"));
        roles.extend(each(self.apis, "API", "--api-ports"));
        roles.extend(each(self.workers, "worker", "--worker-ports"));
        roles.extend(each(self.lakes, "builder of the lake's table", "--lake-ports"));
        roles.extend(each(self.aws, "AWS", "--aws-ports"));
        roles.push(role(self.accelerator, "API of Global Accelerator", "--accelerator-port"));
        roles.push(role(self.emulator, "AWS emulator", "--emulator-port"));
        roles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_two_ports() {
        assert_eq!(pair("1,2").ok(), Some([1, 2]));
        for wrong in ["", "1", "1,", "0,1", "1,65536", "1,2,3"] {
            assert!(pair(wrong).is_err(), "{wrong:?}");
        }
    }
}

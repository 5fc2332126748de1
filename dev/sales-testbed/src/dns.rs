//! The stand-in for `api.DOMAIN` on this machine, which on AWS is a name in Route 53 with API Gateway behind it.
//!
//! It is a second address in front of the APIs of all regions, for clients that do not use Global Accelerator. Like
//! Route 53, it depends only on health checks: its first choice are the regions whose `/active` and `/readiness`
//! succeed, its second choice, if there are none of these, those whose `/readiness` succeeds, and otherwise any region.
//! It has no API, and a switch changes nothing in it.
//!
//! It differs from AWS:
//!
//! - It resolves no names. It forwards each new connection to a region of the current choice, as if clients resolved
//!   the name each time; on AWS, they keep an answer for a minute.
//! - All clients are equally near to all regions: of several chosen ones, any gets a connection; on AWS, the nearest.
//! - Its health checks come from one place every second, and two in a row decide; those of Route 53 come from many
//!   places, less often.
//! - There is no TLS, firewall or throttling in front of the APIs.
//!
//! As on AWS, connections to a lost region fail until the health checks have noticed.

use std::net::SocketAddr;

use rand::seq::IndexedRandom;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::accelerator::{ApiAddress, health, proxy};

/// Consecutive health checks with another result after which a status changes.
const IN_A_ROW: u32 = 2;

/// The status that a health check determines.
type Asked = fn(&mut Record) -> &mut Status;

/// Status of a health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Not known yet, which counts as healthy.
    Unchecked,
    /// The last confirmed result, and the number of different results since.
    Known { is_healthy: bool, otherwise: u32 },
}

impl Status {
    fn is_healthy(self) -> bool {
        match self {
            Self::Unchecked => true,
            Self::Known { is_healthy, .. } => is_healthy,
        }
    }

    fn after(self, succeeded: bool) -> Self {
        match self {
            Self::Known { is_healthy, otherwise } if is_healthy != succeeded && otherwise + 1 < IN_A_ROW => {
                Self::Known { is_healthy, otherwise: otherwise + 1 }
            }
            Self::Unchecked | Self::Known { .. } => Self::Known { is_healthy: succeeded, otherwise: 0 },
        }
    }
}

/// A region that may be chosen.
#[derive(Debug)]
struct Record {
    region: String,
    api: ApiAddress,
    active: Status,
    ready: Status,
}

/// A running stand-in; it stops, with all connections through it, when dropped.
#[derive(Debug)]
pub struct Name {
    address: SocketAddr,
    records: watch::Sender<Vec<Record>>,
    _tasks: JoinSet<()>,
}

impl Name {
    /// Starts to forward connections of `listener` to the APIs of these regions.
    pub fn start(
        listener: TcpListener,
        regions: impl IntoIterator<Item = (String, impl Into<ApiAddress>)>,
    ) -> anyhow::Result<Self> {
        let record = |(region, api): (String, _)| Record {
            region,
            api: Into::into(api),
            active: Status::Unchecked,
            ready: Status::Unchecked,
        };
        let records = watch::Sender::new(regions.into_iter().map(record).collect::<Vec<_>>());
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        for position in 0..records.borrow().len() {
            let checks: [(&str, Asked); 2] =
                [("/active", |record| &mut record.active), ("/readiness", |record| &mut record.ready)];
            for (path, status) in checks {
                let url = records.borrow()[position].api.url(path);
                let records = records.clone();
                tasks.spawn(health::check(url, move |succeeded| {
                    records.send_modify(|records| {
                        let status = status(&mut records[position]);
                        *status = status.after(succeeded);
                    });
                })?);
            }
        }
        let answers = records.clone();
        tasks.spawn(proxy::serve(listener, move || {
            let records = answers.borrow();
            let choice = choice(&records);
            // One choice per connection, without another for a client whose connection fails.
            choice.choose(&mut rand::rng()).map(|record| record.api.address).into_iter().collect()
        }));
        Ok(Self { address, records, _tasks: tasks })
    }

    /// Address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this region may be chosen now.
    pub fn leads_to(&self, region: &str) -> bool {
        choice(&self.records.borrow()).iter().any(|record| record.region == region)
    }

    /// Waits until each health check has been made.
    pub async fn all_checked(&self) {
        let are_checked = |records: &Vec<Record>| {
            records.iter().all(|record| ![record.active, record.ready].contains(&Status::Unchecked))
        };
        // This fails only if the sender is gone, which `self` holds.
        drop(self.records.subscribe().wait_for(are_checked).await);
    }
}

/// The chosen regions, any of which gets a connection.
fn choice(records: &[Record]) -> Vec<&Record> {
    let those = |are: fn(&Record) -> bool| -> Vec<_> { records.iter().filter(|record| are(record)).collect() };
    let choices = [
        those(|record| record.active.is_healthy() && record.ready.is_healthy()),
        those(|record| record.ready.is_healthy()),
    ];
    // If nothing is healthy, everything counts as healthy.
    choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_else(|| those(|_| true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(is_healthy: bool) -> Status {
        Status::Known { is_healthy, otherwise: 0 }
    }

    /// The regions chosen with these results of `/active` and `/readiness`.
    fn chosen(regions: &[(bool, bool)]) -> Vec<String> {
        let record = |(number, &(active, ready)): (usize, &(bool, bool))| Record {
            region: number.to_string(),
            api: SocketAddr::from(([127, 0, 0, 1], 1)).into(),
            active: known(active),
            ready: known(ready),
        };
        let records: Vec<_> = regions.iter().enumerate().map(record).collect();
        choice(&records).into_iter().map(|record| record.region.clone()).collect()
    }

    #[test]
    fn the_first_choice_is_active_and_ready_the_second_ready_and_the_last_anything() {
        for (regions, expected) in [
            (&[(true, true), (false, true)][..], &["0"][..]),
            (&[(true, true), (true, true)], &["0", "1"]),
            // It would answer 503, where the other one can accept.
            (&[(true, false), (false, true)], &["1"]),
            (&[(false, false), (false, true)], &["1"]),
            (&[(false, true), (false, true)], &["0", "1"]),
            (&[(false, false), (false, false)], &["0", "1"]),
        ] {
            assert_eq!(chosen(regions), expected, "{regions:?}");
        }
    }

    #[test]
    fn the_first_check_decides_and_later_two_in_a_row_do() {
        assert!(Status::Unchecked.is_healthy());
        for is_healthy in [true, false] {
            assert_eq!(Status::Unchecked.after(is_healthy), known(is_healthy));
            let once = known(is_healthy).after(!is_healthy);
            assert_eq!(once.is_healthy(), is_healthy);
            assert_eq!(once.after(is_healthy), known(is_healthy), "forgotten");
            assert_eq!(once.after(!is_healthy), known(!is_healthy));
        }
    }
}

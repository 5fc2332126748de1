//! The name: what stands for `api.DOMAIN` on this machine, which Route 53 answers, with API Gateway behind it.
//!
//! A second address in front of the APIs of all regions, for clients that do not come through Global Accelerator. Like
//! Route 53 it goes by health checks alone: its first choice are the regions whose `/active` says that they are ACTIVE and
//! whose `/readiness` says that they can work, its second choice, without any of these, those that can work, and when none
//! can, it takes any region. Nothing drives it: it has no API, and a switch changes nothing in it.
//!
//! It is a stand-in, and not as AWS in this:
//!
//! - It answers no names. It passes each new connection on to a region that the name would be answered with, as if
//!   clients asked DNS anew each time; on AWS they keep an answer for the minute that it is good for.
//! - All clients are equally near to all regions: of several that may be answered with, any is; on AWS the nearest.
//! - Its health checks come from one place every second, and two in a row decide; those of Route 53 come from many
//!   places, less often.
//! - There is neither TLS nor a firewall nor a throttle in front of the APIs.
//!
//! As on AWS, a connection to a region that has just gone fails until the health checks have noticed.

use std::net::SocketAddr;

use rand::seq::IndexedRandom;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::accelerator::{ApiAddress, health, proxy};

/// How many health checks in a row must say otherwise until a status changes.
const IN_A_ROW: u32 = 2;

/// Which of a record's statuses a health check is about.
type Asked = fn(&mut Record) -> &mut Status;

/// The status of a health check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Nothing is known yet, which counts as healthy.
    Unchecked,
    /// What the last checks agreed on, and how many since then have said otherwise.
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

/// A region that the name may be answered with.
#[derive(Debug)]
struct Record {
    region: String,
    api: ApiAddress,
    active: Status,
    ready: Status,
}

/// A running name; it stops, with all connections through it, when dropped.
#[derive(Debug)]
pub struct Name {
    address: SocketAddr,
    records: watch::Sender<Vec<Record>>,
    _tasks: JoinSet<()>,
}

impl Name {
    /// Starts to pass connections of `listener` on to the APIs of these regions.
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
            // One answer, and not another one for a client that does not get through.
            choice.choose(&mut rand::rng()).map(|record| record.api.address).into_iter().collect()
        }));
        Ok(Self { address, records, _tasks: tasks })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the name may be answered with this region now.
    pub fn leads_to(&self, region: &str) -> bool {
        choice(&self.records.borrow()).iter().any(|record| record.region == region)
    }

    /// Waits until each health check has been made.
    pub async fn all_checked(&self) {
        let are_checked = |records: &Vec<Record>| {
            records.iter().all(|record| ![record.active, record.ready].contains(&Status::Unchecked))
        };
        // It fails only when the sender is gone, which `self` has.
        drop(self.records.subscribe().wait_for(are_checked).await);
    }
}

/// The regions that the name is answered with, any of which gets a connection.
fn choice(records: &[Record]) -> Vec<&Record> {
    let those = |are: fn(&Record) -> bool| -> Vec<_> { records.iter().filter(|record| are(record)).collect() };
    let choices = [
        those(|record| record.active.is_healthy() && record.ready.is_healthy()),
        those(|record| record.ready.is_healthy()),
    ];
    // When nothing is healthy, everything counts as healthy.
    choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_else(|| those(|_| true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(is_healthy: bool) -> Status {
        Status::Known { is_healthy, otherwise: 0 }
    }

    /// The regions that are chosen, of those whose `/active` and `/readiness` are so.
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

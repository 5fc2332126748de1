//! `history`: who switched what, when, and why, as recorded by AWS.
//!
//! The states are in SSM's history of each region's parameter, with the reason from `switch --reason`; the traffic
//! dials are in CloudTrail, in the one region where it records Global Accelerator. This command only reads.

mod report;

use clap::Args;
use futures::future::join_all;
use sales::clock::{Clock, Timestamp};
use serde::Serialize;

use crate::{
    cloud::{
        Cloud,
        history::Version,
        reason,
        trail::{Turn, Turns},
        trouble::{Trouble, TroubleKind},
    },
    config::ConfigOptions,
    exit::Exit,
    output::Format,
};

const EXAMPLES: &str = "\
Examples:
  salesctl history                     the newest changes of all states and dials
  salesctl history --region us-east-1 --limit 0 -o json

States come from SSM, which keeps the last 100 versions of each parameter; dials from CloudTrail, which keeps 90 days and
shows a change after some minutes. If a region does not respond, it is reported, and the exit code is 2.";

/// Options of `history`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HistoryOptions {
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Maximum number of changes, newest first; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    limit: usize,
    /// Days to look back; CloudTrail keeps 90 days
    #[arg(long, value_name = "NUMBER", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=90))]
    days: u16,
}

/// A recorded change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Change {
    /// Time in seconds since 1970.
    at: i64,
    /// Time in milliseconds, for the order.
    #[serde(skip)]
    at_ms: i64,
    /// The region.
    region: String,
    /// The change.
    #[serde(flatten)]
    what: What,
    /// ARN of the author.
    by: Option<String>,
    /// The reason, if given.
    reason: Option<String>,
}

/// Kinds of changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
enum What {
    /// A region's state.
    State {
        /// The state before; unknown for the oldest version kept.
        from: Option<String>,
        to: String,
        /// Version of the parameter.
        version: i64,
    },
    /// A traffic dial, in percent.
    Dial {
        /// The dial before, if recorded.
        from: Option<f64>,
        to: f64,
    },
}

/// A source that could not be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Unknown {
    what: String,
    error: Trouble,
    /// Whether the source is not configured.
    #[serde(skip)]
    is_not_set: bool,
}

/// The result.
#[derive(Debug, Default, Serialize)]
struct History {
    /// Newest first.
    changes: Vec<Change>,
    /// Number of older changes left out.
    more: usize,
    unknown: Vec<Unknown>,
    /// Whether CloudTrail has more events than were read.
    dials_cut: bool,
}

/// Lists the changes.
pub(crate) async fn history(place: &ConfigOptions, format: Format, options: &HistoryOptions) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let shown: Vec<String> = config.selected(options.region.as_deref())?.into_iter().map(str::to_owned).collect();
    let cloud = Cloud::open(&config).await?;
    let since = Clock::system().now().unix_seconds() - i64::from(options.days) * 86_400;
    let regions = cloud.regions.values().filter(|region| shown.contains(&region.name));
    let states = join_all(regions.map(async |region| (region.name.clone(), region.state_versions().await)));
    let (states, turns) = tokio::join!(states, cloud.trail.turns(since));

    let mut history = History::default();
    let mut is_known = false;
    for (region, versions) in states {
        match versions {
            Ok(versions) => {
                is_known = true;
                history.changes.extend(of_state(&region, &versions));
            }
            Err(error) => history.unknown(format!("state of {region}"), error),
        }
    }
    match turns {
        Ok(Turns { turns, is_cut }) => {
            is_known = true;
            history.dials_cut = is_cut;
            // The region of a dial is not always known.
            let is_shown = |change: &Change| shown.contains(&change.region) || change.region.starts_with("arn:");
            history.changes.extend(of_dials(turns).into_iter().filter(is_shown));
        }
        Err(error) => history.unknown("dials".to_owned(), error),
    }
    history.changes.retain(|change| change.at >= since);
    history.newest(options.limit);
    history.show(format)?;
    let is_complete = history.unknown.iter().all(|unknown| unknown.is_not_set);
    match (is_known, is_complete) {
        (false, _) => anyhow::bail!("nothing could be read: see above"),
        (true, true) => Ok(Exit::Done),
        (true, false) => Ok(Exit::Incomplete),
    }
}

/// The changes of a parameter's versions, oldest first.
fn of_state(region: &str, versions: &[Version]) -> Vec<Change> {
    let mut before: Option<&Version> = None;
    let mut changes = Vec::new();
    for version in versions {
        let inherited = before.and_then(|before| before.description.as_deref());
        let reason = version.description.as_deref().filter(|&own| Some(own) != inherited).and_then(reason::read);
        let at_ms = version.at_ms.unwrap_or_default();
        changes.push(Change {
            at: at_ms.div_euclid(1_000),
            at_ms,
            region: region.to_owned(),
            what: What::State {
                from: before.map(|before| before.value.clone()),
                to: version.value.clone(),
                version: version.version,
            },
            by: version.by.clone(),
            reason,
        });
        before = Some(version);
    }
    changes
}

/// The changes of dials, from newest-first events.
fn of_dials(turns: Vec<Turn>) -> Vec<Change> {
    let before = |position: usize| {
        let older = turns.iter().skip(position + 1).find(|older| older.region == turns[position].region);
        older.map(|older| older.percent)
    };
    let from: Vec<_> = (0..turns.len()).map(before).collect();
    let change = |(turn, from): (Turn, Option<f64>)| Change {
        at: turn.at,
        at_ms: turn.at * 1_000,
        region: turn.region,
        what: What::Dial { from, to: turn.percent },
        by: turn.by,
        reason: None,
    };
    turns.into_iter().zip(from).map(change).collect()
}

impl History {
    fn unknown(&mut self, what: String, error: Trouble) {
        let is_not_set = error.kind() == TroubleKind::NotSet;
        self.unknown.push(Unknown { what, error, is_not_set });
    }

    /// Keeps the newest `limit` changes; all if it is 0.
    fn newest(&mut self, limit: usize) {
        self.changes.sort_by_key(|change| (change.at_ms, change.version()));
        self.changes.reverse();
        if limit > 0 && self.changes.len() > limit {
            self.more = self.changes.len() - limit;
            self.changes.truncate(limit);
        }
    }
}

impl Change {
    fn version(&self) -> i64 {
        match self.what {
            What::State { version, .. } => version,
            What::Dial { .. } => 0,
        }
    }

    /// When it was.
    fn at(&self) -> Option<Timestamp> {
        Timestamp::from_unix_seconds(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(version: i64, value: &str, description: Option<&str>) -> Version {
        let description = description.map(str::to_owned);
        Version { version, value: value.to_owned(), at_ms: Some(version * 10), by: None, description }
    }

    #[test]
    fn a_state_s_versions_are_changes_and_a_reason_is_told_with_its_own_alone() {
        let drill = reason::written(Some("drill"), 7);
        let versions = [
            version(1, "PASSIVE", Some("ACTIVE or PASSIVE: whether this region processes sales.")),
            version(2, "ACTIVE", Some(&drill)),
            // Written without a description: SSM keeps the previous one.
            version(3, "PASSIVE", Some(&drill)),
            version(4, "ACTIVE", Some(&reason::written(None, 9))),
        ];
        let told: Vec<_> = of_state("a", &versions)
            .into_iter()
            .map(|change| match change.what {
                What::State { from, to, .. } => (from, to, change.reason),
                What::Dial { .. } => panic!("no dial"),
            })
            .collect();
        let state = |text: &str| text.to_owned();
        assert_eq!(
            told,
            [
                (None, state("PASSIVE"), None),
                (Some(state("PASSIVE")), state("ACTIVE"), Some("drill".to_owned())),
                (Some(state("ACTIVE")), state("PASSIVE"), None),
                (Some(state("PASSIVE")), state("ACTIVE"), None),
            ]
        );
    }

    #[test]
    fn a_dial_was_before_what_it_was_turned_to_last_in_its_region() {
        let turn = |region: &str, percent, at| Turn { region: region.to_owned(), percent, at, by: None };
        let changes = of_dials(vec![turn("a", 0.0, 3), turn("b", 100.0, 2), turn("a", 100.0, 1)]);
        let whats: Vec<_> = changes.into_iter().map(|change| change.what).collect();
        assert_eq!(
            whats,
            [
                What::Dial { from: Some(100.0), to: 0.0 },
                What::Dial { from: None, to: 100.0 },
                What::Dial { from: None, to: 100.0 }
            ]
        );
    }

    #[test]
    fn the_newest_come_first_and_the_rest_is_counted() {
        let mut history =
            History { changes: of_state("a", &[1, 2, 3].map(|n| version(n, "ACTIVE", None))), ..History::default() };
        history.newest(2);
        assert_eq!((history.changes.iter().map(Change::version).collect::<Vec<_>>(), history.more), (vec![3, 2], 1));
        history.newest(0);
        assert_eq!(history.changes.len(), 2);
    }
}

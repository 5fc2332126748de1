//! Activity of the regions, as a table.

use std::fmt::{self, Display};

use futures::{future::join_all, join};
use sales::clock::Clock;
use sales_testbed::{
    accelerator::{AcceleratorStandIn, Dial},
    dns::Name,
    openmetrics::counter,
    resources::{FactsInLake, RegionResources, RegionState},
    services::is_healthy,
};
use tabled::{
    Table,
    builder::Builder,
    settings::{Alignment, Padding, Style, object::Columns},
};

use crate::stack::Stack;

/// Seconds since the last complete fold began. That it grows is no change.
#[derive(Debug, Clone, Copy, Default)]
struct Folded(Option<u64>);

impl PartialEq for Folded {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_some() == other.0.is_some()
    }
}

/// What a builder says of its table.
#[derive(Debug, Default)]
struct TableView {
    rows: Option<u64>,
    folded: Folded,
}

async fn table_of(client: &reqwest::Client, builder: &str) -> TableView {
    let [rows, folded_at] = ["lake_rows", "lake_folded_timestamp_seconds"];
    let (rows, folded_at) = join!(counter(client, builder, rows), counter(client, builder, folded_at));
    let (rows, folded_at) = (rows.ok().flatten(), folded_at.ok().flatten().filter(|at| *at > 0));
    let age = |at| Clock::system().since_epoch().as_secs().saturating_sub(at);
    TableView { rows: rows.filter(|_| folded_at.is_some()), folded: Folded(folded_at.map(age)) }
}

/// One region at one moment; `None` for unknown values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    region: String,
    state: Option<RegionState>,
    dial: Option<Dial>,
    dns: bool,
    api: bool,
    worker: bool,
    lake: bool,
    accepted: Option<u64>,
    pending: Option<usize>,
    in_the_lake: Option<usize>,
    /// Rows of the lake's table.
    rows: Option<u64>,
    folded: Folded,
    dead_letters: Option<usize>,
}

impl View {
    async fn of(
        client: &reqwest::Client,
        (accelerator, name): (&AcceleratorStandIn, &Name),
        (region, lake): (&RegionResources, &mut FactsInLake),
        [api, worker, builder]: [&str; 3],
    ) -> Self {
        let (state, accepted, pending, in_the_lake, dead_letters, table, api_is_up, worker_is_up, lake_is_up) = join!(
            region.state(),
            counter(client, api, "sales_accepted_total"),
            region.pending_count(),
            lake.count(region),
            region.dead_letter_count(),
            table_of(client, builder),
            is_healthy(client, api),
            is_healthy(client, worker),
            is_healthy(client, builder),
        );
        let endpoint = accelerator.endpoints().into_iter().find(|endpoint| endpoint.region == region.name);
        Self {
            region: region.name.clone(),
            state: state.ok(),
            dial: endpoint.map(|endpoint| endpoint.dial),
            dns: name.leads_to(&region.name),
            api: api_is_up,
            worker: worker_is_up,
            lake: lake_is_up,
            accepted: accepted.ok().flatten(),
            pending: pending.ok(),
            in_the_lake: in_the_lake.ok(),
            rows: table.rows,
            folded: table.folded,
            dead_letters: dead_letters.ok(),
        }
    }

    /// Whether states or failures differ, which is shown at once.
    fn differs_in_kind_from(&self, other: &Self) -> bool {
        let kind = |view: &Self| (view.state, view.dial, view.dns, view.api, view.worker, view.lake);
        kind(self) != kind(other)
    }
}

/// The facts in each region's lake, as counted last.
pub(crate) type Lakes = [FactsInLake; 2];

/// All regions at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary(Vec<View>);

impl Summary {
    pub(crate) async fn of(client: &reqwest::Client, stack: &Stack, lakes: &mut Lakes) -> Self {
        let regions = stack.regions();
        let entrances = (stack.accelerator(), stack.name());
        let views = regions.iter().zip(lakes).map(|((region, services), lake)| {
            View::of(client, entrances, (*region, lake), services.each_ref().map(String::as_str))
        });
        Self(join_all(views).await)
    }

    /// Whether more than numbers has changed since `other`.
    pub(crate) fn differs_in_kind_from(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(own, other)| own.differs_in_kind_from(other))
    }
}

impl Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Builder::new();
        table.push_record([
            "region",
            "state",
            "traffic",
            "DNS",
            "API",
            "worker",
            "lake",
            "accepted",
            "pending",
            "in the lake",
            "rows",
            "age",
            "dead letters",
        ]);
        for view in &self.0 {
            table.push_record([
                view.region.clone(),
                known(view.state),
                known(view.dial.map(|dial| format!("{} %", dial.percent()))),
                if view.dns { "yes" } else { "no" }.to_owned(),
                up_or_down(view.api),
                up_or_down(view.worker),
                up_or_down(view.lake),
                known(view.accepted),
                known(view.pending),
                known(view.in_the_lake),
                known(view.rows),
                known(view.folded.0.map(|age| format!("{age} s"))),
                known(view.dead_letters),
            ]);
        }
        columns(table).fmt(formatter)
    }
}

fn known(value: Option<impl Display>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

fn up_or_down(up: bool) -> String {
    if up { "up" } else { "down" }.to_owned()
}

/// Text in columns: the first one left-aligned, the others right-aligned.
pub(crate) fn columns(rows: Builder) -> Table {
    let mut table = rows.build();
    table.with(Style::empty()).with(Padding::zero()).with(Alignment::right());
    table.modify(Columns::first(), Alignment::left()).modify(Columns::new(1..), Padding::new(2, 0, 0, 0));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(accepted: Option<u64>, api: bool) -> View {
        View {
            region: "sa-east-1".to_owned(),
            state: Some(RegionState::Active),
            dial: Dial::new(100.0),
            dns: true,
            api,
            worker: true,
            lake: true,
            accepted,
            pending: Some(0),
            in_the_lake: Some(1),
            rows: Some(1),
            folded: Folded(Some(4)),
            dead_letters: None,
        }
    }

    #[test]
    fn what_is_not_known_is_a_question_mark() {
        assert_eq!(
            Summary(vec![view(None, false)]).to_string(),
            "region      state  traffic  DNS   API  worker  lake  accepted  pending  in the lake  rows  age  dead letters\n\
             sa-east-1  ACTIVE    100 %  yes  down      up    up         ?        0            1     1  4 s             ?"
        );
    }

    #[test]
    fn numbers_are_no_change_in_kind() {
        let summary = |accepted, api| Summary(vec![view(accepted, api)]);
        assert!(!summary(Some(1), true).differs_in_kind_from(&summary(Some(2), true)));
        assert!(summary(Some(1), true).differs_in_kind_from(&summary(Some(1), false)));
    }
}

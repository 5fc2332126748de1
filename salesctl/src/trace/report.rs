//! Output of `sale trace`.

use std::fmt::Display;

use sales::clock::Timestamp;

use super::{Content, FactTrace, FoundBy, ItemView, RowView, Trace};
use crate::{
    output::{BAD, Cell, GOOD, Table, WARNING, line},
    status::Figure,
};

/// Prints the verdict, and its sources.
pub(super) fn show(trace: &Trace) {
    line(format_args!("{}: {}", trace.id, trace.verdict));
    let mut accepted =
        Table::new(&["REGION", "WHAT", "PRODUCT", "AMOUNT", "ACCEPTED", "IN", "PROCESSED", "PENDING", "MARKED UNTIL"]);
    let mut lake = Table::new(&["REGION", "WHAT", "IN THE LAKE SINCE", "CONTENT", "FOUND BY", "OBJECT"]);
    let mut table = Table::new(&["REGION", "ACCEPTED", "CANCELLED", "ROW IN THE LAKE'S TABLE"]);
    for region in &trace.regions {
        table.row([Cell::from(&region.region)].into_iter().chain(row(&region.row)));
        for (what, fact) in [("sale", &region.sale), ("cancellation", &region.cancellation)] {
            // Facts that are nowhere, as most cancellations, are left out.
            if what == "sale" || !is_nothing(fact) {
                let head = || [Cell::from(&region.region), Cell::from(what)].into_iter();
                accepted.row(head().chain(item(fact)).chain([mark(fact)]));
                lake.row(head().chain(object(fact)));
            }
        }
    }
    line(format_args!("\n{accepted}\n\n{lake}\n\n{table}"));
    for region in &trace.regions {
        let state = match &region.state {
            Figure::Known(_) => None,
            Figure::Unknown { error } => Some(error),
        };
        for trouble in state.into_iter().filter(|state| !region.troubles().contains(state)).chain(region.troubles()) {
            line(format_args!("{WARNING}?{WARNING:#} {}: {trouble}", region.region));
        }
    }
}

fn row(row: &Figure<Option<RowView>>) -> [Cell; 3] {
    match row {
        Figure::Unknown { .. } => [Cell::unknown(), Cell::unknown(), Cell::unknown()],
        Figure::Known(None) => ["-".into(), "-".into(), Cell::new("none", WARNING)],
        Figure::Known(Some(row)) => [moment(Some(row.accepted_at)), moment(row.cancelled_at), Cell::from(&row.file)],
    }
}

fn is_nothing(fact: &FactTrace) -> bool {
    matches!(fact, FactTrace { item: Figure::Known(None), mark: Figure::Known(None), lake: Figure::Known(None) })
        || matches!(
            fact,
            FactTrace { item: Figure::Unknown { .. }, mark: Figure::Unknown { .. }, lake: Figure::Unknown { .. } }
        )
}

fn item(fact: &FactTrace) -> Vec<Cell> {
    match &fact.item {
        Figure::Unknown { .. } => (0..6).map(|_| Cell::unknown()).collect(),
        Figure::Known(None) => {
            std::iter::once(Cell::new("no item", WARNING)).chain((0..5).map(|_| "-".into())).collect()
        }
        Figure::Known(Some(ItemView::Unreadable { .. })) => {
            std::iter::once(Cell::new("not understood", BAD)).chain((0..5).map(|_| "-".into())).collect()
        }
        Figure::Known(Some(ItemView::Fact {
            product,
            amount,
            accepted_at,
            accepted_in,
            sale_processed,
            processed_at,
            pending,
            ..
        })) => vec![
            // Text from a client must not control a terminal.
            or_dash(product.as_ref().map(|product| product.escape_debug())),
            or_dash(amount.as_ref()),
            moment(Some(*accepted_at)),
            or_dash(accepted_in.as_ref()),
            match (sale_processed, processed_at) {
                (true, None) => "yes".into(),
                (true, at) => moment(*at),
                (false, _) => "no".into(),
            },
            if *pending { Cell::new("yes", WARNING) } else { "no".into() },
        ],
    }
}

fn mark(fact: &FactTrace) -> Cell {
    match &fact.mark {
        Figure::Unknown { .. } => Cell::unknown(),
        Figure::Known(None) => "no mark".into(),
        Figure::Known(Some(mark)) => mark.expires_at.map_or_else(|| "forever".into(), |at| moment(Some(at))),
    }
}

fn object(fact: &FactTrace) -> Vec<Cell> {
    match &fact.lake {
        Figure::Unknown { .. } => (0..4).map(|_| Cell::unknown()).collect(),
        Figure::Known(None) => {
            let expected = match &fact.item {
                Figure::Known(Some(ItemView::Fact { lake_prefix, .. })) => format!("(expected in {lake_prefix})"),
                _ => "-".to_owned(),
            };
            vec![Cell::new("not there", WARNING), "-".into(), "-".into(), expected.into()]
        }
        Figure::Known(Some(object)) => {
            let (content, style) = match object.content {
                Content::Same => ("as accepted", GOOD),
                Content::OtherVersion => ("of another time", WARNING),
                Content::Different => ("different", BAD),
                Content::Unknown => ("no item to compare", WARNING),
            };
            let found_by = match object.found_by {
                FoundBy::Mark => "mark",
                FoundBy::Search => "search of the hour",
            };
            vec![moment(object.last_modified), Cell::new(content, style), found_by.into(), Cell::from(&object.key)]
        }
    }
}

fn or_dash(value: Option<impl Display>) -> Cell {
    value.map_or_else(|| "-".into(), Cell::from)
}

fn moment(seconds: Option<i64>) -> Cell {
    let moment = seconds.and_then(Timestamp::from_unix_seconds);
    moment.map_or_else(|| "-".into(), |moment| moment.rfc3339().into())
}

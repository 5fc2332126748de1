//! Output of `status`.

use std::fmt::Display;

use sales::{clock::Timestamp, site_state::SiteState};

use super::{Figure, RegionStatus, Status, dns::Choice};
use crate::{
    cloud::{lake_table::Reached, queue::Depth, services::ServiceReport, table::Backlog, trouble::TroubleKind},
    output::{self, BAD, Cell, GOOD, PLAIN, Table, WARNING, age, duration, line},
};

/// The columns; each age belongs to the column before it. Tasks are those of the API and of the worker; rows are those of
/// the lake's table, with the age of the oldest object that is not in it.
const HEAD: [&str; 17] = [
    "REGION",
    "STATE",
    "SINCE",
    "API",
    "WORKER",
    "TASKS",
    "QUEUE",
    "AGE",
    "DEAD LETTERS",
    "AGE",
    "PENDING",
    "AGE",
    "ROWS",
    "AGE",
    "DNS",
    "DIAL",
    "ENDPOINTS",
];

/// Moves the cursor to the top left, and clears what is below.
const HOME: &str = "\x1b[H\x1b[J";

/// Prints a status; with --watch on a terminal, in place of the one before.
pub(super) fn show(status: &Status, watch: bool) {
    let mut text = String::new();
    if watch && output::is_terminal() {
        text.push_str(HOME);
    }
    text.push_str(&table(status).to_string());
    if let Some(dns) = &status.dns {
        text.push_str(&format!("\nDNS: {dns}"));
    }
    for reason in reasons(status) {
        text.push_str(&format!("\n{WARNING}?{WARNING:#} {reason}"));
    }
    for finding in &status.findings {
        text.push_str(&format!("\n{BAD}!{BAD:#} {}\n    next: {}", finding.finding, finding.next));
    }
    if watch {
        text.push('\n');
    }
    line(text);
}

fn table(status: &Status) -> Table {
    let mut table = Table::new(&HEAD);
    for region in &status.regions {
        table.row(row(region, status.dns.is_some(), status.now()));
    }
    table
}

fn row(region: &RegionStatus, dns: bool, now: Timestamp) -> Vec<Cell> {
    let since = region.state.known().and_then(|state| state.since());
    let backlog = region.pending.known();
    vec![
        (&region.region).into(),
        cell(&region.state, |state| match state.site_state() {
            Some(SiteState::Active) => Cell::new("ACTIVE", GOOD),
            Some(SiteState::Passive) => Cell::new("PASSIVE", PLAIN),
            None => Cell::new("INVALID", BAD),
        }),
        since.map_or_else(|| "-".into(), |since| age(since, now).into()),
        service(&region.api),
        service(&region.worker),
        cell(&region.tasks, |fleet| {
            let running: Vec<_> = fleet.values().map(|tasks| tasks.running.to_string()).collect();
            running.join("+").into()
        }),
        cell(&region.queue, |depth| depth.messages().into()),
        oldest(region.queue.known()),
        cell(&region.dead_letters, |depth| Cell::new(depth.messages(), if depth.messages() > 0 { BAD } else { PLAIN })),
        oldest(region.dead_letters.known()),
        cell(&region.pending, |backlog| backlog.items.into()),
        backlog.map_or_else(|| "-".into(), |backlog| oldest_pending(backlog, now)),
        cell(&region.lake_table, |reached| reached.rows.into()),
        region.lake_table.known().map_or_else(|| "-".into(), |reached| waiting(reached, now)),
        if dns { choice(Choice::of(region)) } else { "-".into() },
        cell(&region.traffic, |traffic| format!("{} %", traffic.dial_percent).into()),
        cell(&region.traffic, |traffic| {
            let style = if traffic.health == "HEALTHY" { GOOD } else { BAD };
            Cell::new(traffic.health.to_lowercase(), style)
        }),
    ]
}

/// A cell: a question mark if the value is unknown, a dash if it is not configured.
fn cell<T>(figure: &Figure<T>, known: impl FnOnce(&T) -> Cell) -> Cell {
    match figure {
        Figure::Known(value) => known(value),
        Figure::Unknown { error } if error.kind() == TroubleKind::NotSet => "-".into(),
        Figure::Unknown { .. } => Cell::unknown(),
    }
}

fn service(figure: &Figure<ServiceReport>) -> Cell {
    match figure {
        Figure::Known(service) if service.ready => Cell::new("up", GOOD),
        Figure::Known(_) => Cell::new("not ready", WARNING),
        Figure::Unknown { error } if error.kind() == TroubleKind::NotSet => "-".into(),
        Figure::Unknown { .. } => Cell::new("down", BAD),
    }
}

/// A region's rank for the health checks of DNS.
fn choice(choice: Choice) -> Cell {
    let style = match choice {
        Choice::Active => GOOD,
        Choice::Ready => PLAIN,
        Choice::Any => BAD,
    };
    Cell::new(choice.name(), style)
}

fn oldest(depth: Option<&Depth>) -> Cell {
    match depth {
        Some(Depth { oldest_age_seconds: Some(seconds), .. }) => {
            duration(std::time::Duration::from_secs(*seconds)).into()
        }
        Some(Depth { oldest_age_error: Some(_), .. }) => Cell::unknown(),
        _ => "-".into(),
    }
}

/// Age of the oldest item. An unknown age is not a small one.
fn oldest_pending(backlog: &Backlog, now: Timestamp) -> Cell {
    match backlog.oldest() {
        Some(oldest) => age(oldest, now).into(),
        None if backlog.items > 0 => Cell::unknown(),
        None => "-".into(),
    }
}

/// Age of what the table lacks.
fn waiting(reached: &Reached, now: Timestamp) -> Cell {
    let since = reached.waiting_since.and_then(Timestamp::from_unix_seconds);
    since.map_or_else(|| "-".into(), |since| age(since, now).into())
}

/// Why values are unknown, each reason once per region.
fn reasons(status: &Status) -> Vec<String> {
    let mut reasons: Vec<(String, String, Vec<&str>)> = Vec::new();
    let mut add = |region: &str, what: &'static str, error: &dyn Display| {
        let error = error.to_string();
        match reasons.iter_mut().find(|(of, known, _)| of == region && *known == error) {
            Some((_, _, whats)) => whats.push(what),
            None => reasons.push((region.to_owned(), error, vec![what])),
        }
    };
    for region in &status.regions {
        let name = &region.region;
        if let Figure::Unknown { error } = &region.state {
            add(name, "state", error);
        }
        for (what, depth) in [("queue", &region.queue), ("dead letters", &region.dead_letters)] {
            match depth {
                Figure::Unknown { error } => add(name, what, error),
                Figure::Known(Depth { oldest_age_error: Some(error), .. }) => add(name, "oldest message", error),
                Figure::Known(_) => {}
            }
        }
        if let Figure::Unknown { error } = &region.pending {
            add(name, "pending", error);
        }
        if let Figure::Unknown { error } = &region.lake_table {
            add(name, "rows", error);
        }
        for (what, service) in [("API", &region.api), ("worker", &region.worker)] {
            if let Figure::Unknown { error } = service
                && error.kind() == TroubleKind::NotSet
            {
                add(name, what, error);
            }
        }
        if let Figure::Unknown { error } = &region.traffic {
            add(name, "dial and endpoints", error);
        }
        if let Figure::Unknown { error } = &region.tasks
            && error.kind() != TroubleKind::NotSet
        {
            add(name, "tasks", error);
        }
    }
    reasons.into_iter().map(|(region, error, whats)| format!("{region}, {}: {error}", whats.join(", "))).collect()
}

//! Output of `history`.

use time::OffsetDateTime;

use super::{Change, History, What};
use crate::output::{self, Cell, Format, PLAIN, Table, WARNING, count, line};

impl History {
    /// Prints it.
    pub(super) fn show(&self, format: Format) -> anyhow::Result<()> {
        if format == Format::Json {
            return output::json(self);
        }
        let mut table = Table::new(&["TIME (UTC)", "REGION", "CHANGE", "BY", "REASON"]);
        for change in &self.changes {
            table.row(row(change));
        }
        line(table);
        if self.more > 0 {
            line(format_args!(
                "... and {}; --limit 0 lists all",
                count(self.more as u64, "older change", "older changes")
            ));
        }
        if self.dials_cut {
            line(format_args!("{WARNING}?{WARNING:#} dials: CloudTrail has more events than were read: reduce --days"));
        }
        for unknown in &self.unknown {
            let why = if unknown.is_not_set { " (CloudTrail does not record an emulated accelerator)" } else { "" };
            line(format_args!("{WARNING}?{WARNING:#} {}: {}{why}", unknown.what, unknown.error));
        }
        Ok(())
    }
}

fn row(change: &Change) -> [Cell; 5] {
    let what = match &change.what {
        What::State { from, to, .. } => format!("state {} -> {}", or_unknown(from.as_deref()), to.escape_debug()),
        What::Dial { from: Some(from), to } => format!("dial {from} % -> {to} %"),
        What::Dial { from: None, to } => format!("dial ? -> {to} %"),
    };
    let reason = change.reason.as_deref().map_or_else(|| "-".to_owned(), |reason| reason.escape_debug().to_string());
    let by = change.by.as_deref().map_or_else(Cell::unknown, |arn| Cell::new(who(arn).escape_debug(), PLAIN));
    [moment(change).into(), change.region.as_str().into(), what.into(), by, reason.into()]
}

fn or_unknown(state: Option<&str>) -> String {
    state.map_or_else(|| "?".to_owned(), |state| state.escape_debug().to_string())
}

/// The time, to the second.
fn moment(change: &Change) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let at = change.at().and_then(|at| OffsetDateTime::from_unix_timestamp(at.unix_seconds()).ok());
    at.and_then(|at| at.format(format).ok()).unwrap_or_else(|| "?".to_owned())
}

/// Short name of an author: `Operator/jane` for a session of a role, `jane` for a user, `root`.
fn who(arn: &str) -> &str {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    ["assumed-role/", "federated-user/", "user/", "role/"]
        .iter()
        .find_map(|kind| name.strip_prefix(kind))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_has_a_short_name() {
        for (arn, name) in [
            ("arn:aws:sts::111122223333:assumed-role/Operator/jane", "Operator/jane"),
            ("arn:aws:iam::111122223333:user/jane", "jane"),
            ("arn:aws:iam::111122223333:root", "root"),
            ("somebody", "somebody"),
        ] {
            assert_eq!(who(arn), name);
        }
    }
}

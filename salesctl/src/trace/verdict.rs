//! The meaning of a trace, in one sentence for the person who asked. Pure.

use sales::{clock::Timestamp, site_state::SiteState};

use super::{Content, FactTrace, ItemView, LakeView, RegionTrace};
use crate::{
    output::{age, duration},
    overdue::Overdue,
};

/// Completeness of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The sale was found, and all sources were available.
    Everything,
    /// The sale was found, but some sources were unavailable.
    APart,
    /// The sale was not found.
    Nothing,
}

/// The verdict on what all regions know.
pub(super) fn of(regions: &[RegionTrace], now: Timestamp, overdue: Overdue) -> (Known, String) {
    let silent: Vec<&str> =
        regions.iter().filter(|region| !region.troubles().is_empty()).map(|region| region.region.as_str()).collect();
    let sale = View { regions, of: |region| &region.sale, now, overdue };
    let cancellation = View { regions, of: |region| &region.cancellation, now, overdue };
    let found = sale.is_found() || cancellation.is_found();
    let known = match (found, silent.is_empty()) {
        (false, _) => Known::Nothing,
        (true, true) => Known::Everything,
        (true, false) => Known::APart,
    };
    let row = if sale.lakes().any(|(_, object)| object.is_some()) { rows(regions) } else { String::new() };
    let sentence = match (cancellation.accepted(), sale.is_found()) {
        _ if !found => match silent.is_empty() {
            true => "unknown in every region".to_owned(),
            false => "unknown in every region that answered".to_owned(),
        },
        (Some(cancelled), _) => {
            let sale = sale.sentence();
            format!("cancelled {cancelled}: the cancellation is {}; the sale is {sale}", cancellation.sentence())
        }
        (None, true) => sale.sentence(),
        (None, false) => format!("only its cancellation is known, without a timestamp: {}", cancellation.sentence()),
    };
    let unknown = match silent.as_slice() {
        [] => String::new(),
        silent => format!("; some sources of {} were unavailable", silent.join(" and ")),
    };
    (known, format!("{sentence}{row}{unknown}"))
}

/// Where the lake's table has a row of a sale that is in the journal.
fn rows(regions: &[RegionTrace]) -> String {
    let known = regions.iter().filter_map(|region| Some((region.region.as_str(), region.row.known()?.is_some())));
    let (with, without): (Vec<_>, Vec<_>) = known.partition(|(_, is_there)| *is_there);
    let names = |regions: &[(&str, bool)]| regions.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
    match (with.as_slice(), without.as_slice()) {
        ([], []) => String::new(),
        (with, []) => format!("; a row of the table of {}", names(with)),
        ([], without) => format!("; not yet a row of the table of {}", names(without)),
        (with, without) => {
            format!("; a row of the table of {}, and not yet of that of {}", names(with), names(without))
        }
    }
}

/// A sale, or its cancellation, in all regions.
struct View<'a> {
    regions: &'a [RegionTrace],
    of: fn(&RegionTrace) -> &FactTrace,
    now: Timestamp,
    overdue: Overdue,
}

impl View<'_> {
    fn facts(&self) -> impl Iterator<Item = (&str, &FactTrace)> {
        self.regions.iter().map(|region| (region.region.as_str(), (self.of)(region)))
    }

    fn items(&self) -> impl Iterator<Item = &ItemView> {
        self.facts().filter_map(|(_, fact)| fact.item.known()?.as_ref())
    }

    fn lakes(&self) -> impl Iterator<Item = (&str, Option<&LakeView>)> {
        self.facts().filter_map(|(region, fact)| Some((region, fact.lake.known()?.as_ref())))
    }

    fn is_marked(&self) -> bool {
        self.facts().any(|(_, fact)| fact.mark.known().is_some_and(Option::is_some))
    }

    fn is_found(&self) -> bool {
        self.items().next().is_some() || self.is_marked() || self.lakes().any(|(_, object)| object.is_some())
    }

    /// When and where it was accepted.
    fn accepted(&self) -> Option<String> {
        self.items().find_map(|item| match item {
            ItemView::Fact { accepted_at, accepted_in, .. } => {
                let at = Timestamp::from_unix_seconds(*accepted_at)?.rfc3339();
                Some(accepted_in.as_ref().map_or_else(|| at.clone(), |region| format!("{at} in {region}")))
            }
            ItemView::Unreadable { .. } => None,
        })
    }

    /// Its status; follows "the sale is".
    fn sentence(&self) -> String {
        let (holding, lacking): (Vec<_>, Vec<_>) = self.lakes().partition(|(_, object)| object.is_some());
        let lacking: Vec<&str> = lacking.into_iter().map(|(region, _)| region).collect();
        if holding.is_empty() {
            return self.not_in_lake(lacking.is_empty());
        }
        let names: Vec<&str> = holding.iter().map(|(region, _)| *region).collect();
        let objects: Vec<&LakeView> = holding.iter().filter_map(|(_, object)| *object).collect();
        let lakes = match (names.as_slice(), lacking.as_slice()) {
            ([_, _], []) if self.regions.len() == 2 => "in the lake of both regions".to_owned(),
            (_, []) if names.len() == self.regions.len() && names.len() > 1 => "in the lake of every region".to_owned(),
            _ => format!("in the lake of {}", names.join(" and ")),
        };
        let since =
            objects.iter().filter_map(|object| object.last_modified).max().and_then(Timestamp::from_unix_seconds);
        let since = since.map_or_else(String::new, |since| format!(" since {}", since.rfc3339()));
        let lacking = match lacking.as_slice() {
            [] => String::new(),
            lacking => format!(", and not yet in that of {}", lacking.join(" and ")),
        };
        let remark = match () {
            () if objects.iter().any(|object| object.content == Content::Different) => {
                ", but with other content than accepted: see salesctl lake verify"
            }
            () if objects.iter().any(|object| object.content == Content::Unknown) => ", but in no table that answered",
            () if objects.iter().any(|object| object.content == Content::OtherVersion) => {
                ", with the timestamp of another region that accepted it, too"
            }
            () => "",
        };
        format!("{lakes}{since}{lacking}{remark}")
    }

    fn not_in_lake(&self, no_lake_answered: bool) -> String {
        let accepted = self.accepted().map_or_else(|| "known".to_owned(), |accepted| format!("accepted {accepted}"));
        let is_processed = |item: &ItemView| matches!(item, ItemView::Fact { sale_processed: true, .. });
        if self.items().any(is_processed) || self.is_marked() {
            return match no_lake_answered {
                true => format!("{accepted} and marked as in the lake, which is unavailable"),
                false => format!("{accepted} and marked as in the lake, but missing from it: see salesctl lake verify"),
            };
        }
        if self.items().all(|item| matches!(item, ItemView::Unreadable { .. })) {
            return "in the table, but unreadable".to_owned();
        }
        format!("{accepted}, pending: {}", self.why_owed())
    }

    fn why_owed(&self) -> String {
        let states: Vec<_> = self.regions.iter().map(|region| (region, region.state.known())).collect();
        let active: Vec<&str> = states
            .iter()
            .filter(|(_, state)| state.and_then(|state| state.site_state()) == Some(SiteState::Active))
            .map(|(region, _)| region.region.as_str())
            .collect();
        let oldest = self.items().filter_map(|item| match item {
            ItemView::Fact { accepted_at, .. } => Timestamp::from_unix_seconds(*accepted_at),
            ItemView::Unreadable { .. } => None,
        });
        let oldest = oldest.min().unwrap_or(self.now);
        match active.as_slice() {
            [] if states.iter().any(|(_, state)| state.is_none()) => "no region is known to be ACTIVE".to_owned(),
            [] => "no region is ACTIVE".to_owned(),
            active if !self.overdue.is_overdue(self.now.since(oldest)) => {
                format!("{} will process it within {}", active.join(" or "), duration(self.overdue.limit()))
            }
            active => format!("overdue for {} (ACTIVE: {})", age(oldest, self.now), active.join(" and ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cloud::{state::StateParameter, trouble::Trouble},
        status::Figure,
        trace::{FoundBy, Mark, RowView},
    };

    const ACCEPTED: i64 = 1_764_547_200;
    const OVERDUE: Overdue = Overdue::with_grace(30);

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(ACCEPTED + 300).unwrap()
    }

    fn item(processed: bool) -> Option<ItemView> {
        Some(ItemView::Fact {
            product: Some("Livro".into()),
            amount: Some("14".into()),
            accepted_at: ACCEPTED,
            accepted_in: Some("a".into()),
            sale_processed: processed,
            processed_at: None,
            pending: !processed,
            lake_prefix: "prefix".into(),
        })
    }

    fn object(content: Content) -> Option<LakeView> {
        let last_modified = Some(ACCEPTED + 1);
        Some(LakeView { key: "key".into(), found_by: FoundBy::Mark, bytes: 1, last_modified, content })
    }

    fn fact(item: Option<ItemView>, lake: Option<LakeView>) -> FactTrace {
        let processed = matches!(item, Some(ItemView::Fact { sale_processed: true, .. }));
        let mark = processed.then_some(Mark { expires_at: None, object: None });
        FactTrace { item: Figure::Known(item), mark: Figure::Known(mark), lake: Figure::Known(lake) }
    }

    fn nothing() -> FactTrace {
        fact(None, None)
    }

    fn region(name: &str, state: &str, sale: FactTrace, cancellation: FactTrace) -> RegionTrace {
        let state = Figure::Known(StateParameter { value: state.into(), since: None });
        let row = sale.lake.known().is_some_and(Option::is_some);
        let row = row.then(|| RowView { file: "file".into(), accepted_at: ACCEPTED, cancelled_at: None });
        RegionTrace { region: name.into(), state, sale, cancellation, row: Figure::Known(row) }
    }

    fn down(name: &str) -> RegionTrace {
        let error = Trouble::new("no answer");
        let fact = FactTrace {
            item: Figure::Unknown { error: error.clone() },
            mark: Figure::Unknown { error: error.clone() },
            lake: Figure::Unknown { error: error.clone() },
        };
        RegionTrace {
            region: name.into(),
            state: Figure::Unknown { error: error.clone() },
            sale: fact.clone(),
            cancellation: fact,
            row: Figure::Unknown { error },
        }
    }

    fn verdict(regions: &[RegionTrace]) -> (Known, String) {
        of(regions, now(), OVERDUE)
    }

    #[test]
    fn a_sale_in_each_lake_is_there_since_it_was_in_the_last_of_them() {
        let done = |name| region(name, "ACTIVE", fact(item(true), object(Content::Same)), nothing());
        let expected = "in the lake of both regions since 2025-12-01T00:00:01Z; a row of the table of a and b";
        assert_eq!(verdict(&[done("a"), done("b")]), (Known::Everything, expected.to_owned()));
        let (known, sentence) = verdict(&[done("a"), down("b")]);
        assert_eq!(known, Known::APart);
        assert_eq!(
            sentence,
            "in the lake of a since 2025-12-01T00:00:01Z; a row of the table of a; some sources of b were unavailable"
        );
        let not_yet = region("b", "PASSIVE", fact(item(true), None), nothing());
        let (_, sentence) = verdict(&[done("a"), not_yet]);
        assert!(
            sentence.ends_with("and not yet in that of b; a row of the table of a, and not yet of that of b"),
            "{sentence}"
        );
    }

    #[test]
    fn a_sale_that_is_owed_says_whom_it_waits_for() {
        let owed = |state| region("a", state, fact(item(false), None), nothing());
        let accepted = "accepted 2025-12-01T00:00:00Z in a, pending";
        let (known, sentence) = verdict(&[owed("PASSIVE")]);
        assert_eq!((known, sentence), (Known::Everything, format!("{accepted}: no region is ACTIVE")));
        assert_eq!(verdict(&[owed("ACTIVE")]).1, format!("{accepted}: overdue for 5m (ACTIVE: a)"));
        let soon = Timestamp::from_unix_seconds(ACCEPTED + 2).unwrap();
        let sentence = of(&[owed("ACTIVE")], soon, OVERDUE).1;
        assert_eq!(sentence, format!("{accepted}: a will process it within 90s"));
        let patient = of(&[owed("ACTIVE")], now(), Overdue::with_grace(600)).1;
        assert!(patient.ends_with("a will process it within 11m"), "{patient}");
        assert!(verdict(&[owed("PASSIVE"), down("b")]).1.contains("no region is known to be ACTIVE"));
    }

    #[test]
    fn a_cancelled_sale_is_said_to_be_cancelled_first() {
        let cancelled = region("a", "ACTIVE", fact(item(true), object(Content::Same)), fact(item(false), None));
        let (known, sentence) = verdict(&[cancelled]);
        assert_eq!(known, Known::Everything);
        assert!(
            sentence.starts_with("cancelled 2025-12-01T00:00:00Z in a: the cancellation is accepted"),
            "{sentence}"
        );
        assert!(
            sentence.ends_with("the sale is in the lake of a since 2025-12-01T00:00:01Z; a row of the table of a"),
            "{sentence}"
        );
    }

    #[test]
    fn a_sale_that_is_nowhere_is_unknown_where_somebody_answered() {
        let empty = |name| region(name, "ACTIVE", nothing(), nothing());
        assert_eq!(verdict(&[empty("a"), empty("b")]), (Known::Nothing, "unknown in every region".to_owned()));
        let (known, sentence) = verdict(&[empty("a"), down("b")]);
        assert_eq!(known, Known::Nothing);
        assert!(sentence.starts_with("unknown in every region that answered; some sources of b"), "{sentence}");
    }

    #[test]
    fn what_is_wrong_is_not_called_well() {
        for (sale, part) in [
            (fact(item(true), None), "marked as in the lake, but missing from it"),
            (fact(item(true), object(Content::Different)), "other content"),
            (fact(None, object(Content::Unknown)), "in no table"),
            (fact(item(true), object(Content::OtherVersion)), "another region that accepted it"),
            (fact(Some(ItemView::Unreadable { unreadable: true }), None), "unreadable"),
        ] {
            let (_, sentence) = verdict(&[region("a", "ACTIVE", sale, nothing())]);
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}

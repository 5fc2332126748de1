//! Whether clients that use DNS have followed a switch.
//!
//! The switch does not call DNS: its health checks notice that the regions' `/active` has changed. So this only reads:
//! the regions as these checks do, and the name as clients do.

use futures::future::join_all;
use serde::Serialize;

use super::situation::Target;
use crate::{
    cloud::{Cloud, services::Services, trouble::Trouble},
    config::DNS_KEY,
};

/// Requests to the name per check: one response alone may come from the right region by chance.
const ASKED: usize = 3;

/// The state of DNS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Entrance {
    /// The URL.
    url: String,
    /// Whether it reaches only regions of the target, and only these report ACTIVE.
    pub(super) follows: bool,
    /// The regions that responded at the name.
    answered_by: Vec<String>,
    /// Why there was no response.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
    /// The regions whose `/active` reports ACTIVE.
    active: Vec<String>,
}

impl Entrance {
    /// Checks once; `None` if no name is configured.
    pub(super) async fn look(cloud: &Cloud, services: &Services, target: &Target) -> Option<Self> {
        let url = cloud.dns_url.as_ref()?;
        let answers = join_all((0..ASKED).map(|_| services.region_at(DNS_KEY, Some(url))));
        let active = join_all(cloud.regions.values().map(async |region| {
            let active = services.is_active(&region.key("api_url"), region.resources.api_url.as_ref()).await;
            (region.name.clone(), active)
        }));
        let (answers, active) = tokio::join!(answers, active);
        Some(Self::of(url.as_str(), answers, active, target))
    }

    /// The state, from these answers of the name, and of each region's `/active`.
    pub(super) fn of(
        url: &str,
        answers: Vec<Result<String, Trouble>>,
        active: Vec<(String, Result<bool, Trouble>)>,
        target: &Target,
    ) -> Self {
        let (mut answered_by, mut error) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(region) => answered_by.push(region),
                Err(trouble) => error = Some(trouble),
            }
        }
        answered_by.sort();
        answered_by.dedup();
        // A region that does not respond may be lost, or is not configured: then only the name counts.
        let is_told = active.iter().any(|(_, active)| active.is_ok());
        let active: Vec<_> =
            active.into_iter().filter_map(|(region, active)| matches!(active, Ok(true)).then_some(region)).collect();
        let all_wanted = |regions: &[String]| regions.iter().all(|region| target.includes(region));
        let follows =
            error.is_none() && all_wanted(&answered_by) && all_wanted(&active) && !(is_told && active.is_empty());
        Self { url: url.trim_end_matches('/').to_owned(), follows, answered_by, error, active }
    }

    /// In one line.
    pub(super) fn told(&self) -> String {
        let state = if self.follows { "DNS follows" } else { "DNS does not follow yet" };
        let answered_by = match &self.error {
            Some(error) => format!("no answer ({error})"),
            None => format!("{} is answered by {}", self.url, self.answered_by.join(", ")),
        };
        let active = if self.active.is_empty() { "no region".to_owned() } else { self.active.join(", ") };
        format!("{state}: {answered_by}; ACTIVE to its health checks: {active}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result when these regions respond at the name, and report these states.
    fn seen(answers: &[Result<&str, ()>], active: &[(&str, Option<bool>)], target: &Target) -> Entrance {
        let gone = || Trouble::new("gone");
        let answers = answers.iter().map(|answer| answer.map(str::to_owned).map_err(|()| gone())).collect();
        let active = active.iter().map(|&(region, active)| (region.to_owned(), active.ok_or_else(gone))).collect();
        Entrance::of("http://name/", answers, active, target)
    }

    #[test]
    fn dns_follows_once_the_name_and_the_regions_agree_with_the_target() {
        let b = Target::Only("b".to_owned());
        let (off, on, gone) = (Some(false), Some(true), None);
        for (answers, active, follows) in [
            (&[Ok("b"), Ok("b")][..], &[("a", off), ("b", on)][..], true),
            (&[Ok("b"), Ok("b")], &[("a", gone), ("b", on)], true),
            (&[Ok("b"), Ok("a")], &[("a", off), ("b", on)], false),
            // By chance: the answer contains the other one, too.
            (&[Ok("b"), Ok("b")], &[("a", on), ("b", on)], false),
            // Second choice: no region is known to be ACTIVE yet.
            (&[Ok("b"), Ok("b")], &[("a", off), ("b", off)], false),
            (&[Ok("b"), Err(())], &[("a", off), ("b", on)], false),
            // Only the name responds.
            (&[Ok("b"), Ok("b")], &[("a", gone), ("b", gone)], true),
        ] {
            assert_eq!(seen(answers, active, &b).follows, follows, "{answers:?} {active:?}");
        }
        assert!(seen(&[Ok("a"), Ok("b")], &[("a", on), ("b", on)], &Target::All).follows);
    }

    #[test]
    fn what_is_seen_is_told_in_one_line() {
        let seen = seen(&[Ok("b"), Ok("a")], &[("a", Some(true)), ("b", Some(false))], &Target::Only("b".to_owned()));
        assert_eq!(
            seen.told(),
            "DNS does not follow yet: http://name is answered by a, b; ACTIVE to its health checks: a"
        );
    }
}

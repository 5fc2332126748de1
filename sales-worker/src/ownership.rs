//! Which region processes a message. Pure: no I/O, no clock.

use sales::region::Region;
use sales::site_state::SiteState;

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its fact is in the lake: only ensure that this region's table holds it.
    Done,
    /// Bring its fact to the lake.
    Process,
    /// Ensure that the pending index covers it.
    StandBy,
}

/// Decides by this region and its state, the fact's home, and whether the fact is marked.
#[must_use]
pub fn decide(state: Option<SiteState>, own: &Region, home: Option<&Region>, marked: bool) -> Decision {
    let ours = home.is_none_or(|home| home == own);
    match (marked, state) {
        (true, _) => Decision::Done,
        (false, Some(SiteState::Active)) if ours => Decision::Process,
        (false, Some(SiteState::Active | SiteState::Passive) | None) => Decision::StandBy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_who_processes_what() {
        let (own, other) = ("sa-east-1".parse().unwrap(), "us-east-1".parse().unwrap());
        let homes = [Some(&own), None, Some(&other)];
        let states = [Some(SiteState::Active), Some(SiteState::Passive), None];
        for state in states {
            for home in homes {
                assert_eq!(decide(state, &own, home, true), Decision::Done, "{state:?} {home:?}");
            }
        }
        for (state, expected) in states.into_iter().zip([
            [Decision::Process, Decision::Process, Decision::StandBy],
            [Decision::StandBy; 3],
            [Decision::StandBy; 3],
        ]) {
            let decisions = homes.map(|home| decide(state, &own, home, false));
            assert_eq!(decisions, expected, "{state:?}");
        }
    }
}

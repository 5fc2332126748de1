//! The endpoint group for a connection: a pure choice by dials and health.

/// A traffic dial: the share of its traffic that a region gets, 0 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Dial(f32);

impl Dial {
    /// No traffic.
    pub const OFF: Self = Self(0.0);
    /// All of its traffic.
    pub const FULL: Self = Self(100.0);

    /// The dial at `percent`, if that is a valid percentage.
    pub fn new(percent: f32) -> Option<Self> {
        (0.0..=100.0).contains(&percent).then_some(Self(percent))
    }

    /// In percent.
    pub fn percent(self) -> f32 {
        self.0
    }
}

/// An endpoint group, as far as the choice depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Whether it has a healthy endpoint whose weight is above zero.
    pub(super) is_usable: bool,
    pub(super) dial: Dial,
}

/// The order in which to try endpoint groups.
///
/// First the usable ones with a dial, drawn one after the other with their dials as weights; then the usable ones with
/// a dial of zero, since a failover ignores the dials; then all others, in any order: if nothing is usable, Global
/// Accelerator fails open. `draw` returns numbers from 0 (inclusive) to 1 (exclusive).
pub(super) fn order(groups: &[Candidate], mut draw: impl FnMut() -> f32) -> Vec<usize> {
    let (usable, others): (Vec<_>, Vec<_>) = (0..groups.len()).partition(|&position| groups[position].is_usable);
    let (dialled, off): (Vec<_>, Vec<_>) = usable.into_iter().partition(|&position| groups[position].dial > Dial::OFF);
    let mut order = drawn(dialled, |position| groups[position].dial.percent(), &mut draw);
    order.extend(off);
    order.extend(drawn(others, |_| 1.0, &mut draw));
    order
}

/// The positions, drawn one after the other by weight.
fn drawn(mut positions: Vec<usize>, weight: impl Fn(usize) -> f32, draw: &mut impl FnMut() -> f32) -> Vec<usize> {
    let mut order = Vec::with_capacity(positions.len());
    while positions.len() > 1 {
        let total: f32 = positions.iter().map(|&position| weight(position)).sum();
        let mut rest = draw() * total;
        let chosen = positions.iter().position(|&position| {
            rest -= weight(position);
            rest < 0.0
        });
        order.push(positions.remove(chosen.unwrap_or(positions.len() - 1)));
    }
    order.extend(positions);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(groups: &[(bool, f32)], draws: &[f32]) -> Vec<usize> {
        let candidate =
            |&(is_usable, percent)| Candidate { is_usable, dial: Dial::new(percent).expect("a percentage") };
        let groups: Vec<_> = groups.iter().map(candidate).collect();
        let mut draws = draws.iter().copied();
        order(&groups, || draws.next().expect("another draw"))
    }

    #[test]
    fn a_dial_is_a_percentage() {
        assert_eq!(Dial::new(33.5).map(Dial::percent), Some(33.5));
        for percent in [-1.0, 100.1, f32::NAN] {
            assert_eq!(Dial::new(percent), None);
        }
    }

    #[test]
    fn the_dials_are_weights() {
        let groups = [(true, 100.0), (true, 25.0)];
        assert_eq!(order_of(&groups, &[0.0]), [0, 1]);
        assert_eq!(order_of(&groups, &[0.79]), [0, 1]);
        assert_eq!(order_of(&groups, &[0.81]), [1, 0]);
        assert_eq!(order_of(&groups, &[0.999_999]), [1, 0]);
    }

    #[test]
    fn a_group_whose_dial_is_off_comes_after_those_with_a_dial() {
        assert_eq!(order_of(&[(true, 0.0), (true, 1.0)], &[]), [1, 0]);
        assert_eq!(order_of(&[(true, 0.0), (true, 1.0), (true, 1.0)], &[0.6]), [2, 1, 0]);
    }

    #[test]
    fn the_dials_are_ignored_when_no_group_they_favour_is_usable() {
        assert_eq!(order_of(&[(false, 100.0), (true, 0.0)], &[]), [1, 0]);
        assert_eq!(order_of(&[(true, 0.0), (true, 0.0)], &[]), [0, 1]);
    }

    #[test]
    fn when_no_group_is_usable_any_of_them_is_chosen_whatever_its_dial() {
        assert_eq!(order_of(&[(false, 100.0), (false, 0.0)], &[0.49]), [0, 1]);
        assert_eq!(order_of(&[(false, 100.0), (false, 0.0)], &[0.51]), [1, 0]);
    }

    #[test]
    fn without_groups_there_is_nothing_to_choose() {
        assert_eq!(order_of(&[], &[]), [0; 0]);
    }
}

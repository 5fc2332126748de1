//! Failures of services and of single calls.

use sales::ports::FailureKind;

use crate::dice::Dice;

/// Condition of a service in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Normal.
    Working,
    /// Rejects all calls.
    Refusing(FailureKind),
    /// Never responds.
    Hanging,
    /// Fails every other call, in various ways.
    Flaky,
    /// Rejects what concerns leases, which are single items beside the marks.
    WithoutLeases,
}

/// Rates of events per thousand calls, and durations in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub(crate) refused: u32,
    pub(crate) answer_lost: u32,
    pub(crate) repeated: u32,
    pub(crate) hanging: u32,
    pub(crate) entries_refused: u32,
    pub(crate) caller_dies: u32,
    pub(crate) slow: u32,
    pub(crate) message_lost: u32,
    pub(crate) message_repeated: u32,
    pub(crate) message_late: u32,
    pub(crate) longest_call: u64,
    pub(crate) longest_lag: u64,
    pub(crate) longest_index_lag: u64,
}

impl Rates {
    /// Nothing fails.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            refused: 0,
            answer_lost: 0,
            repeated: 0,
            hanging: 0,
            entries_refused: 0,
            caller_dies: 0,
            slow: 0,
            message_lost: 0,
            message_repeated: 0,
            message_late: 0,
            longest_call: 10,
            longest_lag: 900,
            longest_index_lag: 20,
        }
    }

    /// Anything may fail, at different rates.
    pub fn storm(dice: &mut Dice) -> Self {
        let mut rate = |rates: &[u32]| dice.pick(rates);
        Self {
            refused: rate(&[0, 0, 10, 60]),
            answer_lost: rate(&[0, 0, 10, 60]),
            repeated: rate(&[0, 0, 20]),
            hanging: rate(&[0, 0, 0, 5]),
            entries_refused: rate(&[0, 20, 100]),
            caller_dies: rate(&[0, 0, 2, 10]),
            slow: rate(&[0, 0, 20]),
            message_lost: rate(&[0, 0, 100, 500]),
            message_repeated: rate(&[0, 100, 300]),
            message_late: rate(&[0, 100]),
            longest_call: rate(&[10, 30, 300]).into(),
            longest_lag: rate(&[100, 900, 5_000, 20_000]).into(),
            longest_index_lag: rate(&[10, 10, 1_000]).into(),
        }
    }
}

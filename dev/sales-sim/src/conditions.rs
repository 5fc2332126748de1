//! What may be wrong with a service, and how often single calls fail.

use sales::ports::FailureKind;

use crate::dice::Dice;

/// How a service of a region is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// As usual.
    Working,
    /// It refuses all calls.
    Refusing(FailureKind),
    /// It answers nobody.
    Hanging,
    /// It fails every other call, in one way or another.
    Flaky,
}

/// How often, of a thousand times, something happens to a single call, and how long things take, in milliseconds.
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

    /// Anything fails, some things more often than others.
    pub fn storm(dice: &mut Dice) -> Self {
        let mut rate = |rates: &[u32]| dice.pick(rates);
        Self {
            refused: rate(&[0, 0, 10, 60]),
            answer_lost: rate(&[0, 0, 10, 60]),
            repeated: rate(&[0, 0, 20]),
            hanging: rate(&[0, 0, 0, 5]),
            entries_refused: rate(&[0, 0, 20]),
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

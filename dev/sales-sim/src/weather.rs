//! What every call passes through: the services' conditions, single failures, and the death of the caller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sales::event::Event;
use sales::memory::{Call, CloudService, Flow, Network, Passage};
use sales::ports::FailureKind;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::conditions::{Condition, Rates};
use crate::dice::Dice;
use crate::history::History;
use crate::regions::{NAMES, REGIONS};

/// The network of one run. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Weather(Arc<Mutex<Sky>>);

struct Sky {
    dice: Dice,
    rates: Rates,
    conditions: [[Condition; 6]; REGIONS],
    lost: [bool; REGIONS],
    storage_clocks: [Duration; REGIONS],
    lives: BTreeMap<u32, Arc<Notify>>,
    history: History,
    began: Instant,
    puts: [u32; REGIONS],
    busiest: u32,
    second: BTreeMap<u32, (u64, u32)>,
}

impl Weather {
    /// The weather of a seed.
    #[must_use]
    pub fn new(dice: Dice, rates: Rates, storage_clocks: [Duration; REGIONS], history: History) -> Self {
        Self(Arc::new(Mutex::new(Sky {
            dice,
            rates,
            conditions: [[Condition::Working; 6]; REGIONS],
            lost: [false; REGIONS],
            storage_clocks,
            lives: BTreeMap::new(),
            history,
            began: Instant::now(),
            puts: [0; REGIONS],
            busiest: 0,
            second: BTreeMap::new(),
        })))
    }

    /// Changes the condition of a service.
    pub fn become_(&self, region: usize, service: CloudService, condition: Condition) {
        self.sky().conditions[region][service as usize] = condition;
    }

    /// Marks a region as lost, or restored.
    pub fn lose(&self, region: usize, lost: bool) {
        self.sky().lost[region] = lost;
    }

    /// Ends all failures.
    pub fn clear(&self) {
        let mut sky = self.sky();
        sky.rates = Rates { longest_lag: sky.rates.longest_lag.min(900), ..Rates::calm() };
        sky.conditions = [[Condition::Working; 6]; REGIONS];
    }

    /// Registers a process; the result is notified when it dies in a call.
    pub fn begin_life(&self, caller: u32) -> Arc<Notify> {
        let death = Arc::new(Notify::new());
        self.sky().lives.insert(caller, Arc::clone(&death));
        death
    }

    /// Removes a process.
    pub fn end_life(&self, caller: u32) {
        let mut sky = self.sky();
        sky.lives.remove(&caller);
        sky.second.remove(&caller);
    }

    /// Attempted puts of objects in each region.
    #[must_use]
    pub fn puts(&self) -> [u32; REGIONS] {
        self.sky().puts
    }

    /// Maximum calls per second of a process.
    #[must_use]
    pub fn busiest_second(&self) -> u32 {
        self.sky().busiest
    }

    fn sky(&self) -> MutexGuard<'_, Sky> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sky {
    fn time(&mut self, longest: u64) -> Duration {
        Duration::from_millis(self.dice.between(1, longest))
    }

    fn count(&mut self, call: Call) {
        let second = self.began.elapsed().as_secs();
        let entry = self.second.entry(call.caller).or_default();
        *entry = if entry.0 == second { (second, entry.1 + 1) } else { (second, 1) };
        self.busiest = self.busiest.max(entry.1);
        if call.operation == "PutObject" {
            self.puts[call.region] += 1;
        }
    }

    fn passage(&mut self, call: Call) -> Passage {
        let condition = self.conditions[call.region][call.service as usize];
        let rates = self.rates;
        let there = self.time(rates.longest_call);
        let refused = |kind| Passage::Refused { after: there, kind };
        if self.lost[call.region] {
            return if self.dice.chance(500) {
                refused(FailureKind::Unavailable)
            } else {
                Passage::Hanging { effect_after: None }
            };
        }
        match condition {
            Condition::Working => {}
            Condition::Refusing(kind) => return refused(kind),
            Condition::Hanging => return self.hanging(),
            Condition::WithoutLeases if call.service == CloudService::Marks && call.operation == "PutItem" => {
                return refused(FailureKind::Unavailable);
            }
            Condition::WithoutLeases => {}
            Condition::Flaky => {
                if self.dice.chance(500) {
                    return match self.dice.below(3) {
                        0 => refused(FailureKind::Unavailable),
                        1 => Passage::AnswerLost { there, back: there },
                        _ => self.hanging(),
                    };
                }
            }
        }
        if self.dice.chance(rates.caller_dies)
            && let Some(death) = self.lives.get(&call.caller)
        {
            death.notify_one();
            return Passage::Never { takes_effect: self.dice.chance(500) };
        }
        if self.dice.chance(rates.refused) {
            refused(self.dice.pick(&[FailureKind::Unavailable, FailureKind::Unavailable, FailureKind::Rejected]))
        } else if self.dice.chance(rates.answer_lost) {
            Passage::AnswerLost { there, back: self.time(rates.longest_call) }
        } else if self.dice.chance(rates.repeated) {
            Passage::Repeated { there, between: self.time(2_000), back: Duration::ZERO }
        } else if self.dice.chance(rates.hanging) {
            self.hanging()
        } else {
            let entries =
                if self.dice.chance(rates.entries_refused) { self.dice.between(1, 1 << 10) as u32 } else { 0 };
            let slow = if self.dice.chance(rates.slow) { self.time(4_000) } else { Duration::ZERO };
            let back = if self.dice.chance(300) { self.time(rates.longest_call) } else { Duration::ZERO };
            Passage::Through { there: there + slow, back, refused: entries }
        }
    }

    fn hanging(&mut self) -> Passage {
        let effect_after = self.dice.chance(300).then(|| self.time(20_000));
        Passage::Hanging { effect_after }
    }
}

impl Network for Weather {
    fn call(&self, call: Call) -> Passage {
        let mut sky = self.sky();
        sky.count(call);
        let passage = sky.passage(call);
        sky.history
            .note(|| format!("  #{} {} {:?} {}", call.caller, NAMES[call.region], call.operation, tell(passage)));
        passage
    }

    fn replication_lag(&self, _: Flow) -> Duration {
        let mut sky = self.sky();
        let longest = sky.rates.longest_lag;
        sky.time(longest)
    }

    fn index_lag(&self) -> Duration {
        let mut sky = self.sky();
        let longest = sky.rates.longest_index_lag;
        sky.time(longest)
    }

    /// A message of another tool is never lost: without an item, it is the only record of the sale.
    fn deliveries(&self, _: usize, _: usize, events: &[Event]) -> Vec<Duration> {
        let mut sky = self.sky();
        let rates = sky.rates;
        let foreign = events.iter().any(|event| event.fact.region().is_none());
        if !foreign && sky.dice.chance(rates.message_lost) {
            return Vec::new();
        }
        let copies = if sky.dice.chance(rates.message_repeated) { sky.dice.between(2, 4) } else { 1 };
        let longest = if sky.dice.chance(rates.message_late) { 30_000 } else { 50 };
        (0..copies).map(|_| sky.time(longest)).collect()
    }

    fn storage_clock(&self, region: usize) -> Duration {
        self.sky().storage_clocks[region]
    }
}

fn tell(passage: Passage) -> String {
    match passage {
        Passage::Through { there, back, refused: 0 } => format!("takes effect in {there:?}, answered {back:?} later"),
        Passage::Through { there, refused, .. } => format!("takes effect in {there:?}, entries {refused:b} refused"),
        Passage::Refused { after, kind } => format!("is refused in {after:?} ({})", kind.name()),
        Passage::AnswerLost { there, .. } => format!("takes effect in {there:?}, its answer is lost"),
        Passage::Repeated { there, between, .. } => format!("takes effect in {there:?} and again {between:?} later"),
        Passage::Hanging { effect_after: None } => "is never answered".into(),
        Passage::Hanging { effect_after: Some(after) } => format!("is never answered, takes effect in {after:?}"),
        Passage::Never { takes_effect: false } => "is not made: the caller dies".into(),
        Passage::Never { takes_effect: true } => "takes effect, and the caller dies".into(),
    }
}

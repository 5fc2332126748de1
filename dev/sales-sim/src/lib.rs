//! Two regions in virtual time: the services' own code, on ports in memory, under seeded schedules of faults.
//!
//! A [`schedule`] follows from its seed alone: what clients order, when what fails, who is killed, which region is lost
//! or switched. [`run`] lets it happen: the API and the worker ([`process`]) of both regions, kept running by the
//! [`fleet`], under a [`weather`] that every call goes through, with [`clients`] that order, retry and cancel. When the
//! faults are over and some time has passed, the [`checker`] says which promise is broken, if any. A [`mutation`] breaks
//! one on purpose, to show that the checker can fail. [`batch`] runs many seeds on all cores.

pub mod batch;
pub mod checker;
pub mod clients;
pub mod conditions;
pub mod dice;
pub mod fleet;
pub mod history;
pub mod mutation;
pub mod process;
pub mod regions;
pub mod run;
pub mod schedule;
pub mod slot;
pub mod weather;
pub mod world;

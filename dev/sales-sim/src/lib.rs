//! Two regions in virtual time: the services' own code, on ports in memory, under seeded schedules of faults.
//!
//! A [`schedule`] follows from its seed alone: orders, faults, deaths of processes, lost regions and switches. [`run`]
//! executes it: the API and the worker ([`process`]) of both regions, kept running by the [`fleet`], under a
//! [`weather`] that every call passes through, with [`clients`] that order, retry and cancel, as one of two
//! [`shops`] where clients sign in. Some time after the faults end, the [`checker`] lists the violations. A [`mutation`] introduces a deliberate bug, to show that the
//! checker can fail. [`batch`] runs many seeds on all cores.

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
pub mod shops;
pub mod slot;
pub mod weather;
pub mod world;

//! The operator's command line, as built, on two regions that can be made to fail: its effects, its output, and the
//! state after an interruption.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

mod capacity;
mod console;
mod dead_letters;
mod history;
mod lake;
mod looking;
mod settings;
mod switching;

//! What the services cannot be cheaper than: an actix server that only answers, and bare loops of the SDK's calls.

mod answer;
mod call;

pub(crate) use answer::answer;
pub(crate) use call::{Call, Cost, call};

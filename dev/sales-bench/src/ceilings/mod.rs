//! Lower bounds of the services' cost: an actix server that only responds, and bare loops of SDK calls.

mod answer;
mod call;

pub(crate) use answer::answer;
pub(crate) use call::{Call, Cost, call};

//! From a machine to a text and back, without a kernel.

mod golden;
mod quirks;
mod round;
mod states;

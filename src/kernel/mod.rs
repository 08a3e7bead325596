//! The real machine.

pub mod ipvs;

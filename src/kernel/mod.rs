//! The real machine.

mod ipvs;

//! The program as its users meet it: what it prints, its exit codes, and what it leaves behind.

mod commands;
mod deciding;
mod documents;
mod draining;
mod foreign;
mod health;
mod hosts;
mod ipvsadm;
mod leftovers;
mod locks;
mod moving;
mod policies;
mod probes;
mod reading;
mod repl;
mod rounds;
mod service;
mod shared;
mod simulated;
mod support;
mod telling;
mod tooling;
mod trust;
mod via;
mod world;
mod wrong;

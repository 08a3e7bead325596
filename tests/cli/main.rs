//! The program as its users meet it: what it prints, its exit codes, and what it leaves behind.

mod commands;
mod documents;
mod foreign;
mod ipvsadm;
mod leftovers;
mod locks;
mod moving;
mod policies;
mod shared;
mod support;
mod trust;
mod wrong;

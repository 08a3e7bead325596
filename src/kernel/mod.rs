//! The real machine.

pub mod announce;
mod ipvs;
pub mod netns;
pub mod nft;
pub mod route;
pub mod sysctl;

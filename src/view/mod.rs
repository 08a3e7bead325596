//! For eyes and pipes.

pub mod nft;

//! It accepts a connection: nothing is sent.

use super::socket::connect;
use super::{Job, Trouble};

pub async fn check(job: &Job) -> Result<(), Trouble> {
    connect(job).await.map(drop)
}

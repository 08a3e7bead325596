//! zero: counters set back.

use clap::Args;

use super::context::Context;
use super::done::Done;
use super::list::{Only, read};
use crate::backend::Want;
use crate::error::Result;
use crate::model::ServiceKey;

/// Set the counters of a service and its servers, or of all, to 0
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct ZeroArgs {
    /// fwm:3, tcp:192.0.2.1:80; all services when left out
    service: Option<ServiceKey>,
}

const HELP: &str = "\
Active and inactive connections and templates are counted live and stay. The totals cannot be brought back. Those of
/proc/net/ip_vs_stats stay when only one service is named. The kernel adds up every 2 s: since Linux 7.2, what had not
been added up yet is counted afterwards, so that a counter may show a little at once.

Example:
  lvsh zero fwm:3";

pub fn zero(context: &Context, args: &ZeroArgs) -> Result<Done> {
    let mut backend = context.backend(context.common.read_only)?;
    let what = args.service.map_or_else(|| "all services".to_string(), |key| format!("service {key}"));
    if context.common.dry_run {
        // Whether it is there is said all the same.
        read(context, backend.as_mut(), &Only::service(args.service), Want::default())?;
        let text = format!("would zero the counters of {what}.  Nothing was sent.\n");
        return Ok(Done::text(text).with("changed", false));
    }
    backend.zero(args.service.as_ref())?;
    Ok(Done::text(format!("counters of {what} are 0\n")).with("changed", true))
}

//! stats: totals and rates, once or again and again.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::args::duration;
use super::context::{Context, stopped};
use super::done::{Done, print};
use super::list::{Only, read};
use crate::backend::{Backend, Want};
use crate::error::{Kind, Result};
use crate::model::{Observed, ServiceKey, Snapshot, Stats};
use crate::view::{Columns, ListView, SortKey, document_line, stats_text, stats_value};

/// Show totals and rates of services and servers, once or continuously
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct StatsArgs {
    /// Only this service: fwm:3, tcp:192.0.2.1:80
    service: Option<ServiceKey>,
    /// Read again every INTERVAL (2s) until Ctrl-C
    #[arg(long, value_name = "INTERVAL", num_args = 0..=1, default_missing_value = "2s", value_parser = interval)]
    watch: Option<Duration>,
    /// Stop after so many readings
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

const HELP: &str = "\
Rates: those of one reading are the kernel's own estimate, smoothed over about 8 s. With --watch they are the difference
of two readings; as JSON both are there (stats has the kernel's, measured the difference).

Counters are late: the kernel adds them up every 2 s, so they lack what came after that, up to 2.5 s. An interval below
2 s shows steps. With sysctl run_estimation at 0 they stand still. Bytes are bytes, not bits.

On a terminal --watch redraws; else it prints one block per reading, or with --json one document per line. Ctrl-C ends
it with exit code 0.

Examples:
  lvsh stats
  lvsh stats fwm:3 --watch 5s";

fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time < Duration::from_millis(100) => Err("it is at least 100ms".to_string()),
        time => Ok(time),
    }
}

/// One look at the counters.
struct Reading {
    seen: Snapshot,
    owners: BTreeMap<ServiceKey, String>,
    at: Instant,
}

impl Reading {
    fn take(context: &Context, backend: &mut dyn Backend, service: Option<ServiceKey>) -> Result<Reading> {
        let (seen, owners) = read(context, backend, &Only::service(service), Want::default())?;
        Ok(Reading { seen, owners, at: Instant::now() })
    }

    /// With rates from the difference to an earlier reading; what was not there then has none.
    fn since(&self, earlier: &Reading) -> Observed {
        let seconds = (self.at - earlier.at).as_secs_f64().max(0.001);
        let mut live = self.seen.observed.clone();
        for (key, stats) in &mut live.services {
            let then = earlier.seen.observed.services.get(key).copied().unwrap_or(*stats);
            *stats = stats.measured(&then, seconds);
        }
        for (id, server) in &mut live.servers {
            let then = earlier.seen.observed.servers.get(id).map_or(server.stats, |then| then.stats);
            server.stats = server.stats.measured(&then, seconds);
        }
        live
    }

    fn text(&self, context: &Context, live: &Observed, said: &str) -> String {
        let owner = |key: &ServiceKey| self.owners.get(key).cloned();
        let columns = Columns { stats: true, rate: true, ..Columns::default() };
        let (mut state, sort, width) = (self.seen.state.clone(), SortKey::Name, context.width());
        let hidden = if state.services.len() > 1 { state.hide_ways() } else { 0 };
        let view = ListView { state: &state, live, owner: &owner, columns, sort, hidden, width };
        let table = stats_text(&view);
        let table = if table.is_empty() { "no services\n".to_string() } else { table };
        format!("{table}\n{said}\n")
    }

    /// `measured`: the same with rates of the difference.
    fn value(&self, measured: Option<&Observed>) -> Value {
        let mut services = Vec::new();
        for (key, entry) in &self.seen.state.services {
            let live = |live: &Observed| live.services.get(key).copied().unwrap_or_default();
            let servers = entry.servers.keys().map(|id| {
                let of = |live: &Observed| live.servers.get(&(*key, *id)).copied().unwrap_or_default();
                let now = of(&self.seen.observed);
                let mut row = row(now.stats, measured.map(|measured| of(measured).stats));
                let numbers = [("active", now.active), ("inactive", now.inactive), ("persist", now.persist)];
                for (name, number) in numbers {
                    row[name] = json!(number);
                }
                row["server"] = json!(id.to_string());
                row
            });
            let servers: Vec<Value> = servers.collect();
            let mut row = row(live(&self.seen.observed), measured.map(live));
            row["service"] = json!(key.to_string());
            row["policy"] = json!(self.owners.get(key));
            row["servers"] = json!(servers);
            services.push(row);
        }
        Value::Array(services)
    }
}

fn row(stats: Stats, measured: Option<Stats>) -> Value {
    let mut row = json!({ "stats": stats_value(&stats) });
    if let Some(measured) = measured {
        row["measured"] = json!({
            "conns_per_s": measured.conns_per_s,
            "in_packets_per_s": measured.in_packets_per_s, "out_packets_per_s": measured.out_packets_per_s,
            "in_bytes_per_s": measured.in_bytes_per_s, "out_bytes_per_s": measured.out_bytes_per_s,
        });
    }
    row
}

const ESTIMATED: &str = "rates: the kernel's estimate, smoothed over about 8 s";

pub fn stats(context: &Context, args: &StatsArgs) -> Result<Done> {
    let mut backend = context.backend(true)?;
    if let Some(interval) = args.watch {
        return watch(context, backend.as_mut(), args, interval);
    }
    let now = Reading::take(context, backend.as_mut(), args.service)?;
    let text = now.text(context, &now.seen.observed, ESTIMATED);
    Ok(Done::text(text).with("rates", "estimated").with("services", now.value(None)))
}

fn watch(context: &Context, backend: &mut dyn Backend, args: &StatsArgs, interval: Duration) -> Result<Done> {
    let redraw = stdout().is_terminal() && !context.common.json;
    let mut earlier: Option<Reading> = None;
    let mut readings = 0;
    loop {
        let now = Reading::take(context, backend, args.service)?;
        let measured = earlier.as_ref().map(|earlier| now.since(earlier));
        let seconds = earlier.as_ref().map(|earlier| (now.at - earlier.at).as_secs_f64());
        let text = if context.common.json {
            let mut fields = json!({
                "command": "stats", "ok": true, "rates": "estimated", "services": now.value(measured.as_ref()),
            });
            if let Some(seconds) = seconds {
                fields["rates"] = json!("estimated, measured");
                fields["seconds"] = json!((seconds * 1000.0).round() / 1000.0);
            }
            document_line(fields)
        } else {
            let said = match seconds {
                Some(seconds) => format!("rates: measured over the last {seconds:.1} s"),
                None => ESTIMATED.to_string(),
            };
            let text = now.text(context, measured.as_ref().unwrap_or(&now.seen.observed), &said);
            // From the top, and nothing of the last picture below.
            if redraw { format!("\x1b[H\x1b[J{text}") } else { format!("{text}\n") }
        };
        if !print(&text) {
            return Ok(Done::printed(1));
        }
        readings += 1;
        if args.count == Some(readings) {
            return Ok(Done::printed(0));
        }
        let next = now.at + interval;
        earlier = Some(now);
        while Instant::now() < next {
            match context.cancel.reason() {
                // That is how one leaves it.
                Some(Kind::Interrupted) => return Ok(Done::printed(0)),
                Some(kind) => return Err(stopped(kind)),
                None => std::thread::sleep(Duration::from_millis(20).min(next - Instant::now())),
            }
        }
    }
}

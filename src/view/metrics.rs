//! Numbers in Prometheus's text format, version 0.0.4.

use std::fmt::Write;

/// Whether a number may fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
}

/// One metric: what its name and help say, and its samples in the order they were added.
#[derive(Clone, Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    /// Labels and value as they are written.
    samples: Vec<String>,
}

/// A document of metrics. Each has its samples together, whatever the order they are added in.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<Family>);

/// One metric's name, kind and help.
pub type Named = (&'static str, Kind, &'static str);

impl Metrics {
    pub fn add(&mut self, (name, kind, help): Named, labels: &[(&str, &str)], value: f64) {
        let mut sample = String::new();
        for (at, (label, text)) in labels.iter().enumerate() {
            sample.push_str(if at == 0 { "{" } else { "," });
            // Writing to a string does not fail.
            let _ = write!(sample, "{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            sample.push('}');
        }
        let _ = write!(sample, " {value}");
        match self.0.iter_mut().find(|family| family.name == name) {
            Some(family) => family.samples.push(sample),
            None => self.0.push(Family { name, help, kind, samples: vec![sample] }),
        }
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        for Family { name, help, kind, samples } in &self.0 {
            let kind = match kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
            };
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            for sample in samples {
                let _ = writeln!(out, "{name}{sample}");
            }
        }
        out
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document() {
        const UP: Named = ("lvsh_service_up", Kind::Gauge, "Whether it is up.");
        const BYTES: Named = ("lvsh_bytes_total", Kind::Counter, "Bytes.");
        let mut metrics = Metrics::default();
        metrics.add(UP, &[("service", "fwm:3")], 1.0);
        metrics.add(BYTES, &[], 18_446_744_073_709_551_615_u64 as f64);
        metrics.add(UP, &[("service", "a\\b\"c\nd"), ("policy", "web")], 0.25);
        assert_eq!(
            metrics.text(),
            "# HELP lvsh_service_up Whether it is up.\n# TYPE lvsh_service_up gauge\n\
             lvsh_service_up{service=\"fwm:3\"} 1\n\
             lvsh_service_up{service=\"a\\\\b\\\"c\\nd\",policy=\"web\"} 0.25\n\
             # HELP lvsh_bytes_total Bytes.\n# TYPE lvsh_bytes_total counter\n\
             lvsh_bytes_total 18446744073709552000\n"
        );
    }
}

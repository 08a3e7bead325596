//! Entries of the connection table as lines that go out while the table is read.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::model::{Connection, ServiceKey, Target, show_endpoint};

/// How many entries are looked at before the first line is written: they decide how wide the columns are.
const SAMPLE: usize = 1000;
const HEADER: [&str; 7] = ["pro", "client", "virtual", "server", "state", "expires", "service"];
const EXPIRES: usize = 5;

/// Lines of a table that is too long to keep. What comes out of it is in [`ConnectionRows::take`].
pub struct ConnectionRows {
    width: Option<u16>,
    sample: Vec<(Connection, Option<ServiceKey>)>,
    widths: Option<[usize; 7]>,
    /// Whether the last column has room.
    service: bool,
    out: String,
    cell: String,
    pub connections: u64,
    pub templates: u64,
}

impl ConnectionRows {
    /// `width`: columns of the terminal, `None` for a pipe.
    pub fn new(width: Option<u16>) -> ConnectionRows {
        ConnectionRows {
            width,
            sample: Vec::new(),
            widths: None,
            service: true,
            out: String::new(),
            cell: String::new(),
            connections: 0,
            templates: 0,
        }
    }

    pub fn push(&mut self, entry: Connection, maker: Option<ServiceKey>) {
        *(if entry.is_template() { &mut self.templates } else { &mut self.connections }) += 1;
        match self.widths {
            Some(widths) => self.line(&entry, maker, widths),
            None => {
                self.sample.push((entry, maker));
                if self.sample.len() >= SAMPLE {
                    self.settle();
                }
            }
        }
    }

    /// What is ready to be written.
    pub fn take(&mut self) -> &mut String {
        &mut self.out
    }

    /// The last lines.
    pub fn end(&mut self) {
        if self.widths.is_none() && !self.sample.is_empty() {
            self.settle();
        }
        if self.connections + self.templates > 0 {
            self.out.push('\n');
        }
        let plural = |number: u64| if number == 1 { "" } else { "s" };
        let (connections, templates) = (self.connections, self.templates);
        let (of_connections, of_templates) = (plural(connections), plural(templates));
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.out,
            "{connections} connection{of_connections}, {templates} template{of_templates}"
        );
    }

    /// Chooses the widths and writes what was held back for that.
    fn settle(&mut self) {
        let mut widths = HEADER.map(str::len);
        let sample = std::mem::take(&mut self.sample);
        for (entry, maker) in &sample {
            for (at, width) in widths.iter_mut().enumerate() {
                self.cell.clear();
                write_cell(&mut self.cell, at, entry, *maker);
                *width = (*width).max(self.cell.len());
            }
        }
        let whole: usize = widths.iter().map(|width| width + 2).sum();
        self.service = self.width.is_none_or(|width| whole <= usize::from(width));
        self.widths = Some(widths);
        let mut header = String::new();
        for (at, (name, width)) in HEADER.iter().zip(widths).enumerate().take(self.columns()) {
            let _ = if at == EXPIRES {
                write!(header, " {name:>width$} ")
            } else {
                write!(header, " {name:<width$} ")
            };
        }
        self.out.push_str(header.trim_end());
        self.out.push('\n');
        for (entry, maker) in sample {
            self.line(&entry, maker, widths);
        }
    }

    fn columns(&self) -> usize {
        if self.service { HEADER.len() } else { HEADER.len() - 1 }
    }

    fn line(&mut self, entry: &Connection, maker: Option<ServiceKey>, widths: [usize; 7]) {
        for (at, width) in widths.into_iter().enumerate().take(self.columns()) {
            self.cell.clear();
            write_cell(&mut self.cell, at, entry, maker);
            let pad = width.saturating_sub(self.cell.len());
            self.out.push(' ');
            if at == EXPIRES {
                self.out.extend(std::iter::repeat_n(' ', pad));
            }
            self.out.push_str(&self.cell);
            if at != EXPIRES {
                self.out.extend(std::iter::repeat_n(' ', pad));
            }
            self.out.push(' ');
        }
        if let Some(pe) = &entry.pe {
            let data = pe.data.replace(char::is_control, "?");
            let _ = write!(self.out, " {} {data}", pe.name);
        }
        self.out.truncate(self.out.trim_end().len());
        self.out.push('\n');
    }
}

fn write_cell(out: &mut String, at: usize, entry: &Connection, maker: Option<ServiceKey>) {
    // Writing to a string cannot fail.
    let _ = match at {
        0 => write!(out, "{}", entry.protocol_name()),
        1 if entry.is_template() => write!(out, "{}", entry.client),
        1 => write!(out, "{}", show_endpoint(entry.client, entry.client_port)),
        2 => write!(out, "{}", entry.target),
        3 => write!(out, "{}", entry.server),
        4 if entry.is_given_up() => write!(out, "given up"),
        4 if entry.is_template() => write!(out, "template"),
        4 => write!(out, "{}", entry.state),
        EXPIRES => write!(out, "{}", entry.expires),
        _ => maker.map_or(Ok(()), |key| write!(out, "{key}")),
    };
}

/// One entry for programs, with the names of the Lua API.
pub fn connection_value(entry: &Connection, maker: Option<ServiceKey>) -> Value {
    let mut out = Map::new();
    out.insert("protocol".into(), json!(entry.protocol_name()));
    out.insert("client".into(), json!(entry.client.to_string()));
    out.insert("client_port".into(), json!(entry.client_port.0));
    match entry.target {
        Target::Address { addr, port } => {
            out.insert("virtual".into(), json!(addr.to_string()));
            out.insert("virtual_port".into(), json!(port.0));
        }
        Target::Mark { mark, .. } => {
            out.insert("fwmark".into(), json!(mark.get()));
        }
    }
    out.insert("server".into(), json!(entry.server.addr.to_string()));
    out.insert("server_port".into(), json!(entry.server.port.0));
    out.insert("state".into(), json!(entry.state.name()));
    out.insert("expires".into(), json!(entry.expires));
    out.insert("template".into(), json!(entry.is_template()));
    if let Some(key) = maker {
        out.insert("service".into(), json!(key.to_string()));
    }
    if let Some(pe) = &entry.pe {
        out.insert("pe".into(), json!(pe.name));
        out.insert("pe_data".into(), json!(pe.data));
    }
    Value::Object(out)
}

//! Checks, from rows of `PROBE`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::convert::{Row, Val};
use super::super::fault::{Checked, Fault};
use super::super::schema::KINDS;
use crate::model::IfName;
use crate::probe::{Check, Dns, Exec, Http, RecordType, Route, Smtp, StepOf, Steps, Tls, TlsOptions, Udp};

/// A check without its server.
#[derive(Clone, Debug)]
pub struct Probe {
    /// `http`
    pub kind: &'static str,
    pub check: Check,
    /// When the spec names one.
    pub port: Option<u16>,
    /// Where such servers usually are.
    pub usual: Option<u16>,
    pub timeout: Duration,
    pub route: Route,
    pub concurrency: usize,
    /// A Lua pattern for what was seen.
    pub pattern: Option<String>,
    /// Through IPVS.
    pub via: Option<Via>,
}

/// To which address a check through IPVS goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// That of the service: its own, or the one that gets its mark.
    Vip,
    Addr(IpAddr),
}

/// Seconds when the spec does not say.
const TIMEOUT: f64 = 2.0;
const CONCURRENCY: usize = 1000;

/// A check from a row of `PROBE`; it must name exactly one kind.
pub fn probe(row: &mut Row) -> Checked<Probe> {
    // `tcp = false` is as good as nothing.
    let given: Vec<&'static str> =
        KINDS.iter().copied().filter(|kind| !matches!(row.get(kind), Val::Nil | Val::Bool(false))).collect();
    let kind = match given.as_slice() {
        [one] => *one,
        [] => {
            let text = format!("a probe names what to check: one of {}", KINDS.join(", "));
            return Err(Fault::bad(text).hint("http = { path = \"/healthz\" }, or tcp = true"));
        }
        [first, second, ..] => {
            let text = format!("a probe is one check; got '{first}' and '{second}'");
            return Err(Fault::bad(text).hint("use a list of probes").under(second));
        }
    };
    if row.has("tls") && kind != "steps" {
        let text = format!("'tls' goes with steps, not with {kind}");
        return Err(Fault::bad(text).hint("https is http over TLS").under("tls"));
    }
    let tls = tls_of(row.get("tls"), None, Vec::new()).map_err(|fault| fault.under("tls"))?;
    let timeout = Duration::from_secs_f64(row.seconds("timeout").unwrap_or(TIMEOUT));
    if timeout.is_zero() {
        return Err(Fault::bad("bad value for 'timeout': nothing answers within 0 seconds").under("timeout"));
    }
    let dev = row.str("dev").map(IfName::new).transpose();
    let route = Route {
        from: match row.get("from") {
            Val::Addr(addr) => Some(*addr),
            _ => None,
        },
        dev: dev.map_err(|why| Fault::bad(why).under("dev"))?,
        mark: row.u32("mark"),
        facing: None,
    };
    let spec = row.row(kind);
    let list = row.list(kind);
    let dynamic = row.bool("dynamic").unwrap_or(false);
    if dynamic && kind != "exec" {
        return Err(Fault::bad(format!("'dynamic' goes with exec, not with {kind}")).under("dynamic"));
    }
    let via = via(row, kind).map_err(|fault| fault.under("via"))?;
    let (check, usual) = check(kind, spec, list, tls, dynamic).map_err(|fault| fault.under(kind))?;
    let port = row.u16("port").or_else(|| spec?.u16("port"));
    Ok(Probe {
        kind,
        check,
        port,
        usual,
        timeout,
        route,
        concurrency: row.u32("concurrency").map_or(CONCURRENCY, |count| count as usize),
        pattern: row.str("match").map(str::to_string),
        via,
    })
}

fn via(row: &Row, kind: &str) -> Checked<Option<Via>> {
    let Some(text) = row.str("via") else { return Ok(None) };
    if matches!(kind, "ping" | "exec") {
        let why = format!("'via' does not go with {kind}, which IPVS would not forward");
        return Err(Fault::bad(why).hint("a list of probes can have both"));
    }
    if row.has("mark") {
        return Err(Fault::bad("'via' does not go with 'mark': such a check has a mark of its own"));
    }
    match (text, text.parse()) {
        ("vip", _) => Ok(Some(Via::Vip)),
        (_, Ok(addr)) => Ok(Some(Via::Addr(addr))),
        (_, Err(_)) => {
            Err(Fault::bad(format!("bad value for 'via': \"{text}\" is not \"vip\" or an address")))
        }
    }
}

fn check(
    kind: &str,
    spec: Option<&Row>,
    list: &[Val],
    tls: Option<Tls>,
    dynamic: bool,
) -> Checked<(Check, Option<u16>)> {
    let text = |name: &str| spec.and_then(|spec| spec.str(name)).map(str::to_string);
    let flag = |name: &str| spec.and_then(|spec| spec.bool(name));
    let bytes = |name: &str| spec.and_then(|spec| spec.bytes(name));
    Ok(match kind {
        "tcp" => (Check::Tcp, None),
        "ping" => (Check::Ping, Some(0)),
        "http" => (Check::Http(Box::new(http(spec, None)?)), Some(80)),
        "https" => {
            let versions: &[&[u8]] = match text("version").as_deref() {
                Some("2") => &[b"h2"],
                Some(_) => &[b"http/1.1"],
                None => &[b"h2", b"http/1.1"],
            };
            let alpn = versions.iter().map(|version| version.to_vec()).collect();
            let tls = tls_options(spec, text("host").as_deref(), alpn)?;
            (Check::Http(Box::new(http(spec, Some(tls))?)), Some(443))
        }
        "dns" => {
            let ty = text("type").and_then(|name| RecordType::named(&name)).unwrap_or(RecordType::Soa);
            let expect = spec.map_or(&[][..], |spec| spec.list("expect"));
            let dns = Dns {
                name: text("name").unwrap_or_else(|| ".".to_string()),
                ty,
                tcp: flag("tcp").unwrap_or(false),
                expect: strings(expect),
            };
            dns.check_words().map_err(|why| Fault::bad(why).under("name"))?;
            (Check::Dns(dns), Some(53))
        }
        "smtp" => {
            let starttls = spec.map_or(&Val::Nil, |spec| spec.get("starttls"));
            let starttls = tls_of(starttls, None, Vec::new()).map_err(|fault| fault.under("starttls"))?;
            let helo = text("helo").unwrap_or_else(|| "localhost".to_string());
            (Check::Smtp(Smtp { helo, starttls }), Some(25))
        }
        "udp" => {
            let expect = bytes("expect");
            let reply = flag("reply").unwrap_or(true);
            if !reply && expect.is_some() {
                return Err(Fault::bad("'expect' needs a reply; reply = false waits for none").under("reply"));
            }
            (Check::Udp(Udp { send: bytes("send").unwrap_or_default(), expect, reply }), None)
        }
        "exec" => {
            let argv = strings(list);
            if argv.first().is_none_or(String::is_empty) {
                return Err(Fault::bad("bad value for 'exec': a program is needed"));
            }
            (Check::Exec(Exec { argv, dynamic }), Some(0))
        }
        "agent" => (Check::Agent { send: bytes("send").unwrap_or_default() }, None),
        _ => (Check::Steps(steps(list, tls)?), None),
    })
}

fn strings(list: &[Val]) -> Vec<String> {
    let text = |val: &Val| match val {
        Val::Str(text) => Some(text.clone()),
        _ => None,
    };
    list.iter().filter_map(text).collect()
}

fn steps(list: &[Val], tls: Option<Tls>) -> Checked<Steps> {
    let mut steps = Vec::new();
    for (index, val) in list.iter().enumerate() {
        let Val::Row(row) = val else { continue };
        let wrong = || Fault::bad("a step has one of send, expect, starttls").item(index + 1);
        let starttls =
            tls_of(row.get("starttls"), None, Vec::new()).map_err(|fault| fault.item(index + 1))?;
        steps.push(match (row.bytes("send"), row.bytes("expect"), starttls) {
            (Some(bytes), None, None) => StepOf::Send(bytes),
            (None, Some(bytes), None) => StepOf::Expect(bytes),
            (None, None, Some(tls)) => StepOf::StartTls(tls),
            _ => return Err(wrong()),
        });
    }
    match steps.is_empty() {
        true => Err(Fault::bad("bad value for 'steps': there is no step").hint("use tcp = true")),
        false => Ok(Steps { steps, tls }),
    }
}

/// `true`, or a table of options.
fn tls_of(val: &Val, host: Option<&str>, alpn: Vec<Vec<u8>>) -> Checked<Option<Tls>> {
    match val {
        Val::Bool(true) => tls_options(None, host, alpn).map(Some),
        Val::Row(row) => tls_options(Some(row), host, alpn).map(Some),
        _ => Ok(None),
    }
}

fn tls_options(spec: Option<&Row>, host: Option<&str>, alpn: Vec<Vec<u8>>) -> Checked<Tls> {
    let file = |name: &str| spec.and_then(|spec| spec.str(name)).map(PathBuf::from);
    // A host may carry a port; the name of a certificate does not.
    let bare = |host: &str| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.contains(':') => {
            name.to_string()
        }
        _ => host.to_string(),
    };
    let options = TlsOptions {
        insecure: spec.and_then(|spec| spec.bool("verify")) == Some(false),
        ca: file("ca"),
        cert: file("cert"),
        key: file("key"),
        name: spec.and_then(|spec| spec.str("sni")).map(str::to_string).or_else(|| host.map(bare)),
        alpn,
    };
    Tls::new(&options).map_err(Fault::bad)
}

fn http(spec: Option<&Row>, tls: Option<Tls>) -> Checked<Http> {
    let text = |name: &str| spec.and_then(|spec| spec.str(name)).map(str::to_string);
    let headers = match spec.map(|spec| spec.get("headers")) {
        Some(Val::Map(pairs)) => pairs
            .iter()
            .filter_map(|(name, value)| match value {
                Val::Str(value) => Some((name.clone(), value.clone())),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let path = text("path").unwrap_or_else(|| "/".to_string());
    if !path.starts_with('/') && path != "*" {
        let why = format!("bad value for 'path': \"{path}\" does not begin with '/'");
        return Err(Fault::bad(why).under("path"));
    }
    let http = Http {
        method: text("method").unwrap_or_else(|| "GET".to_string()),
        path,
        host: text("host"),
        headers,
        payload: Vec::new(),
        status: status(spec).map_err(|fault| fault.under("status"))?,
        body: spec.and_then(|spec| spec.bytes("body")),
        sha256: text("sha256").map(|hex| digest(&hex)).transpose()?,
        http2: tls.is_none() && text("version").as_deref() == Some("2"),
        tls,
    };
    http.check_words().map_err(|why| Fault::bad(format!("this request cannot be sent: {why}")))?;
    Ok(http)
}

/// `200` is one, `{ 200, 399 }` from one to the other, anything else a list of codes and ranges.
fn status(spec: Option<&Row>) -> Checked<Vec<(u16, u16)>> {
    let list = spec.map_or(&[][..], |spec| spec.list("status"));
    let code = |number: i64| u16::try_from(number).unwrap_or(0);
    match list {
        [] => Ok(vec![(200, 299)]),
        [Val::Int(low), Val::Int(high)] if low < high => Ok(vec![(code(*low), code(*high))]),
        list => list
            .iter()
            .map(|val| match val {
                Val::Int(number) => Ok((code(*number), code(*number))),
                Val::Str(text) => range(text),
                _ => Err(Fault::bad("a status is a number or a range")),
            })
            .collect(),
    }
}

fn range(text: &str) -> Checked<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let code = |part: &str| part.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    match (code(low), code(high)) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err(Fault::bad(format!("bad value for 'status': \"{text}\" is not like \"200-299\""))),
    }
}

fn digest(hex: &str) -> Checked<[u8; 32]> {
    let mut out = [0; 32];
    let wrong = || {
        Fault::bad(format!("bad value for 'sha256': \"{hex}\" is not 64 hexadecimal digits")).under("sha256")
    };
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(wrong());
    }
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(out)
}

//! The world outside of this machine's IPVS: programs, URLs, names, files, mail. Every question goes through [`ask`].

use std::path::PathBuf;
use std::time::Duration;

use mlua::{Table, Value};

use super::Call;
use super::read::{set, table};
use crate::error::{Error, Kind};
use crate::plan::Mode;
use crate::probe::{self, Heard, Program, Question, RecordType, TlsOptions, Url};
use crate::script::convert::{Row, Val};
use crate::script::fault::{Checked, Fault};
use crate::script::records::lua_fault;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{EXEC, HTTP_REQUEST, MAIL, Ty};

const GROUP: &str = "world";
/// Seconds that a question may take when it does not say.
const PATIENCE: f64 = 10.0;
/// Bytes of a file.
const FILE_MOST: u64 = 64 << 20;
const OUTPUT: usize = 1 << 20;
const SENDMAIL: &str = "/usr/sbin/sendmail";
const TYPES: &[&str] = RecordType::NAMES;

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.exec",
        GROUP,
        &[Param::new(
            "command",
            &Ty::Words(&EXEC),
            "Program and arguments, no shell; options beside them in the same table.",
        )],
        Run::Native(exec),
        "Runs a program and waits for its end. A failure is data; nothing is raised. It is no change of this machine's \
         IPVS, so it is not taken back; in a plan or a dry run it is not run.",
    )
    .changes(&[])
    .returns("LvsProgramAnswer")
    .example("local r = lvs.exec { \"hostname\", timeout = 2 }; assert(r.ok, r.err)"),
    Entry::new(
        "lvs.http",
        GROUP,
        &[Param::new("request", &Ty::Table(&HTTP_REQUEST), "What to ask, of whom.")],
        Run::Asks(http),
        "Asks a server of the web, or tells it something (a webhook). A failure is data. GET and HEAD only ask, so they \
         are sent everywhere; other methods are refused while a policy loads, and in a plan or dry run not sent.",
    )
    .returns("LvsRequestAnswer")
    .example("local a = lvs.http { url = \"http://127.0.0.1:1/hook\", body = lvs.json.encode { text = \"web is degraded\" }, timeout = 0.2 }"),
    Entry::new(
        "lvs.resolve",
        GROUP,
        &[
            Param::new("name", &Ty::Str, "A host, or a service as _http._tcp.example.org."),
            Param::new("type", &Ty::Enum(TYPES), "Type of record; A when left out.").optional(),
            Param::new("timeout", &Ty::Seconds { min: 0, max: 3600, whole: false }, "5 s when left out.")
                .optional(),
        ],
        Run::Native(resolve),
        "Looks a name up: in /etc/hosts, then by the servers and the search list of /etc/resolv.conf. A name that is not \
         there is data.",
    )
    .returns("LvsNameAnswer")
    .example("for _, addr in ipairs(lvs.resolve(\"localhost\", \"A\").records) do print(addr) end"),
    Entry::new(
        "lvs.read_file",
        GROUP,
        &[Param::new("path", &Ty::Str, "From the root, or from where lvsh was called.")],
        Run::Native(read_file),
        "The bytes of a file, at most 64 MiB; nil when there is none.",
    )
    .returns("string?")
    .example("local name = lvs.read_file \"/etc/hostname\" or \"nameless\""),
    Entry::new(
        "lvs.mail",
        GROUP,
        &[Param::new("mail", &Ty::Table(&MAIL), "Whom, and what.")],
        Run::Native(mail),
        "Sends a mail by the machine's sendmail; the answer is that of the program. In a plan or a dry run nothing is \
         sent.",
    )
    .changes(&[])
    .returns("LvsProgramAnswer")
    .example("lvs.mail { to = \"ops@example.org\", subject = \"web\", text = \"a server is down\", sendmail = \"/bin/true\" }"),
];

/// The one place where the world is asked. `None` when nobody may: this is a plan, a dry run, a rehearsal.
///
/// `what` says in words what is not done then. A question that changes nothing has none, and is always asked.
fn ask(call: &Call<'_>, question: &Question, limit: f64, what: Option<String>) -> Checked<Option<Heard>> {
    let host = call.host;
    if let Some(what) = what {
        let dry = host.with(|session| {
            session.may_change()?;
            let staged = host.prompt.get() && session.mode() == Mode::Staged;
            let dry = host.outside.dry || staged || session.rehearses();
            if dry && !session.rehearses() {
                session.not_simulated.push(what);
            }
            Ok(dry)
        })?;
        if dry {
            return Ok(None);
        }
    }
    if let Some(world) = &host.outside.world {
        return (world.0)(question).map(Some).map_err(Fault::new);
    }
    let limit = Duration::from_secs_f64(limit);
    let heard = probe::ask(question, limit, &|| host.stop().is_some())
        .map_err(|error| Fault::new(Error::new(Kind::Io, "io", format!("cannot ask: {error}"))))?;
    match (heard, host.stop()) {
        (Some(heard), _) => Ok(Some(heard)),
        (None, Some(stop)) => Err(Fault::new(stop)),
        (None, None) => Ok(None),
    }
}

fn exec(call: &mut Call<'_>) -> Checked<Value> {
    let Val::List(mut words) = call.take(0) else { return Ok(Value::Nil) };
    let Some(Val::Row(row)) = words.pop() else { return Ok(Value::Nil) };
    let argv: Vec<String> = words.into_iter().filter_map(text).collect();
    if argv.first().is_none_or(String::is_empty) {
        let fault = Fault::bad("bad value for 'command': a program is needed");
        return Err(fault.hint("lvs.exec { \"/usr/bin/logger\", \"web is up\" }").arg(0));
    }
    let most = row.int("max_output").map_or(OUTPUT, |most| usize::try_from(most).unwrap_or(OUTPUT));
    let program = Program {
        argv,
        env: pairs(&row, "env"),
        cwd: row.str("cwd").map(PathBuf::from),
        stdin: row.str("stdin").unwrap_or_default().as_bytes().to_vec(),
        most,
    };
    run(call, program, row.seconds("timeout").unwrap_or(PATIENCE)).map(Value::Table)
}

/// Runs a program, or says that it was not run.
fn run(call: &Call<'_>, program: Program, limit: f64) -> Checked<Table> {
    let what = format!("exec {}", program.argv.join(" "));
    let heard = ask(call, &Question::Program(program), limit, Some(what))?;
    let out = table(call.lua)?;
    let skipped = heard.is_none();
    let Heard { err, time, ran, .. } = heard.unwrap_or_default();
    let code = if skipped { Some(0) } else { ran.code };
    let err = match (err.is_empty(), code, ran.signal) {
        (false, ..) => Some(err),
        (true, Some(0), _) => None,
        (true, Some(code), _) => Some(format!("it ended with {code}")),
        (true, None, signal) => Some(format!("it was killed by signal {}", signal.unwrap_or_default())),
    };
    set(&out, "ok", err.is_none())?;
    set(&out, "code", code)?;
    set(&out, "signal", ran.signal)?;
    set(&out, "stdout", call.lua.create_string(&ran.stdout).map_err(lua_fault)?)?;
    set(&out, "stderr", call.lua.create_string(&ran.stderr).map_err(lua_fault)?)?;
    set(&out, "cut", ran.cut.then_some(true))?;
    set(&out, "ms", time.as_secs_f64() * 1e3)?;
    set(&out, "err", err)?;
    set(&out, "skipped", skipped.then_some(true))?;
    Ok(out)
}

fn http(call: &mut Call<'_>) -> Checked<Value> {
    let row = call.row(0)?;
    let (url, what) = request(&row).map_err(|fault| fault.arg(0))?;
    let limit = row.seconds("timeout").unwrap_or(PATIENCE);
    let heard = ask(call, &Question::Url(Box::new(url)), limit, what)?;
    let skipped = heard.is_none();
    let Heard { err, time, seen, .. } = heard.unwrap_or_default();
    let good = skipped || seen.status.is_some_and(|status| (200..300).contains(&status));
    let err = match (err.is_empty(), seen.status) {
        (false, _) => Some(err),
        (true, Some(status)) if !good => Some(format!("status {status}")),
        _ => None,
    };
    let out = table(call.lua)?;
    set(&out, "ok", good && err.is_none())?;
    set(&out, "status", seen.status)?;
    let headers = table(call.lua)?;
    for (name, value) in &seen.headers {
        set(&headers, name, value.as_str())?;
    }
    set(&out, "headers", headers)?;
    set(&out, "body", call.lua.create_string(&seen.body).map_err(lua_fault)?)?;
    set(&out, "cert_days", seen.cert_days)?;
    set(&out, "ms", time.as_secs_f64() * 1e3)?;
    set(&out, "err", err)?;
    set(&out, "skipped", skipped.then_some(true))?;
    Ok(Value::Table(out))
}

/// The request, and in words what it would change, if its method is not one that only asks (RFC 9110, 9.2.1).
fn request(row: &Row) -> Checked<(Url, Option<String>)> {
    let file = |name: &str| row.str(name).map(PathBuf::from);
    let tls = TlsOptions {
        insecure: row.bool("verify") == Some(false),
        ca: file("ca"),
        cert: file("cert"),
        key: file("key"),
        name: None,
        alpn: Vec::new(),
    };
    let text = row.str("url").unwrap_or_default();
    let mut url = Url::parse(text, tls).map_err(|why| Fault::bad(why).under("url"))?;
    let body = row.str("body");
    let usual = if body.is_some() { "POST" } else { "GET" };
    url.http.method = row.str("method").unwrap_or(usual).to_string();
    url.http.payload = body.unwrap_or_default().as_bytes().to_vec();
    url.http.headers = pairs(row, "headers");
    if let Some(most) = row.int("max_body") {
        url.most = usize::try_from(most).unwrap_or(usize::MAX);
    }
    let unsendable = |why| Fault::bad(format!("this request cannot be sent: {why}"));
    url.http.check_words().map_err(unsendable)?;
    let asks = matches!(url.http.method.as_str(), "GET" | "HEAD");
    let what = (!asks).then(|| format!("http {} {text}", url.http.method));
    Ok((url, what))
}

fn resolve(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Str(name) = call.take(0) else { return Ok(Value::Nil) };
    let ty = match call.take(1) {
        Val::Word(word) => RecordType::named(word).unwrap_or(RecordType::A),
        _ => RecordType::A,
    };
    let limit = if let Val::Seconds(limit) = call.take(2) { limit } else { 5.0 };
    let question = Question::Name(probe::machine(&name, ty));
    let heard = ask(call, &question, limit, None)?.unwrap_or_default();
    let out = table(call.lua)?;
    set(&out, "ok", heard.err.is_empty())?;
    set(&out, "ms", heard.time.as_secs_f64() * 1e3)?;
    set(&out, "err", Some(heard.err).filter(|err| !err.is_empty()))?;
    let texts = heard.records.iter().map(|record| record.text.as_str());
    set(&out, "records", call.lua.create_sequence_from(texts).map_err(lua_fault)?)?;
    let mut places: Vec<_> =
        heard.records.iter().filter_map(|record| record.place.zip(record.target.as_deref())).collect();
    places.sort_by_key(|((priority, weight, _), _)| (*priority, std::cmp::Reverse(*weight)));
    let srv = table(call.lua)?;
    for ((priority, weight, port), target) in places {
        let one = table(call.lua)?;
        set(&one, "target", target)?;
        set(&one, "port", port)?;
        set(&one, "priority", priority)?;
        set(&one, "weight", weight)?;
        srv.raw_push(one).map_err(lua_fault)?;
    }
    set(&out, "srv", srv)?;
    Ok(Value::Table(out))
}

fn read_file(call: &mut Call<'_>) -> Checked<Value> {
    use std::io::Read;
    let Val::Str(path) = call.take(0) else { return Ok(Value::Nil) };
    let path = PathBuf::from(path);
    let failed = |error: &std::io::Error| Fault::new(Error::io("read", &path, error)).arg(0);
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Nil),
        Err(error) => return Err(failed(&error)),
    };
    let kind = file.metadata().map_err(|error| failed(&error))?;
    if !kind.is_file() {
        let why = format!("bad value for 'path': {} is not a file with bytes to read", path.display());
        return Err(Fault::bad(why).arg(0));
    }
    let mut bytes = Vec::new();
    file.take(FILE_MOST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > FILE_MOST {
        let why = format!("bad value for 'path': {} has more than {} MiB", path.display(), FILE_MOST >> 20);
        return Err(Fault::bad(why).arg(0));
    }
    call.lua.create_string(&bytes).map(Value::String).map_err(lua_fault)
}

fn mail(call: &mut Call<'_>) -> Checked<Value> {
    let mut row = call.row(0)?;
    let Val::List(to) = row.take("to") else { return Ok(Value::Nil) };
    let to: Vec<String> = to.into_iter().filter_map(text).collect();
    let (subject, from) = (row.str("subject").unwrap_or_default(), row.str("from"));
    // A line break would begin a header of its own.
    for (field, word) in to
        .iter()
        .map(|to| ("to", to.as_str()))
        .chain([("subject", subject), ("from", from.unwrap_or_default())])
    {
        if word.contains(char::is_control) {
            let why = format!("bad value for '{field}': it has a line break or another control character");
            return Err(Fault::bad(why).under(field).arg(0));
        }
    }
    if to.iter().all(|to| to.trim().is_empty()) {
        return Err(Fault::bad("bad value for 'to': there is no address").under("to").arg(0));
    }
    let mut letter = format!("To: {}\n", to.join(", "));
    if let Some(from) = from {
        letter.push_str(&format!("From: {from}\n"));
    }
    letter.push_str(&format!(
        "Subject: {subject}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{}\n",
        row.str("text").unwrap_or_default().trim_end()
    ));
    let argv = [row.str("sendmail").unwrap_or(SENDMAIL), "-t", "-oi"].map(str::to_string).to_vec();
    let program = Program { argv, stdin: letter.into_bytes(), most: OUTPUT, ..Program::default() };
    run(call, program, 30.0).map(Value::Table)
}

fn text(val: Val) -> Option<String> {
    match val {
        Val::Str(text) => Some(text),
        _ => None,
    }
}

fn pairs(row: &Row, name: &str) -> Vec<(String, String)> {
    let Val::Map(pairs) = row.get(name) else { return Vec::new() };
    let pair = |(name, value): &(String, Val)| match value {
        Val::Str(value) => Some((name.clone(), value.clone())),
        _ => None,
    };
    pairs.iter().filter_map(pair).collect()
}

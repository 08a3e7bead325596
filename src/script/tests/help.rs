//! Help: every name has a page, and every example of it runs.

use super::*;
use crate::model::{Connection, ConnectionState, Family, Fwmark, Port, Protocol, ServerKey, Target};
use crate::script::help::{contents, names, near, records, schemas, topic, topics};
use crate::script::schema::{CODES, meaning};
use crate::view::{Style, help_text};

/// The fixed machine of the examples: `web` by mark with two servers, one more service, marks, an address, a daemon.
const FULL: &str = r#"
web = lvs.add_service { fwmark = 3, scheduler = "sh", servers = {
  { addr = "192.168.1.107" }, { addr = "192.168.1.109", method = "tun", tunnel = { type = "gue", port = 6080 } } } }
lvs.add_service { tcp = "192.168.1.99:8080", persistent = { timeout = 600, netmask = 24 } }
lvs.add_mark { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } }
lvs.add_vip { addr = "192.168.1.99/32", dev = "eth0" }
lvs.start_sync { role = "master", dev = "eth0", id = 1 }
lvs.add_local_route { mark = 3, table = 100 }
lvs.add_tunnel { dev = "lvsh-ipip", type = "ipip" }
lvs.add_gue_port { port = 6080 }
"#;

/// What an example that adds something needs: the service alone, or nothing.
const BARE: &str = "web = lvs.add_service { fwmark = 3, scheduler = \"sh\" }";

/// Runs an example where its names exist, and nothing that it adds is there yet.
fn run(what: &str, example: &str) {
    let before = match example {
        _ if example.contains("lvs.add_service") => "",
        _ if example.contains("add_") || example.contains("start_sync") => BARE,
        _ => FULL,
    };
    let sim = if example.contains("sim") { "sim = lvs.sim { policy = \"web.lua\" }" } else { "" };
    let policy = "policy = lvs.policy { name = \"web\", vip = { addr = \"192.168.1.98\", dev = \"eth0\" }, \
                  service = { fwmark = 9, servers = { { addr = \"192.168.1.109\" } } } }";
    let mut engine = engine_for_tests();
    let mut session = busy();
    for code in [before, policy, sim, example].into_iter().filter(|code| !code.is_empty()) {
        let (back, answer) = engine.run(session, Job::Eval { code: code.to_string() });
        session = back;
        answer.unwrap_or_else(|error| panic!("{what}: {error:?}\n{code}"));
    }
}

/// A director with two entries in its connection table: a connection, and a client's template.
fn busy() -> Session {
    let entry = |protocol, port, target, state: &str| Connection {
        protocol,
        client: "192.0.2.7".parse().expect("an address"),
        client_port: Port(port),
        target,
        server: ServerKey { addr: "192.168.1.107".parse().expect("an address"), port: Port(80) },
        state: ConnectionState::new(state),
        expires: 60,
        pe: None,
    };
    let virtual_server =
        Target::Address { addr: "192.168.1.99".parse().expect("an address"), port: Port(80) };
    let mark = Target::Mark { family: Family::Ipv4, mark: Fwmark::new(3).expect("a mark") };
    let mut memory = Memory::default();
    memory.connections.push(entry(Protocol::Tcp, 40000, virtual_server, "ESTABLISHED"));
    memory.connections.push(entry(Protocol::Other(0), 0, mark, "NONE"));
    Session::new(Box::new(memory), Box::new(NoJournal), Mode::Live, Owned::default())
}

#[test]
fn every_example_runs() {
    for entry in registry() {
        run(entry.name, entry.example);
    }
    for page in topics() {
        assert!(!page.examples.is_empty(), "{} has no example", page.name);
        for example in &page.examples {
            run(&page.name, example);
        }
    }
}

#[test]
fn every_function_table_record_and_field_has_a_page_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for page in topics() {
        assert!(seen.insert(page.name.clone()), "two pages are named '{}'", page.name);
        assert!(page.doc.ends_with(['.', ')']), "{}: {}", page.name, page.doc);
        assert_eq!(topic(&page.name).map(|found| found.name).as_deref(), Some(&*page.name));
    }
    for entry in registry() {
        assert_eq!(topic(entry.name).map(|page| page.title), Some(entry.signature()));
        assert!(topic(entry.last()).is_some(), "{}", entry.last());
        for code in entry.raises {
            assert!(!meaning(code).is_empty(), "{}: nobody says what {code} is", entry.name);
        }
    }
    for schema in schemas() {
        assert!(topic(&schema.class()).is_some());
        for field in schema.fields {
            let name = format!("{}.{}", schema.title(), field.name);
            let page = topic(&name).unwrap_or_else(|| panic!("{name} has no page"));
            assert_eq!(page.doc, field.doc, "{name} is told by another page");
        }
    }
    for shape in records() {
        for field in shape.fields {
            let name = format!("{}.{}", shape.title(), field.name);
            let page = topic(&name).unwrap_or_else(|| panic!("{name} has no page"));
            assert!(
                format!("{page:?}").contains(&format!("{:?}", field.doc).trim_matches('"').to_string()),
                "{name}"
            );
        }
    }
    assert!(CODES.is_sorted());
}

#[test]
fn classes_are_named_once_and_what_is_given_exists() {
    let mut classes: Vec<String> = schemas().iter().map(|schema| schema.class()).collect();
    classes.extend(records().iter().map(|shape| shape.class()));
    classes.push("LvsCode".to_string());
    let all: std::collections::BTreeSet<&String> = classes.iter().collect();
    assert_eq!(all.len(), classes.len(), "two tables have one name: {classes:?}");
    let given = registry().iter().map(|entry| (entry.name, entry.returns));
    let fields = records().iter().flat_map(|shape| shape.fields.iter().map(|field| (field.name, field.ty)));
    for (name, ty) in given.chain(fields) {
        for word in ty.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            let plain = ["any", "boolean", "integer", "number", "string", "nil", "table"].contains(&word);
            assert!(plain || all.contains(&word.to_string()), "{name}: no such type: {word} in '{ty}'");
        }
    }
}

/// Whether a value's type is one of a union's: `"integer"`, `LvsServer[]`.
const FITS: &str = r#"
local function fits(value, union)
  local maybe = union:match "^(.*)%?$"
  if maybe then return value == nil or fits(value, maybe) end
  for ty in (union .. "|"):gmatch "([^|]*)|" do
    local of = ty:match "^(.*)%[%]$"
    if of and type(value) == "table" then
      local all = true
      for _, item in ipairs(value) do all = all and fits(item, of) end
      if all then return true end
    elseif math.type(value) == ty or type(value) == ty then return true
    elseif ty:find "^Lvs" and type(value) == "table" then return true
    elseif ty == "LvsCode" and type(value) == "string" then return true end
  end
  return false
end
"#;

#[test]
fn records_are_as_they_are_described() {
    let of = |class: &str| match class {
        "LvsService" => "lvs.services()",
        "LvsServer" => "web.servers",
        "LvsTunnel" => "{ web.servers[2].tunnel }",
        "LvsPersistence" => "{ lvs.get_service { tcp = '192.168.1.99:8080' }.persistent }",
        "LvsCounters" => "{ web.stats, web.servers[1].rates }",
        "LvsMark" => "lvs.marks()",
        "LvsVip" => "lvs.vips()",
        "LvsRule" => "lvs.rules()",
        "LvsRoute" => "lvs.routes()",
        "LvsTunnelDevice" => "lvs.tunnels()",
        "LvsGUEPort" => "lvs.gue_ports()",
        "LvsTimeouts" => "{ lvs.timeouts() }",
        "LvsSyncDaemon" => "lvs.syncs()",
        "LvsInfo" => "{ lvs.info() }",
        "LvsSysctl" => "lvs.sysctls()",
        "LvsConnections" => "{ lvs.connections() }",
        "LvsConnection" => "{ lvs.templates():list()[1], lvs.connections():list()[1] }",
        "LvsEviction" => "{ lvs.evict({ fwmark = 3 }, '192.168.1.107') }",
        "LvsProbeAnswer" => "{ lvs.probe('127.0.0.1', { http = { port = 1 }, timeout = 0.2 }) }",
        "LvsProgramAnswer" => "{ lvs.exec { 'sh', '-c', 'exit 3', max_output = 1 } }",
        "LvsRequestAnswer" => "{ lvs.http { url = 'http://127.0.0.1:1/', timeout = 0.2 } }",
        "LvsNameAnswer" => "{ lvs.resolve('127.0.0.1', 'A') }",
        // Its only source is a server of names: `lvs_resolve_asks_as_the_machine_does` has one.
        "LvsServicePlace" => "{ { target = 'a.example', port = 80, priority = 10, weight = 60 } }",
        "LvsPlan" => "{ lvs.plan(function() web:del_server '192.168.1.107' end) }",
        "LvsPlanStep" => "lvs.plan(function() web:del_server '192.168.1.107' end).steps",
        "LvsPolicy" => "{ lvs.policy { name = 'web' } }",
        "LvsPolicyStatus" => "{ lvs.policy { name = 'web' }:status() }",
        "LvsSim" => "{ lvs.sim() }",
        "LvsError" => "{ select(2, pcall(lvs.del_service, { fwmark = 4 })) }",
        other => panic!("say how a {other} is got"),
    };
    for shape in records() {
        let mut code = format!("{FITS}{FULL}local some = {} assert(#some > 0)\n", of(&shape.class()));
        for field in shape.fields {
            code += &format!(
                "for _, it in ipairs(some) do if not fits(it.{0}, '{1}') then error('{0} is no {1}: ' .. tostring(it.{0})) end end\n",
                field.name, field.ty
            );
        }
        if !["LvsPolicy", "LvsError", "LvsConnections", "LvsSim"].contains(&shape.class().as_str()) {
            let names = shape.names().map(|name| format!("{name} = true")).collect::<Vec<_>>().join(", ");
            code += &format!(
                "local told = {{ {names} }} for k in pairs(some[1]) do if not told[k] then error(k) end end\n"
            );
        }
        let (_, answer) = engine_for_tests().run(busy(), Job::Eval { code });
        answer.unwrap_or_else(|error| panic!("{}: {error}", shape.class()));
    }
}

#[test]
fn names_are_found_in_many_ways() {
    let title = |name: &str| topic(name).map(|page| page.name).unwrap_or_else(|| panic!("no page: {name}"));
    assert_eq!(title("add_service"), "lvs.add_service");
    assert_eq!(title("service.set_server"), "service:set_server");
    assert_eq!(title("lvs.log.info()"), "lvs.log.info");
    assert_eq!(title("plan"), "lvs.plan");
    assert_eq!(title("service"), "service spec");
    assert_eq!(title("LvsServer"), "server record");
    assert_eq!(title("weight"), "server.weight");
    assert_eq!(title("persistent.netmask"), "persistence.netmask");
    assert_eq!(title("service.persistent.netmask"), "persistence.netmask");
    assert_eq!(title("service.stats.in_bytes"), "counters.in_bytes");
    assert_eq!(title("server.active"), "server.active");
    assert_eq!(title("conn_reuse_mode"), "net.ipv4.vs.conn_reuse_mode");
    assert_eq!(title("arp_ignore"), "net.ipv4.conf.*.arp_ignore");
    assert_eq!(title("rr"), "rr");
    assert_eq!(title("source hashing"), "sh");
    assert_eq!(title("masq"), "nat");
    assert_eq!(title("policy.on_start"), "policy.on_start");
    assert_eq!(title("service change.scheduler"), "service.scheduler");
    assert!(topic("no_such_thing").is_none());
    assert_eq!(near("lvs.add_servce"), Some("lvs.add_service"));
    assert_eq!(near("set_wieghts"), Some("service:set_weights"));
    assert_eq!(near("service.schedular"), Some("service.scheduler"));
    assert_eq!(near("qqqqqq"), None);
    assert!(names().any(|name| name == "server.tunnel"));
}

#[test]
fn the_contents_name_every_function() {
    let page = contents();
    for entry in registry() {
        let signature = entry.signature();
        assert!(page.parts.iter().flatten().any(|row| row.head == signature), "{signature}");
    }
}

#[test]
fn sentences_of_the_contents_end_where_they_end() {
    let page = contents();
    let said = |name: &str| {
        let row = page.parts.iter().flatten().find(|row| row.head.starts_with(name));
        row.map(|row| row.text.clone()).unwrap_or_else(|| panic!("{name} is not there"))
    };
    assert!(said("lvs.templates(").starts_with("As lvs.connections"), "{}", said("lvs.templates("));
    assert!(said("lvs.resolve(").contains("/etc/resolv.conf"), "{}", said("lvs.resolve("));
}

#[test]
fn what_is_named_beside_is_named_once() {
    for name in names() {
        let page = topic(name.trim_end_matches(" spec")).unwrap_or_else(|| panic!("no page: {name}"));
        let beside: Vec<_> = page.parts.iter().flatten().filter(|row| row.label == "see also").collect();
        assert!(beside.len() <= 1, "{name}: {beside:?}");
        let mut names: Vec<&str> = beside.iter().flat_map(|row| row.text.split(", ")).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{name}: {beside:?}");
    }
}

#[test]
fn pages_fit_their_width() {
    let some = [
        "service:set_weights",
        "lvs.add_service",
        "service.scheduler",
        "server spec",
        "service record",
        "lvs.plan",
        "sh",
        "dr",
    ];
    for width in [80, 60] {
        let pages: Vec<String> = some
            .iter()
            .map(|name| help_text(&topic(name).unwrap_or_else(|| panic!("{name}")), width, Style::plain()))
            .collect();
        insta::assert_snapshot!(format!("help_at_{width}"), pages.join("\n"));
    }
    for page in topics() {
        let text = help_text(&page, 80, Style::plain());
        let long =
            text.lines().find(|line| line.chars().count() > 80 && !line.trim_start().contains(['"', '|']));
        assert_eq!(long, None, "{}", page.name);
    }
}

//! Checks through IPVS, as far as they show without a kernel: what a policy makes for them, and what users see of it.

use crate::support::Playground;

const WEB: &str = r#"return lvs.policy {
  name = "web",
  vip  = { addr = "192.168.1.99/32", dev = "eth0" },
  mark = { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } },
  service = { fwmark = 3, scheduler = "wlc", servers = {
    { addr = "192.168.1.107", method = "dr" },
    { addr = "192.168.1.109", method = "tun", tunnel = { type = "gue", port = 5555 } },
  } },
  health = { http = { port = 80 }, via = "vip" },
}
"#;

fn ways(here: &Playground) -> Vec<serde_json::Value> {
    let list = here.run(&["list", "--json"]).ok().json();
    let all = list["services"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|one| one["service"] != "fwm:3").collect()
}

/// Whether a line has these words, whatever the columns.
fn says(text: &str, words: &str) -> bool {
    text.lines().any(|line| line.split_whitespace().eq(words.split(' ')))
}

#[test]
fn a_policy_makes_them_and_nobody_is_bothered() {
    let here = Playground::new();
    here.policy("web", WEB);
    let plan = here.run(&["plan", "web"]).ok();
    assert!(says(&plan.out, "+ checks through IPVS to 2 servers"), "{}", plan.out);
    assert!(plan.out.contains("sysctl net.ipv4.conf.eth0.accept_local"), "{}", plan.out);
    assert_eq!(plan.err, "", "lint has nothing to say of them");
    here.run(&["start", "web"]).ok();
    assert_eq!(here.run(&["start", "web"]).ok().out, "web is started already; nothing to do\n");
    let made = ways(&here);
    assert_eq!(made.len(), 2, "{made:?}");
    for way in &made {
        let servers = way["servers"].as_array().expect("servers");
        assert_eq!(servers.len(), 1, "one service for each server: {way}");
    }
    let tunnelled: Vec<_> = made.iter().filter(|way| way["servers"][0]["method"] == "tun").collect();
    assert_eq!(tunnelled.len(), 1, "{made:?}");
    assert_eq!(tunnelled[0]["servers"][0]["tunnel"]["port"], 5555, "{made:?}");
    let list = here.run(&["list"]).ok().out;
    assert!(list.contains("1 service, 2 servers") && !list.contains("fwm:19"), "{list}");
    assert!(
        list.ends_with("not shown: 2 services that health checks go through (--json has them)\n"),
        "{list}"
    );
    let status = here.run(&["status", "web"]).ok().out;
    assert!(status.contains("checks go through IPVS, by 2 services of their own"), "{status}");
    assert_eq!(here.run(&["eval", "#lvs.services()"]).ok().out, "1\n");
    here.run(&["check", "web"]);
    let status = here.run(&["status", "--json", "web"]).ok().json();
    assert_eq!(status["health"].as_array().map(Vec::len), Some(2), "a row for each server: {status}");
    let imported = here.run(&["import"]).ok();
    assert!(!imported.out.contains("fwmark = 19"), "{}", imported.out);
    assert!(imported.err.contains("2 services that health checks go through"), "{}", imported.err);
    // Without them a policy gives up what it had.
    here.policy("web", &WEB.replace(", via = \"vip\"", ""));
    let applied = here.run(&["apply", "web"]).ok().out;
    assert!(says(&applied, "- checks through IPVS to 2 servers"), "{applied}");
    assert_eq!(ways(&here).len(), 0);
    here.run(&["stop", "web"]).ok();
    assert_eq!(here.run(&["eval", "lvs.sysctl 'net.ipv4.conf.eth0.accept_local'"]).ok().out, "0\n");
}

/// A server more or less leaves the ways to the others as they are.
#[test]
fn a_way_keeps_its_mark() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let before = ways(&here);
    here.policy("web", &WEB.replace("  } },", "    { addr = \"192.168.1.100\", method = \"dr\" },\n  } },"));
    let applied = here.run(&["apply", "web"]).ok().out;
    assert!(says(&applied, "+ checks through IPVS to 1 server"), "{applied}");
    let after = ways(&here);
    assert_eq!(after.len(), 3);
    assert!(before.iter().all(|way| after.iter().any(|other| other["service"] == way["service"])));
    // A check on an old table asks nobody in the place of another.
    here.policy("web", &WEB.replace("  } },", "    { addr = \"192.168.1.101\", method = \"dr\" },\n  } },"));
    let round = here.run(&["check", "-n", "web"]);
    assert!(round.err.contains("192.168.1.101 was not checked: fwm:"), "{}", round.all());
    assert!(round.err.contains("lvsh apply makes it"), "{}", round.all());
}

#[test]
fn marks_that_are_in_use_are_refused() {
    let here = Playground::new();
    let mine = WEB.replace("via = \"vip\"", "via = \"vip\", marks = { 1000, 1001 }");
    here.policy("web", &mine);
    here.run(&["eval", "lvs.add_service { fwmark = 1001, scheduler = 'rr' }"]).ok();
    let before = here.bytes();
    for verb in ["start", "apply"] {
        let refused = here.run(&[verb, "web"]);
        assert_eq!(refused.code, 1, "{}", refused.all());
        for part in ["fwm:1001, which checks go through: the mark is in use", "marks = { first, last }"] {
            assert!(refused.err.contains(part), "{}", refused.all());
        }
        assert_eq!(here.bytes(), before);
    }
    here.policy("web", &mine.replace("1000, 1001", "1002, 1002"));
    let few = here.run(&["start", "web"]);
    assert_eq!(few.code, 3);
    assert!(few.err.contains("2 servers need one each; 1002 to 1002 are too few"), "{}", few.err);
    here.policy("web", &mine.replace("1000, 1001", "2, 4"));
    here.run(&["start", "web"]).ok();
    let made: Vec<String> = ways(&here).iter().map(|way| way["service"].to_string()).collect();
    assert!(
        made.iter().all(|key| key == "\"fwm:2\"" || key == "\"fwm:4\"" || key == "\"fwm:1001\""),
        "{made:?}"
    );
}

#[test]
fn what_cannot_go_through_is_said() {
    let here = Playground::new();
    for (from, to, words) in [
        ("http = { port = 80 }", "ping = true", "'via' does not go with ping"),
        ("via = \"vip\"", "via = \"vip\", mark = 9", "'via' does not go with 'mark'"),
        ("via = \"vip\"", "via = \"lo\"", "\"lo\" is not \"vip\" or an address"),
        ("via = \"vip\"", "marks = { 1, 2 }", "'marks' are for checks with via"),
        ("via = \"vip\"", "via = \"2001:db8::1\"", "no address is known through which clients reach fwm:3"),
    ] {
        assert!(WEB.contains(from));
        here.policy("web", &WEB.replace(from, to));
        let refused = here.run(&["plan", "web"]);
        assert_eq!(refused.code, 3, "{to}: {}", refused.all());
        assert!(refused.err.contains(words), "{to}: {}", refused.err);
    }
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let asked = here.run(&["eval", "lvs.probe('192.168.1.107', { tcp = { port = 80 }, via = 'vip' })"]);
    assert!(asked.err.contains("is no server of a service"), "{}", asked.all());
    // A dry run makes nothing, and says that it does not know.
    let code = "lvs.probe_all(lvs.get_service { fwmark = 3 }.servers, { tcp = { port = 80 }, via = 'vip' })['192.168.1.107'].err";
    let asked = here.run(&["eval", "-n", code]).ok();
    assert!(asked.out.contains("a plan does not make"), "{}", asked.all());
}

const SCRIPTED: &str = r#"local sim = lvs.sim { policy = "web.lua" }

lvs.test("a check through IPVS is answered as every other", function()
  sim:probe("*", true)
  sim:start()
  lvs.expect(sim:check().changed, false)
  sim:probe("192.168.1.109", { status = 503 })
  for _ = 1, 3 do sim:check() end
  lvs.expect(sim:weights(), { ["192.168.1.107"] = 1, ["192.168.1.109"] = 0 })
  assert(sim:status().text:find "through IPVS, by 2 services", sim:status().text)
  sim:stop()
end)

lvs.test("a script asks through IPVS", function()
  sim:probe("*", true)
  sim:probe("192.168.1.109", "no answer for the virtual address")
  sim:start()
  sim:run "ask.lua"
  lvs.expect(sim:weights(), { ["192.168.1.107"] = 1, ["192.168.1.109"] = 0 })
end)
"#;

const ASK: &str = r#"local web = lvs.get_service { fwmark = 3 }
local heard = lvs.probe_all(web.servers, { http = { port = 80 }, via = "vip" })
web:set_weights { ["192.168.1.109"] = heard["192.168.1.109"].ok and 1 or 0 }
"#;

#[test]
fn tests_of_policies_answer_them_without_a_kernel() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.policy("ask", ASK);
    let file = here.policy("web_test", SCRIPTED).to_string_lossy().into_owned();
    let ended = here.run(&["test", &file]).ok();
    assert_eq!(ended.out.lines().filter(|line| line.starts_with("ok ")).count(), 2, "{}", ended.all());
}

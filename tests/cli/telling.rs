//! Telling others: hooks, mail, metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::service::{down, policy, site, up};
use crate::support::{Playground, chmod};
use crate::tooling::{output, program};

#[test]
fn what_a_hook_does_wrong_undoes_nothing_and_silences_nobody() {
    let here = site(
        "on_change = function(e)
           if e.server == '127.0.0.2' then error 'this one is wrong' end
           lvs.log.warn('%s %s %d>%d %s (%s)', e.service, e.server, e.from, e.to, e.reason, e.detail)
         end,
         sorry = { addr = '127.0.0.9', method = 'nat' },
         on_quorum = function(e) lvs.log.warn('%s is %s, sorry: %s', e.service, e.kind, e.sorry) end,
         on_degraded = function(e) lvs.log.warn('%s: %s', e.kind, e.detail) end,",
    );
    assert_eq!(here.run(&["check", "web"]).ok().err, "");
    down(&here, "127.0.0.2");
    down(&here, "127.0.0.3");
    let round = here.run(&["check", "web"]).ok();
    let trouble = "on_change failed: ROOT/etc/web.lua:13: this one is wrong; the changes stand";
    assert!(round.err.contains(trouble), "{}", round.err);
    assert!(
        round.err.contains("fwm:3 127.0.0.3 8>0 health (1 of 1 probes failed: sh ended with 1)"),
        "{}",
        round.err
    );
    assert!(round.err.contains("fwm:3 is quorum lost, sorry: true"), "{}", round.err);
    assert!(round.err.contains("degraded: fwm:3 is down: too little weight is up"), "{}", round.err);
    let list = here.run(&["list"]).ok().out;
    assert!(list.contains("127.0.0.9"), "the changes stand: {list}");
    // As long as it is so, it is no news.
    assert_eq!(here.run(&["check", "web"]).ok().err, "");
    up(&here, "127.0.0.3");
    let round = here.run(&["check", "web"]).ok();
    assert!(round.err.contains("fwm:3 is quorum gained, sorry: false"), "{}", round.err);
    assert!(round.err.contains("recovered: "), "{}", round.err);
}

#[test]
fn one_mail_for_each_round_that_changed_something() {
    let here = Playground::new();
    let (sendmail, folder) = (here.root().join("sendmail"), here.root().display());
    let text = format!("#!/bin/sh\nn=$(ls {folder}/mail.* 2>/dev/null | wc -l)\ncat > {folder}/mail.$n\n");
    std::fs::write(&sendmail, text).expect("a program");
    chmod(&sendmail, 0o755);
    let notify = format!("notify = {{ mail = \"ops@example.org\", sendmail = \"{}\" }},", sendmail.display());
    here.policy("web", &policy(&here, &notify));
    here.run(&["start", "web"]).ok();
    let mails = || {
        let read = |n: usize| std::fs::read_to_string(here.root().join(format!("mail.{n}")));
        (0..).map_while(|n| read(n).ok()).collect::<Vec<_>>()
    };
    here.run(&["check", "web"]).ok();
    assert_eq!(mails().len(), 0, "nothing changed");
    down(&here, "127.0.0.3");
    // A dry run tells nobody.
    here.run(&["check", "-n", "web"]).ok();
    assert_eq!(mails().len(), 0);
    here.run(&["check", "web"]).ok();
    here.run(&["check", "web"]).ok();
    assert_eq!(mails().len(), 1);
    let mail = &mails()[0];
    assert!(mail.starts_with("To: ops@example.org\nSubject: web on "), "{mail}");
    assert!(mail.contains(": 1 change\n"), "{mail}");
    assert!(
        mail.contains("fwm:3 127.0.0.3  weight 8 -> 0   health: 1 of 1 probes failed: sh ended with 1\n"),
        "{mail}"
    );
    assert!(mail.contains("fwm:3 127.0.0.2  weight 8  ready  up\n"), "{mail}");
    down(&here, "127.0.0.2");
    here.run(&["check", "web"]).ok();
    here.run(&["check", "web"]).ok();
    assert_eq!(mails().len(), 2, "degraded is news once");
    assert!(mails()[1].contains(": degraded\n"), "{}", mails()[1]);
    // Two changes are one mail.
    here.run(&["drain", "web", "127.0.0.2"]).ok();
    assert_eq!(mails().len(), 3);
    // A mail that cannot be sent is a warning, and the round stands.
    std::fs::write(&sendmail, "#!/bin/sh\necho 'no route to the post office' >&2\nexit 75\n")
        .expect("a program");
    up(&here, "127.0.0.3");
    let round = here.run(&["check", "web"]).ok();
    let trouble = "no mail was sent: it ended with 75 no route to the post office; the changes stand";
    assert!(round.err.contains(trouble), "{}", round.err);
    assert!(round.out.contains("127.0.0.3  weight 0 -> 8"), "{}", round.out);
    let wrong = here.policy("wrong", "return lvs.policy { notify = { mial = 'x' } }");
    let wrong = here.run(&["plan", &wrong.to_string_lossy()]);
    assert!(wrong.err.contains("unknown field 'mial' in a notification"), "{}", wrong.err);
}

/// Reads Prometheus's text format as strictly as its own parser: sample -> value.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    let name = |text: &str| {
        text.starts_with("lvsh_")
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let (mut done, mut now) = (BTreeSet::new(), (String::new(), String::new()));
    let mut samples = BTreeMap::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (metric, words) = help.split_once(' ').expect("a text");
            assert!(name(metric) && words.ends_with('.'), "{line}");
            assert!(done.insert(metric.to_string()), "{metric} is in two parts");
            now = (metric.to_string(), String::new());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (metric, kind) = kind.split_once(' ').expect("a kind");
            assert_eq!(metric, now.0);
            assert_eq!(kind == "counter", metric.ends_with("_total"), "{line}");
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            now.1 = kind.to_string();
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            let metric = sample.split('{').next().expect("a name");
            assert_eq!(metric, now.0, "{line}");
            assert!(!now.1.is_empty(), "no type before {line}");
            if let Some(labels) = sample.strip_prefix(metric).filter(|labels| !labels.is_empty()) {
                let inner = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).expect(line);
                let shape = regex_lite::Regex::new(
                    r#"^([a-z_]+="([^"\\]|\\["\\n])*")(,[a-z_]+="([^"\\]|\\["\\n])*")*$"#,
                );
                assert!(shape.expect("a pattern").is_match(inner), "{line}");
            }
            let value: f64 = value.parse().expect(line);
            assert!(samples.insert(sample.to_string(), value).is_none(), "twice: {line}");
        }
    }
    samples
}

#[test]
fn metrics_say_what_status_says() {
    let here = site("");
    down(&here, "127.0.0.3");
    here.run(&["check", "web"]).ok();
    here.run(&["drain", "web", "127.0.0.2", "--reason", "x"]).ok();
    let eval = "lvs.add_service { tcp = '192.168.1.98:80', scheduler = 'rr' }";
    here.run(&["eval", eval]).ok();
    let text = here.run(&["metrics"]).ok().out;
    let all = parsed(&text);
    let of = |name: &str| *all.get(name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    let server = |name: &str, addr: &str| {
        of(&format!("lvsh_server_{name}{{policy=\"web\",service=\"fwm:3\",server=\"{addr}\"}}"))
    };
    assert_eq!(of("lvsh_policy_started{policy=\"web\"}"), 1.0);
    assert_eq!(of("lvsh_service_servers{policy=\"web\",service=\"fwm:3\"}"), 2.0);
    assert_eq!(of("lvsh_service_info{policy=\"\",service=\"tcp:192.168.1.98:80\",scheduler=\"rr\"}"), 1.0);
    assert_eq!((server("weight", "127.0.0.3"), server("base_weight", "127.0.0.3")), (0.0, 8.0));
    assert_eq!((server("up", "127.0.0.2"), server("up", "127.0.0.3")), (1.0, 0.0));
    assert_eq!(server("failed_probes", "127.0.0.3"), 1.0);
    assert!(server("probe_duration_seconds", "127.0.0.2") > 0.0);
    assert_eq!(server("incoming_bytes_total", "127.0.0.2"), 0.0);
    let info = "{policy=\"web\",service=\"fwm:3\",server=\"127.0.0.2\",method=\"nat\",admin=\"drain\",health=\"up\",reason=\"drain\"}";
    assert_eq!(of(&format!("lvsh_server_info{info}")), 1.0);
    let at = of("lvsh_policy_last_round_timestamp_seconds{policy=\"web\"}");
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs_f64();
    assert!(at <= now && at > now - 600.0, "{at} {now}");
    let took = of("lvsh_policy_round_duration_seconds{policy=\"web\"}");
    assert!(took > 0.0 && took < 60.0, "{took}");
    // Of one policy alone, and of one that is not started.
    let one = here.run(&["metrics", "web"]).ok().out;
    assert!(!one.contains("192.168.1.98"), "{one}");
    here.run(&["stop", "web"]).ok();
    let stopped = parsed(&here.run(&["metrics", "web"]).ok().out);
    assert_eq!(stopped["lvsh_policy_started{policy=\"web\"}"], 0.0);
    assert_eq!(here.run(&["metrics", "wbe"]).code, 2);
}

#[test]
fn metrics_are_written_whole_after_each_round() {
    let here = site("");
    let file = here.root().join("lvsh.prom");
    let path = file.display().to_string();
    let check = ["check", "-q", "--metrics", path.as_str(), "web"];
    here.run(&["check", "-n", "--metrics", &path, "web"]).ok();
    assert!(!file.exists(), "a dry run writes nothing");
    here.run(&check).ok();
    let weight = |addr: &str| {
        let text = std::fs::read_to_string(&file).expect("metrics");
        parsed(&text)[&format!("lvsh_server_weight{{policy=\"web\",service=\"fwm:3\",server=\"{addr}\"}}")]
    };
    assert_eq!(weight("127.0.0.3"), 8.0);
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o644);
    down(&here, "127.0.0.3");
    here.run(&check).ok();
    assert_eq!(weight("127.0.0.3"), 0.0);
    let left: Vec<_> = std::fs::read_dir(here.root()).expect("a folder").flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")));
    let nowhere = here.run(&["check", "--metrics", "/no/such/folder/x.prom", "web"]).ok();
    assert!(
        nowhere.err.contains("/no/such/folder/x.prom") && nowhere.err.contains("the round stands"),
        "{}",
        nowhere.err
    );
}

#[test]
fn promtool_finds_nothing_wrong() {
    let here = site("");
    here.run(&["check", "web"]).ok();
    let text = here.run(&["metrics"]).ok().out;
    let Some(promtool) = program("promtool") else { return };
    let (good, said) = output(Command::new(promtool).args(["check", "metrics"]), &text);
    assert!(good && said.is_empty(), "{said}\n{text}");
}

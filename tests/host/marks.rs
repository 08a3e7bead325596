//! Marks over netlink, held against what the nft program sees.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use lvsh::backend::Outcome;
use lvsh::kernel::nft::Nft;
use lvsh::model::{MarkEntry, MarkSelector};
use lvsh::plan::Step;
use lvsh::view::nft::{nft_command, nft_document, nft_script};
use serde_json::Value;

use crate::support::{entry, has_nft, in_netns, run, run_words, selector};

/// One of every kind, both families, both hooks.
const EVERY: &[&str] = &[
    "prerouting 192.168.1.99/32 tcp 80",
    "prerouting 192.168.1.99/32 udp 53",
    "prerouting 192.168.1.99/32 sctp 9",
    "prerouting 192.168.1.99/32 tcp",
    "prerouting 192.168.1.99/32 tcp 8000-8100",
    "prerouting 10.20.0.0/16 tcp 443",
    "prerouting 10.30.0.0/15 udp 1-1023",
    "prerouting 0.0.0.0/0 sctp 7",
    "prerouting 2001:db8::99/128 tcp 80",
    "prerouting 2001:db8:1::/48 tcp 443",
    "prerouting 2001:db8::99/128 udp 5000-6000",
    "prerouting ::/0 sctp",
    "prerouting 192.168.1.99/32",
    "prerouting tcp 25",
    "prerouting ipv6 udp",
    "prerouting 192.168.1.99/32 tcp 80 from 10.0.0.0/8",
    "prerouting from 10.1.128.0/17",
    "prerouting 192.168.0.0/16 udp 100-200 from 10.9.8.7/32",
    "prerouting 2001:db8::99/128 tcp 80 from 2001:db8:f000::/36",
    "prerouting 192.168.1.99/32 tcp 80 on eth0",
    "prerouting tcp 80 on eth0",
    "prerouting ipv6 on eth0",
    "prerouting 192.168.1.99/32 tcp 80 from 10.2.0.0/16 on veth-longer.1",
    "output 192.168.1.99/32 tcp 80",
    "output 10.40.0.0/16 tcp 1-65535",
    "output 2001:db8::99/128 tcp 80",
    "output 2001:db8:2::/64 udp",
    "output tcp 25 from 192.0.2.1/32",
];

fn every() -> BTreeMap<MarkSelector, MarkEntry> {
    let owners = ["web", "mail-2", "a policy with spaces", ""];
    let each = EVERY.iter().enumerate();
    each.map(|(n, text)| (selector(text), entry(0x0102_0300 + n as u32, owners[n % 4]))).collect()
}

pub fn adds(marks: &BTreeMap<MarkSelector, MarkEntry>) -> Vec<Step> {
    let add = |(selector, entry): (&MarkSelector, &MarkEntry)| Step::AddMark {
        selector: selector.clone(),
        entry: entry.clone(),
    };
    marks.iter().map(add).collect()
}

fn apply(nft: &mut Nft, steps: &[Step]) -> Vec<String> {
    let steps: Vec<&Step> = steps.iter().collect();
    let say = |outcome: Outcome| match outcome {
        Outcome::Done => "done".to_string(),
        Outcome::Failed(error) => error.code,
        Outcome::NotSent => "not sent".to_string(),
    };
    nft.apply(&steps).into_iter().map(say).collect()
}

pub fn apply_all(nft: &mut Nft, steps: &[Step]) {
    let outcomes = apply(nft, steps);
    assert!(outcomes.iter().all(|outcome| outcome == "done"), "{outcomes:?}");
}

/// The listing, without what differs between equal tables: numbers of objects, the order of elements.
fn listing() -> Value {
    let text = run("nft -j list table inet lvsh");
    normal(serde_json::from_str(&text).unwrap())
}

fn normal(mut listing: Value) -> Value {
    let objects = listing["nftables"].as_array_mut().unwrap();
    objects.retain(|object| object.get("metainfo").is_none());
    for object in objects.iter_mut() {
        for inner in object.as_object_mut().unwrap().values_mut() {
            inner.as_object_mut().unwrap().remove("handle");
            if let Some(elements) = inner.get_mut("elem").and_then(Value::as_array_mut) {
                elements.sort_by_key(Value::to_string);
            }
        }
    }
    // Rules keep their order, as it decides; other objects have none.
    let (rules, mut rest): (Vec<Value>, Vec<Value>) =
        objects.drain(..).partition(|object| object.get("rule").is_some());
    rest.sort_by_key(Value::to_string);
    rest.extend(rules);
    Value::Array(rest)
}

fn document(marks: &BTreeMap<MarkSelector, MarkEntry>) -> Value {
    let text = serde_json::to_string(&nft_document(marks)).unwrap();
    normal(without_nulls(serde_json::from_str(&text).unwrap()))
}

/// The typed document writes absent parts of an element as null.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

fn assert_same(found: &Value, wanted: &Value, what: &str) {
    let empty = Vec::new();
    let (found_list, wanted_list) = (found.as_array().unwrap_or(&empty), wanted.as_array().unwrap_or(&empty));
    for (n, wanted) in wanted_list.iter().enumerate() {
        let found = found_list.get(n).unwrap_or(&Value::Null);
        assert_eq!(found, wanted, "{what}, object {n}");
    }
    assert_eq!(found_list.len(), wanted_list.len(), "{what}");
}

fn load(script: &str) {
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{script}");
}

/// The kernel, the reading of it, the typed document and the script say the same.
fn check(nft: &mut Nft, marks: &BTreeMap<MarkSelector, MarkEntry>, what: &str) {
    assert_eq!(&nft.marks().unwrap(), marks, "{what}: marks read back");
    assert!(nft.notes().is_empty(), "{what}: {:?}", nft.notes());
    let over_netlink = listing();
    assert_same(&over_netlink, &document(marks), &format!("{what}: document"));
    let text = run("nft list table inet lvsh");
    load(&nft_script(marks));
    assert_same(&listing(), &over_netlink, &format!("{what}: script"));
    // What nft wrote is read as well as what we wrote.
    assert_eq!(&nft.marks().unwrap(), marks, "{what}: script read back");
    assert!(nft.notes().is_empty(), "{what}: {:?}", nft.notes());
    // nft understands its own print of our table.
    load(&format!("delete table inet lvsh\n{text}"));
    assert_eq!(&nft.marks().unwrap(), marks, "{what}: print read back");
}

#[test]
fn what_is_written_over_netlink_is_what_nft_reads_and_writes() {
    in_netns(|| {
        if !has_nft() {
            return;
        }
        let mut nft = Nft::new();
        assert_eq!(nft.marks().unwrap(), BTreeMap::new());
        let before = run("nft list ruleset");
        let mut marks = every();
        apply_all(&mut nft, &adds(&marks));
        check(&mut nft, &marks, "all added");

        // Every second one is changed, of the rest every second one removed.
        let mut steps = Vec::new();
        for (n, (selector, from)) in marks.clone().into_iter().enumerate() {
            if n % 2 == 0 {
                let to = entry(77 + n as u32, "other");
                marks.insert(selector.clone(), to.clone());
                steps.push(Step::SetMark { selector, from, to });
            } else if n % 4 == 1 {
                marks.remove(&selector);
                steps.push(Step::DelMark { selector, entry: from });
            }
        }
        apply_all(&mut nft, &steps);
        check(&mut nft, &marks, "some changed, some removed");

        // Back again, one by one, in reverse.
        for step in steps.iter().rev() {
            for undo in step.inverse() {
                apply_all(&mut nft, &[undo]);
            }
        }
        check(&mut nft, &every(), "undone");

        // A hook's part goes with its last mark, the table with the very last.
        let output: Vec<Step> = dels(&every(), |selector| selector.hook == lvsh::model::Hook::Output);
        apply_all(&mut nft, &output);
        assert!(!run("nft list table inet lvsh").contains("output"));
        let rest = nft.marks().unwrap();
        apply_all(&mut nft, &dels(&rest, |_| true));
        assert_eq!(run("nft list ruleset"), before);
    });
}

pub fn dels(marks: &BTreeMap<MarkSelector, MarkEntry>, which: impl Fn(&MarkSelector) -> bool) -> Vec<Step> {
    let chosen = marks.iter().filter(|(selector, _)| which(selector));
    chosen
        .map(|(selector, entry)| Step::DelMark { selector: selector.clone(), entry: entry.clone() })
        .collect()
}

#[test]
fn what_nft_prints_of_us_is_what_people_expect() {
    in_netns(|| {
        if !has_nft() {
            return;
        }
        let mut nft = Nft::new();
        let marks = BTreeMap::from([
            (selector("prerouting 192.168.1.99/32 tcp 80"), entry(3, "web")),
            (selector("prerouting 10.0.0.0/8 tcp 80-90"), entry(4, "web")),
            (selector("prerouting 192.168.1.99/32 tcp 80 from 10.0.0.0/8 on eth0"), entry(5, "web")),
        ]);
        apply_all(&mut nft, &adds(&marks));
        let text = run("nft list table inet lvsh");
        for line in [
            "type ipv4_addr . inet_proto . inet_service : mark",
            "flags interval",
            "elements = { 192.168.1.99 . tcp . 80 comment \"web\" : 0x00000003 }",
            "elements = { 10.0.0.0/8 . tcp . 80-90 comment \"web\" : 0x00000004 }",
            "type filter hook prerouting priority mangle; policy accept;",
            "meta mark set ip daddr . meta l4proto . th dport map @prerouting_exact4",
            "iifname \"eth0\" ip saddr 10.0.0.0/8 ip daddr 192.168.1.99 tcp dport 80 meta mark set 0x00000005 comment \"web\"",
        ] {
            assert!(text.contains(line), "{line}\nin\n{text}");
        }
    });
}

#[test]
fn the_command_of_a_step_does_the_step() {
    in_netns(|| {
        if !has_nft() {
            return;
        }
        let mut nft = Nft::new();
        let all = every();
        // The table must stand, with both hooks: so two marks are there from the start and stay.
        let kept = ["prerouting 203.0.113.1/32 tcp 1", "output 203.0.113.1/32 tcp 1"];
        let kept: BTreeMap<_, _> = kept.iter().map(|text| (selector(text), entry(1, "kept"))).collect();
        apply_all(&mut nft, &adds(&kept));
        for (selector, from) in &all {
            let to = entry(99, "other");
            let (selector, from) = (selector.clone(), from.clone());
            let add = Step::AddMark { selector: selector.clone(), entry: from.clone() };
            let set = Step::SetMark { selector: selector.clone(), from: from.clone(), to: to.clone() };
            let del = Step::DelMark { selector: selector.clone(), entry: to.clone() };
            run_words(&["bash", "-ec", &nft_command(&add).unwrap()]);
            assert_eq!(nft.marks().unwrap().get(&selector), Some(&from), "{selector}");
            run_words(&["bash", "-ec", &nft_command(&set).unwrap()]);
            assert_eq!(nft.marks().unwrap().get(&selector), Some(&to), "{selector}");
            run_words(&["bash", "-ec", &nft_command(&del).unwrap()]);
            assert_eq!(nft.marks().unwrap().get(&selector), None, "{selector}");
        }
        assert_eq!(nft.marks().unwrap(), kept);
    });
}

#[test]
fn a_refused_batch_changes_nothing_and_names_the_step() {
    in_netns(|| {
        let mut nft = Nft::new();
        let one = selector("prerouting 192.168.1.99/32 tcp 80");
        let two = selector("prerouting 192.168.1.99/32 tcp 81");
        let add =
            |selector: &MarkSelector| Step::AddMark { selector: selector.clone(), entry: entry(3, "web") };
        let del =
            |selector: &MarkSelector| Step::DelMark { selector: selector.clone(), entry: entry(3, "web") };
        apply_all(&mut nft, &[add(&one)]);
        assert_eq!(apply(&mut nft, &[add(&two), add(&one)]), ["not sent", "EEXIST"]);
        assert_eq!(apply(&mut nft, &[add(&two), del(&one), del(&one)]), ["not sent", "not sent", "ENOENT"]);
        assert_eq!(nft.marks().unwrap().len(), 1);

        // Ranges that cut into each other are refused by the kernel itself.
        let a = selector("prerouting 10.0.0.0/24 tcp 100-200");
        let b = selector("prerouting 10.0.0.0/24 tcp 150-250");
        let c = selector("prerouting 10.0.1.0/24 tcp 150-250");
        let outcome = apply(&mut nft, &[add(&c), add(&a), add(&two), add(&b)]);
        assert_eq!(outcome, ["not sent", "not sent", "not sent", "EEXIST"]);
        assert_eq!(nft.marks().unwrap().len(), 1);

        // What cannot be meant.
        let mut no_protocol = selector("prerouting 192.168.1.99/32 tcp 80");
        no_protocol.protocol = None;
        assert_eq!(apply(&mut nft, &[add(&no_protocol)]), ["EINVAL"]);
        assert_eq!(apply(&mut nft, &[add(&selector("output tcp on eth0"))]), ["EINVAL"]);
        let long = Step::AddMark { selector: two, entry: entry(3, &"x".repeat(128)) };
        assert_eq!(apply(&mut nft, &[long]), ["EINVAL"]);
        assert_eq!(nft.marks().unwrap().len(), 1);
    });
}

#[test]
fn a_mark_that_comes_and_goes_in_one_batch_is_its_net_effect() {
    in_netns(|| {
        let mut nft = Nft::new();
        let one = selector("prerouting 192.168.1.99/32 tcp 80");
        let add = |mark| Step::AddMark { selector: one.clone(), entry: entry(mark, "web") };
        let del = || Step::DelMark { selector: one.clone(), entry: entry(3, "web") };
        apply_all(&mut nft, &[add(3), del()]);
        assert_eq!(nft.marks().unwrap(), BTreeMap::new());
        apply_all(&mut nft, &[add(3), del(), add(4)]);
        assert_eq!(nft.marks().unwrap(), BTreeMap::from([(one.clone(), entry(4, "web"))]));
        apply_all(&mut nft, &[del(), add(5)]);
        assert_eq!(nft.marks().unwrap(), BTreeMap::from([(one.clone(), entry(5, "web"))]));
    });
}

#[test]
fn what_others_put_into_the_table_is_noted_and_what_they_took_is_repaired() {
    in_netns(|| {
        if !has_nft() {
            return;
        }
        let mut nft = Nft::new();
        let marks = every();
        apply_all(&mut nft, &adds(&marks));
        run("nft add chain inet lvsh mine");
        run("nft add rule inet lvsh mine counter");
        run("nft add rule inet lvsh prerouting tcp dport 99 counter meta mark set 9");
        run("nft add set inet lvsh mine { type ipv4_addr; }");
        assert_eq!(nft.marks().unwrap(), marks);
        assert_eq!(nft.notes().len(), 3, "{:?}", nft.notes());

        // A rule that was edited is seen as what it does now.
        let edited = selector("prerouting tcp 25");
        let step =
            Step::SetMark { selector: edited.clone(), from: marks[&edited].clone(), to: entry(8, "me") };
        run_words(&["bash", "-ec", &nft_command(&step).unwrap()]);
        assert_eq!(nft.marks().unwrap()[&edited], entry(8, "me"));

        // A look-up that is gone is told, and the next change brings it back.
        run("nft flush chain inet lvsh output");
        nft.marks().unwrap();
        assert!(nft.notes().iter().any(|note| note.contains("output is not whole")), "{:?}", nft.notes());
        assert!(nft.apply(&[]).is_empty());
        nft.marks().unwrap();
        assert_eq!(nft.notes().len(), 3, "{:?}", nft.notes());
        assert!(run("nft list chain inet lvsh output").contains("@output_exact4"));
    });
}

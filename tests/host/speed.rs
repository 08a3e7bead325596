//! Many marks and many addresses: that they work, and how long they take (`--no-capture` shows it).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lvsh::kernel::nft::Nft;
use lvsh::kernel::route::Route;
use lvsh::model::{MarkEntry, MarkSelector};
use lvsh::plan::Step;

use crate::addresses::{add, apply};
use crate::marks::{adds, apply_all, dels};
use crate::support::{entry, in_netns, selector};

#[test]
fn ten_thousand_marks_in_one_transaction() {
    in_netns(|| {
        let mut nft = Nft::new();
        let many = |count: u32| -> BTreeMap<MarkSelector, MarkEntry> {
            let one = |n: u32| {
                let net = format!("10.{}.{}.{}/32", n >> 16, n >> 8 & 255, n & 255);
                (selector(&format!("prerouting {net} tcp 80")), entry(n + 1, "a name of some length"))
            };
            (0..count).map(one).collect()
        };
        for count in [1, 1000, 10_000] {
            let marks = many(count);
            let (steps, undo) = (adds(&marks), dels(&marks, |_| true));
            let added = timed(|| apply_all(&mut nft, &steps));
            let (mut read, mut found) = (Default::default(), BTreeMap::new());
            for _ in 0..3 {
                read = timed(|| found = nft.marks().unwrap());
            }
            assert_eq!(found, marks);
            let sets: Vec<Step> = marks
                .iter()
                .map(|(selector, from)| Step::SetMark {
                    selector: selector.clone(),
                    from: from.clone(),
                    to: entry(7, "web"),
                })
                .collect();
            let set = timed(|| apply_all(&mut nft, &sets));
            let one =
                [Step::AddMark { selector: selector("output 192.0.2.1/32 tcp 1"), entry: entry(1, "") }];
            let single = timed(|| apply_all(&mut nft, &one));
            let undo_one = one[0].inverse();
            apply_all(&mut nft, &undo_one);
            let removed = timed(|| apply_all(&mut nft, &undo));
            println!(
                "{count}: add {added:?}, list {read:?}, set {set:?}, one more {single:?}, remove {removed:?}"
            );
        }
        let wide: BTreeMap<_, _> = (0..1000)
            .map(|n| {
                (
                    selector(&format!("prerouting 10.{}.{}.0/24 tcp 80-90", n / 256, n % 256)),
                    entry(n + 1, "web"),
                )
            })
            .collect();
        println!("1000 ranges: add {:?}", timed(|| apply_all(&mut nft, &adds(&wide))));
        println!("1000 ranges: remove {:?}", timed(|| apply_all(&mut nft, &dels(&wide, |_| true))));
        let rules: BTreeMap<_, _> = (0..1000)
            .map(|n| {
                (selector(&format!("prerouting from 10.{}.{}.0/24", n / 256, n % 256)), entry(n + 1, "web"))
            })
            .collect();
        println!("1000 rules: add {:?}", timed(|| apply_all(&mut nft, &adds(&rules))));
        assert_eq!(nft.marks().unwrap(), rules);
        println!("1000 rules: list {:?}", timed(|| assert_eq!(nft.marks().unwrap().len(), 1000)));
        println!("1000 rules: remove {:?}", timed(|| apply_all(&mut nft, &dels(&rules, |_| true))));
    });
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

#[test]
fn a_thousand_addresses() {
    in_netns(|| {
        let start = Instant::now();
        let mut route = Route::new();
        route.vips().unwrap();
        println!("first reading {:?}", start.elapsed());
        let start = Instant::now();
        route.vips().unwrap();
        println!("second reading {:?}", start.elapsed());
        let steps: Vec<Step> =
            (0..1000).map(|n| add(&format!("10.0.{}.{}/32 dev lo", n / 250, n % 250 + 1))).collect();
        let start = Instant::now();
        assert!(apply(&mut route, &steps).iter().all(|outcome| outcome == "done"));
        println!("1000 addresses: add {:?}", start.elapsed());
        let start = Instant::now();
        assert_eq!(route.vips().unwrap().values().filter(|vip| vip.is_ours()).count() % 1000, 0);
        println!("1000 addresses: list {:?}", start.elapsed());
    });
}

use super::*;

const SEED: &str = include_str!("../../../examples/web.lua");
const IMPERATIVE: &str = include_str!("../../../examples/web-imperative.lua");
const PERSISTENCE: &str = include_str!("../../../examples/persistence.lua");

#[test]
fn declared_and_imperative_seed_give_the_same_plan() {
    let (one, _) = staged(SEED, &["start"]).expect("the declared seed");
    let (two, _) = staged(IMPERATIVE, &["start"]).expect("the imperative seed");
    let plan = steps(&one);
    assert_eq!(
        plan,
        [
            "add service fwm:3",
            "add server fwm:3 192.168.1.107",
            "add server fwm:3 192.168.1.109",
            "add mark 3 for ip daddr 192.168.1.99 tcp dport 80",
            "add mark 3 for ip daddr 192.168.1.99 tcp dport 443",
            "add vip 192.168.1.99/32 dev eth0",
        ]
    );
    assert_eq!(plan, steps(&two));
    assert!(one.plan().actions.iter().all(|action| action.origin.is_some()), "{:?}", one.plan());
}

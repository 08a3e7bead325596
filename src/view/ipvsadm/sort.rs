//! ipvsadm's order, which is not one: it subtracts unsigned numbers into a signed result, so that what is more than half
//! of all numbers away compares the wrong way round (192.168.0.0 is before 10.0.0.0), and of three that lie all around
//! each is before the next. What comes out then depends on the order before and on how the C library sorts; both are
//! reproduced here. A sort of the standard library may panic on such a comparison.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::model::{Family, Listed, ServerKey, ServiceKey};

/// `ipvs_sort_services`
pub fn sort_services(services: &mut Vec<Listed>) {
    merge_sort(services, &|a, b| compare_services(&a.key, &b.key));
}

/// `ipvs_sort_dests`
pub fn sort_servers<T>(servers: &mut Vec<(ServerKey, T, crate::model::ServerLive)>) {
    merge_sort(servers, &|a, b| compare_servers(&a.0, &b.0));
}

/// A 32-bit difference as ipvsadm takes it.
fn wrapping(a: u32, b: u32) -> Ordering {
    (a.wrapping_sub(b) as i32).cmp(&0)
}

/// What is in ipvsadm's structure where a service has no such thing is 0.
fn compare_services(a: &ServiceKey, b: &ServiceKey) -> Ordering {
    let parts = |key: &ServiceKey| match key {
        ServiceKey::Mark { mark, .. } => (mark.get(), 0, None, 0),
        ServiceKey::Address { protocol, addr, port } => {
            (0, u32::from(protocol.number()), Some(*addr), u32::from(port.0))
        }
    };
    let number = |family| match family {
        Family::Ipv4 => libc::AF_INET as u32,
        Family::Ipv6 => libc::AF_INET6 as u32,
    };
    let (mark_a, protocol_a, addr_a, port_a) = parts(a);
    let (mark_b, protocol_b, addr_b, port_b) = parts(b);
    wrapping(mark_a, mark_b)
        .then_with(|| wrapping(number(a.family()), number(b.family())))
        .then_with(|| wrapping(protocol_a, protocol_b))
        .then_with(|| compare_addresses(addr_a, addr_b))
        .then_with(|| wrapping(port_a, port_b))
}

/// Servers of two families in one service are compared as the first one's.
fn compare_servers(a: &ServerKey, b: &ServerKey) -> Ordering {
    compare_addresses(Some(a.addr), Some(b.addr))
        .then_with(|| wrapping(u32::from(a.port.0), u32::from(b.port.0)))
}

fn compare_addresses(a: Option<IpAddr>, b: Option<IpAddr>) -> Ordering {
    let words = |addr: Option<IpAddr>| match addr {
        Some(IpAddr::V4(addr)) => [addr.to_bits(), 0, 0, 0],
        Some(IpAddr::V6(addr)) => {
            let bits = addr.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
        }
        None => [0; 4],
    };
    let count = if a.is_some_and(|addr| addr.is_ipv6()) { 4 } else { 1 };
    let (a, b) = (words(a), words(b));
    (0..count)
        .map(|index| wrapping(a[index], b[index]))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// `qsort` of glibc: the first half and the second, then both merged, the first one's on a tie.
fn merge_sort<T>(items: &mut Vec<T>, compare: &dyn Fn(&T, &T) -> Ordering) {
    let mut order: Vec<usize> = (0..items.len()).collect();
    let mut room = order.clone();
    merge_half(&mut order, &mut room, &|a, b| compare(&items[a], &items[b]));
    let mut taken: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(order.into_iter().filter_map(|index| taken[index].take()));
}

fn merge_half(order: &mut [usize], room: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    if order.len() < 2 {
        return;
    }
    let half = order.len() / 2;
    let (first, second) = order.split_at_mut(half);
    merge_half(first, room, compare);
    merge_half(second, room, compare);
    let (mut a, mut b) = (0, 0);
    for slot in &mut room[..first.len() + second.len()] {
        let from_first = b == second.len() || a < first.len() && compare(first[a], second[b]).is_le();
        *slot = if from_first { first[a] } else { second[b] };
        if from_first { a += 1 } else { b += 1 }
    }
    let whole = order.len();
    order.copy_from_slice(&room[..whole]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Port, Server, ServerLive};

    fn sorted(addrs: &[&str]) -> Vec<String> {
        let item = |addr: &&str| {
            let key = ServerKey { addr: addr.parse().expect("an address"), port: Port(80) };
            (key, Server::default(), ServerLive::default())
        };
        let mut servers: Vec<_> = addrs.iter().map(item).collect();
        sort_servers(&mut servers);
        servers.iter().map(|(key, ..)| key.addr.to_string()).collect()
    }

    #[test]
    fn near_addresses_ascend() {
        assert_eq!(sorted(&["10.0.0.3", "10.0.0.1", "10.0.0.2"]), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert_eq!(sorted(&["fd00::2", "fd00::1:0:1", "fd00::1"]), ["fd00::1", "fd00::2", "fd00::1:0:1"]);
    }

    #[test]
    fn far_addresses_are_the_wrong_way_round() {
        assert_eq!(sorted(&["10.0.0.1", "192.168.0.1"]), ["192.168.0.1", "10.0.0.1"]);
    }

    /// Each is before the next and the last before the first: what comes out depends on what goes in.
    #[test]
    fn all_around_it_depends() {
        assert_eq!(sorted(&["10.0.0.1", "100.0.0.1", "200.0.0.1"]), ["10.0.0.1", "100.0.0.1", "200.0.0.1"]);
        assert_eq!(sorted(&["100.0.0.1", "200.0.0.1", "10.0.0.1"]), ["100.0.0.1", "200.0.0.1", "10.0.0.1"]);
    }
}

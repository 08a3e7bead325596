//! Many checks: order, deadlines, descriptors, cancelling, what cannot be asked from here.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lvsh::probe::Verdict::{Bad, Good, Unknown};
use lvsh::probe::{Check, Job, Limits, Route, probe_all};

use super::support::{HERE, all, get, job, page, says, server};

#[test]
fn answers_come_in_the_order_of_the_questions() {
    let good = says(page(200, "fine"));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let one = |index| job(if index % 3 == 0 { gone } else { good }, get(|_| {}), Duration::from_secs(5));
    let answers = all((0..300).map(one).collect());
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer.verdict, if index % 3 == 0 { Bad } else { Good }, "{index}: {answer:?}");
    }
}

#[test]
fn those_that_hang_do_not_hold_up_the_others() {
    let hangs = server(|stream| {
        std::thread::sleep(Duration::from_secs(10));
        drop(stream);
    });
    let good = says(page(200, "fine"));
    let limit = Duration::from_millis(700);
    let jobs = (0..100).map(|index| job(if index < 10 { hangs } else { good }, get(|_| {}), limit)).collect();
    let start = Instant::now();
    let answers = all(jobs);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(answers.iter().filter(|answer| answer.verdict == Good).count(), 90);
}

#[test]
fn a_check_waits_for_its_turn_without_its_deadline() {
    let slow = server(|mut stream| {
        super::support::head(&stream);
        std::thread::sleep(Duration::from_millis(100));
        let _ = std::io::Write::write_all(&mut stream, &page(200, ""));
        super::support::end(stream);
    });
    let jobs = (0..10).map(|_| job(slow, get(|_| {}), Duration::from_millis(600))).collect();
    let limits = Limits { concurrency: 1, cancelled: &|| false };
    let answers = probe_all(jobs, &limits).unwrap().unwrap();
    assert!(answers.iter().all(|answer| answer.verdict == Good), "{answers:?}");
}

#[test]
fn a_cancelled_round_ends_at_once() {
    let hangs = server(|stream| {
        std::thread::sleep(Duration::from_secs(10));
        drop(stream);
    });
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
        });
        let limits = Limits { concurrency: 10, cancelled: &|| stop.load(Ordering::Relaxed) };
        let jobs = vec![job(hangs, get(|_| {}), Duration::from_secs(10))];
        assert!(probe_all(jobs, &limits).unwrap().is_none());
    });
    assert!(start.elapsed() < Duration::from_millis(700), "{:?}", start.elapsed());
}

#[test]
fn what_cannot_be_asked_from_here_is_unknown() {
    let from = Some("192.0.2.77".parse::<IpAddr>().unwrap());
    let route = Route { from, ..Route::default() };
    let limit = Duration::from_secs(1);
    let answers = all(vec![Job { addr: HERE, port: 80, check: Check::Tcp, timeout: limit, route }]);
    assert_eq!(answers[0].verdict, Unknown, "{answers:?}");
    assert!(answers[0].err.contains("192.0.2.77 is not an address of this machine"), "{}", answers[0].err);
}

#[test]
fn more_checks_than_descriptors() {
    // In a process of its own (nextest), so the limit is this test's alone.
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let good = says(page(200, "fine"));
    setrlimit(Resource::RLIMIT_NOFILE, 400, 400.min(hard)).unwrap();
    let one = |_| job(good, Check::Tcp, Duration::from_secs(5));
    let limits = Limits { concurrency: 100_000, cancelled: &|| false };
    let answers = probe_all((0..2000).map(one).collect(), &limits).unwrap().unwrap();
    let wrong: Vec<_> = answers.iter().filter(|answer| answer.verdict != Good).collect();
    assert!(wrong.is_empty(), "{} of 2000, first {:?}", wrong.len(), wrong[0]);
}

#[test]
fn ping_of_this_machine() {
    let answers = all(vec![job(SocketAddr::new(HERE, 0), Check::Ping, Duration::from_secs(1))]);
    match nix::unistd::geteuid().is_root() {
        true => assert_eq!(answers[0].verdict, Good, "{answers:?}"),
        false => assert!(answers[0].err.contains("CAP_NET_RAW"), "{answers:?}"),
    }
}

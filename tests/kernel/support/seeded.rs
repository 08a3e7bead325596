//! Random cases on a kernel.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// So many cases, or one that fails, as small as shrinking makes it; each cleans up behind the one before.
///
/// The seed of a run is printed, so that a failed one shows it; `LVSH_SEED` takes it again. `LVSH_CASES` is for
/// looking at a failure, or for a machine that is busy with something else; it is printed, too.
pub fn seeded<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let seed: u64 = match std::env::var("LVSH_SEED") {
        Ok(seed) => seed.parse().expect("LVSH_SEED is a number"),
        Err(_) => now(),
    };
    let cases = std::env::var("LVSH_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(cases);
    eprintln!("LVSH_SEED={seed} LVSH_CASES={cases}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    if let Err(failure) = TestRunner::new_with_rng(config, rng).run(strategy, test) {
        panic!("LVSH_SEED={seed}: {failure}");
    }
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

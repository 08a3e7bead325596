//! Steady traffic of one client while something is changed: one request after the other, and what came of each.

use super::{Failure, Host, client};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Between two requests: the guest's two processors have the rest of the test to do as well.
const PAUSE: Duration = Duration::from_millis(10);

/// Which server answered, or why none did.
pub type Outcome = Result<String, Failure>;

pub struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<Outcome>>,
}

impl Load {
    /// `ask` is called with the number of the request until the load is stopped.
    pub fn of(mut ask: impl FnMut(usize) -> Outcome + Send + 'static) -> Self {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (until, count) = (Arc::clone(&stop), Arc::clone(&made));
        let thread = thread::spawn(move || {
            let mut outcomes = Vec::new();
            while !until.load(Ordering::Relaxed) {
                outcomes.push(ask(outcomes.len()));
                count.store(outcomes.len(), Ordering::Relaxed);
                thread::sleep(PAUSE);
            }
            outcomes
        });
        Self { stop, made, thread }
    }

    /// New connections to this URL.
    pub fn http(client: &Host, url: &str) -> Self {
        let (namespace, url) = (client.namespace.clone(), url.to_owned());
        Self::of(move |_| client::get(&namespace, &url, client::LIMIT).map(|answer| answer.server))
    }

    /// Waits until so many more requests were made.
    #[track_caller]
    pub fn more(&self, requests: usize) {
        let goal = self.made.load(Ordering::Relaxed) + requests;
        let enough = || (self.made.load(Ordering::Relaxed) >= goal).then_some(());
        super::eventually(Duration::from_secs(40), "requests under load", enough);
    }

    /// Ends it. Panics when a request got no answer.
    #[track_caller]
    pub fn servers(self) -> Vec<String> {
        let outcomes = self.outcomes();
        let count = outcomes.len();
        let failed: Vec<_> =
            outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_err()).take(10).collect();
        assert!(failed.is_empty(), "of {count} requests these failed: {failed:?}");
        outcomes.into_iter().flatten().collect()
    }

    /// Ends it.
    pub fn outcomes(self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load")
    }
}

/// Neighbours that are equal as one: `a a b b b a` is `a b a`.
pub fn runs(of: &[String]) -> Vec<&str> {
    let mut runs: Vec<&str> = of.iter().map(String::as_str).collect();
    runs.dedup();
    runs
}

//! Making changes.

use nix::errno::Errno;

use super::Ipvs;
use super::exchange::Verdict;
use super::request::Request;
use super::socket::lost;
use crate::backend::Outcome;
use crate::error::{Error, Kind, Result};
use crate::model::ServiceKey;
use crate::plan::{Step, no_service, refusal};

impl Ipvs {
    /// Makes the changes in the order given, in datagrams of many: one outcome per step. After a datagram with a
    /// failure no further one is sent; what follows the failure within it has been tried by the kernel all the same.
    ///
    /// When the kernel dropped answers (its ENOBUFS, which the size of a datagram is to prevent), steps that may be
    /// done twice, and whose service no later step of the datagram is about, are sent again, each by itself. Of the
    /// others nobody knows: they fail with `ENOBUFS`, and whoever goes on must read first.
    pub fn apply<'s>(&mut self, steps: impl IntoIterator<Item = &'s Step>) -> Vec<Outcome> {
        let steps: Vec<&Step> = steps.into_iter().collect();
        let mut outcomes = Vec::with_capacity(steps.len());
        for group in steps.chunks(self.socket.window()) {
            self.apply_group(group, &mut outcomes);
            if outcomes.iter().rev().take(group.len()).any(|outcome| !outcome.is_done()) {
                break;
            }
        }
        outcomes.resize_with(steps.len(), || Outcome::NotSent);
        outcomes
    }

    fn apply_group(&mut self, group: &[&Step], outcomes: &mut Vec<Outcome>) {
        let Some(requests) = group.iter().map(|step| Request::of(step)).collect::<Option<Vec<_>>>() else {
            outcomes.extend(group.iter().map(|step| not_ours(step)));
            return;
        };
        match self.socket.exchange(&requests, |_, _| Ok(())) {
            Ok(verdicts) => {
                for (index, verdict) in verdicts.into_iter().enumerate() {
                    let (Some((step, later)), Some(request)) =
                        (group.get(index..).and_then(<[_]>::split_first), requests.get(index))
                    else {
                        break;
                    };
                    let alone = later.iter().all(|other| other.service() != step.service());
                    let again = (alone && request.is_repeatable()).then_some(*request);
                    outcomes.push(self.outcome(step, verdict, again));
                }
            }
            // The datagram was not taken at all: the first step bears the reason.
            Err(errno) => {
                let reason = group.first().map(|step| Outcome::Failed(refusal(step, errno as i32)));
                outcomes.extend(reason);
            }
        }
    }

    /// `again`: the request, if it may be sent once more.
    fn outcome(&mut self, step: &Step, verdict: Verdict, again: Option<Request<'_>>) -> Outcome {
        match (verdict, again) {
            (Verdict::Done, _) => Outcome::Done,
            (Verdict::Failed { errno, text }, _) => {
                let error = refusal(step, errno);
                Outcome::Failed(match text {
                    Some(text) => error.note(format!("the kernel says: {text}")),
                    None => error,
                })
            }
            (Verdict::Unknown, Some(request)) => match self.exchange_one(request) {
                Ok(verdict) => self.outcome(step, verdict, None),
                Err(errno) => Outcome::Failed(refusal(step, errno as i32)),
            },
            (Verdict::Unknown, None) => Outcome::Failed(unknown(step)),
        }
    }

    fn exchange_one(&mut self, request: Request<'_>) -> std::result::Result<Verdict, Errno> {
        let verdicts = self.socket.exchange(&[request], |_, _| Ok(()))?;
        Ok(verdicts.into_iter().next().unwrap_or(Verdict::Unknown))
    }

    /// Zeroes the counters of one service and its servers, or all.
    pub fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        let subject = service.map_or_else(|| "all services".to_string(), |key| format!("service {key}"));
        let asked = self.socket.ask("zero", &subject, Request::Zero(service), |_| Ok(()));
        asked.map_err(|error| match (service, error.errno) {
            (Some(key), Some(libc::ESRCH)) => no_service("zero", key),
            _ => error,
        })
    }

    /// Deletes all services of the namespace. Connection entries stay until they time out.
    pub fn flush(&mut self) -> Result<()> {
        self.socket.ask("flush", "all services", Request::Flush, |_| Ok(()))
    }
}

fn unknown(step: &Step) -> Error {
    let mut error = lost(&step.words(), &step.subject());
    error.op = step.op();
    error.hint("it may be done or not: lvsh list shows what is there")
}

fn not_ours(step: &Step) -> Outcome {
    match Request::of(step) {
        Some(_) => Outcome::NotSent,
        None => Outcome::Failed(Error::new(
            Kind::Unable,
            "not_ipvs",
            format!("{} {} {} is not a change of IPVS", step.verb(), step.kind(), step.subject()),
        )),
    }
}

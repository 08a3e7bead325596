//! What a backend answers beside steps, on both machines: zeroed counters and the connection table.

use std::ops::ControlFlow;

use lvsh::backend::{Backend, Outcome};
use lvsh::error::Kind;

use super::table::steps;

/// On a machine without services and connections, which is left as it was.
pub fn check(backend: &mut dyn Backend) {
    let given = steps("+s fwm:3 rr ; +d fwm:3 10.0.0.2 dr w=1");
    assert!(backend.apply(&given).iter().all(Outcome::is_done));
    let keys = ["+s fwm:3 rr", "+s fwm:4 rr"].map(|text| *steps(text)[0].service().unwrap());

    backend.zero(None).expect("all services");
    backend.zero(Some(&keys[0])).expect("one service");
    let error = backend.zero(Some(&keys[1])).expect_err("there is no such service");
    assert_eq!(error.to_string(), "cannot zero service fwm:4: it does not exist (ESRCH)");
    assert_eq!((error.kind, error.errno), (Kind::Refused, Some(libc::ESRCH)));

    let mut seen = 0;
    backend
        .connections(&mut |_| {
            seen += 1;
            ControlFlow::Continue(())
        })
        .expect("a table");
    assert_eq!(seen, 0, "an empty table has no lines");
    assert!(backend.apply(&steps("-s fwm:3")).iter().all(Outcome::is_done));
}

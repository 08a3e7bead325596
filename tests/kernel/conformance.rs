//! The contract of a backend, on the kernel: the same table as on the one in memory.

#[path = "../conformance/reading.rs"]
mod reading;
#[path = "../conformance/table.rs"]
mod table;

use std::process::Command;

use lvsh::backend::{Backend, Outcome};
use lvsh::kernel::Kernel;
use lvsh::plan::diff;

use super::support::{Namespace, isolate};

/// Every row on the same machine, which is put back between rows: a namespace of its own costs half a second.
#[test]
fn the_kernel_answers_as_the_table_says() {
    needs!(ipvs);
    isolate().expect("namespaces");
    let namespace = Namespace::create("machine").expect("a namespace");
    namespace.inside(|| {
        for args in ["link add d0 type dummy", "link set d0 up"] {
            let status = Command::new("ip").args(args.split(' ')).status();
            assert!(status.is_ok_and(|status| status.success()), "ip {args}");
        }
        let mut kernel = Kernel::open().expect("a kernel with IPVS");
        table::check_all(|row| on_a_clean_machine(row, &mut kernel));
    });
}

#[test]
fn the_kernel_answers_what_is_read() {
    needs!(ipvs);
    isolate().expect("namespaces");
    let namespace = Namespace::create("machine").expect("a namespace");
    namespace.inside(|| reading::check(&mut Kernel::open().expect("a kernel with IPVS")));
}

fn on_a_clean_machine(row: &table::Row, kernel: &mut Kernel) -> Result<(), String> {
    let want = table::want(row);
    let look = |kernel: &mut Kernel| kernel.snapshot(&want).map_err(|error| error.to_string());
    let clean = look(kernel)?.state;
    let answer = table::check(row, kernel);
    let after = look(kernel)?.state;
    for outcome in kernel.apply(&diff(&after, &clean)) {
        if let Outcome::Failed(error) = outcome {
            return Err(format!("cannot be put back: {error}"));
        }
    }
    if look(kernel)?.state != clean {
        return Err("was not put back".to_string());
    }
    answer
}

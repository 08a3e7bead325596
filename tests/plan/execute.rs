//! All or nothing, with a backend that fails where the test says.

use lvsh::backend::{Backend, Capabilities, Entries, Memory, Outcome, Want};
use lvsh::error::{Error, Kind, Result};
use lvsh::model::{IfName, ServiceKey, Snapshot};
use lvsh::plan::{Journal, NoJournal, Plan, Step, execute, refusal};

use crate::{state, table};

/// `Memory` that refuses the nth step it is asked to make, and everything after `dead_after`.
struct Faulty {
    memory: Memory,
    refuse: Option<usize>,
    /// As the kernel does within one pipelined group: what follows a refused step is done all the same.
    pipelined: bool,
    dead_after: usize,
    asked: usize,
    /// Takes steps without making them.
    lies: bool,
}

impl Faulty {
    fn new(memory: Memory) -> Faulty {
        Faulty { memory, refuse: None, pipelined: false, dead_after: usize::MAX, asked: 0, lies: false }
    }
}

impl Backend for Faulty {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.memory.snapshot(want)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let mut stopped = false;
        let mut one = |step: &Step| {
            if stopped {
                return Outcome::NotSent;
            }
            self.asked += 1;
            if Some(self.asked) == self.refuse || self.asked > self.dead_after {
                stopped = !self.pipelined;
                return Outcome::Failed(refusal(step, libc::ENOMEM));
            }
            if self.lies {
                return Outcome::Done;
            }
            match self.memory.apply(std::slice::from_ref(step)).pop() {
                Some(outcome) => outcome,
                None => Outcome::NotSent,
            }
        };
        steps.iter().map(&mut one).collect()
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        self.memory.capabilities()
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.memory.mtu(dev)
    }

    fn connection_table(&mut self) -> Result<Entries> {
        self.memory.connection_table()
    }

    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.memory.zero(service)
    }
}

fn plan(text: &str) -> Plan {
    table::steps(text).into_iter().collect()
}

const START: &str = "+s fwm:3 sh ; +d fwm:3 10.0.0.2 dr w=1 ; +d fwm:3 10.0.0.3 dr w=1
    +m pre 10.0.0.1/32 tcp 80 3 ; +a 10.0.0.1/32 eth0";

#[test]
fn an_empty_plan_touches_nothing() {
    struct Untouchable;
    impl Journal for Untouchable {
        fn begin(&mut self, _: &Plan) -> Result<()> {
            panic!("an empty plan was written down")
        }
        fn undone(&mut self, _: usize) -> Result<()> {
            panic!("an empty plan was taken back")
        }
        fn end(&mut self) -> Result<()> {
            panic!("an empty plan was ended")
        }
    }
    let mut memory = Memory::default();
    execute(&mut memory, &Plan::default(), &mut Untouchable).unwrap();
    assert_eq!(memory.sent, 0);
}

#[test]
fn a_refusal_anywhere_leaves_what_was() {
    for pipelined in [false, true] {
        for refused in 1..=5 {
            let before = state("+s fwm:9 rr");
            let mut backend = Faulty::new(Memory::new(before.clone()));
            backend.refuse = Some(refused);
            backend.pipelined = pipelined;
            let error = execute(&mut backend, &plan(START), &mut NoJournal).unwrap_err();
            assert_eq!(error.kind, Kind::Refused);
            assert_eq!(error.code, "ENOMEM");
            assert_eq!(backend.memory.state, before, "step {refused} refused, pipelined: {pipelined}");
            let aftermath = error.aftermath.unwrap();
            let expected = if refused == 1 && !pipelined { "nothing was changed" } else { "rolled back" };
            assert!(aftermath.contains(expected), "{aftermath}");
        }
    }
}

#[test]
fn a_failed_rollback_has_its_own_kind_and_says_what_is_left() {
    let mut backend = Faulty::new(Memory::default());
    backend.dead_after = 3;
    let error = execute(&mut backend, &plan(START), &mut NoJournal).unwrap_err();
    assert_eq!(error.kind, Kind::RollbackFailed);
    assert_eq!(error.exit_code(), 7);
    assert!(error.aftermath.unwrap().contains("look at the machine"));
    assert!(error.notes.iter().any(|note| note.contains("fwm:3")), "{:?}", error.notes);
}

#[test]
fn what_was_taken_but_not_made_is_found_out() {
    let mut backend = Faulty::new(Memory::default());
    backend.lies = true;
    let error = execute(&mut backend, &plan("+s fwm:3 sh"), &mut NoJournal).unwrap_err();
    assert!(error.message.contains("service fwm:3 is missing, not sh when read back"), "{}", error.message);
}

#[test]
fn nothing_is_sent_when_the_journal_cannot_be_written() {
    struct Full;
    impl Journal for Full {
        fn begin(&mut self, _: &Plan) -> Result<()> {
            Err(Error::new(Kind::Io, "ENOSPC", "disk full"))
        }
        fn undone(&mut self, _: usize) -> Result<()> {
            panic!("nothing was sent")
        }
        fn end(&mut self) -> Result<()> {
            Ok(())
        }
    }
    let mut memory = Memory::default();
    let error = execute(&mut memory, &plan(START), &mut Full).unwrap_err();
    assert_eq!(error.code, "ENOSPC");
    assert_eq!(memory.sent, 0);
}

#[test]
fn the_journal_is_written_first_and_ended_last() {
    #[derive(Default)]
    struct Log(Vec<String>);
    impl Journal for Log {
        fn begin(&mut self, plan: &Plan) -> Result<()> {
            self.0.push(format!("begin {}", plan.len()));
            Ok(())
        }
        fn undone(&mut self, count: usize) -> Result<()> {
            self.0.push(format!("undone {count}"));
            Ok(())
        }
        fn end(&mut self) -> Result<()> {
            self.0.push("end".to_string());
            Ok(())
        }
    }
    let mut log = Log::default();
    execute(&mut Memory::default(), &plan(START), &mut log).unwrap();
    assert_eq!(log.0, ["begin 5", "end"]);
    // Also when it was taken back; but not when taking back failed: the next run must find it.
    let mut faulty = Faulty::new(Memory::default());
    faulty.refuse = Some(2);
    let mut log = Log::default();
    execute(&mut faulty, &plan(START), &mut log).unwrap_err();
    assert_eq!(log.0, ["begin 5", "undone 5", "end"]);
    let mut dead = Faulty::new(Memory::default());
    dead.dead_after = 2;
    let mut log = Log::default();
    execute(&mut dead, &plan(START), &mut log).unwrap_err();
    assert_eq!(log.0, ["begin 5"]);
}

//! What a run writes down before it changes anything.

use super::Plan;
use crate::error::Result;

/// Where the plan of a run is kept while it is carried out. If the run is killed, the next one finds it there
/// and knows which objects may be half made.
///
/// `Send`, because a session works on the thread of the VM.
pub trait Journal: Send {
    /// Called before the first message is sent; an error here means that nothing is sent.
    fn begin(&mut self, plan: &Plan) -> Result<()>;

    /// Called when the last `count` changes written down were refused or taken back, and that was verified: what
    /// is on the machine now is not theirs, even where it looks the same.
    fn undone(&mut self, count: usize) -> Result<()>;

    /// Called when the changes are verified, or taken back and verified.
    fn end(&mut self) -> Result<()>;
}

/// For plans without a file: tests, benchmarks, an expression that is over before anyone could ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn begin(&mut self, _: &Plan) -> Result<()> {
        Ok(())
    }

    fn undone(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

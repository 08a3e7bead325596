//! A wrong value, with the way to it: which argument, which field of which element.

use crate::error::{Error, did_you_mean};

/// One step into a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Field(String),
    /// Counted from 1.
    Item(usize),
}

/// What is wrong, and where in the arguments of a call. The place in the file is only looked for when it is raised.
#[derive(Debug)]
pub(super) struct Fault {
    pub error: Error,
    /// From the innermost to the outermost; reversed by [`Fault::path`].
    inner_first: Vec<Part>,
    /// Argument, from 0; `None` when the call as a whole is meant.
    pub arg: Option<usize>,
    /// The key is wrong, not its value.
    pub at_key: bool,
    /// Said beside the caret.
    pub label: String,
}

pub(super) type Checked<T> = Result<T, Box<Fault>>;

impl Fault {
    pub fn new(error: Error) -> Box<Fault> {
        Box::new(Fault { error, inner_first: Vec::new(), arg: None, at_key: false, label: String::new() })
    }

    /// A value that cannot be.
    pub fn bad(message: impl Into<String>) -> Box<Fault> {
        Fault::new(Error::bad_value(message))
    }

    /// A key that is not known to a table.
    pub fn unknown_field(typed: &str, table: &str, fields: &[&str]) -> Box<Fault> {
        let error = Error::new(
            crate::error::Kind::Script,
            "unknown_field",
            format!("unknown field '{typed}' in {table}"),
        );
        let mut fault = Fault::new(error.note(format!("fields: {}", fields.join(", "))));
        if let Some(near) = did_you_mean(typed, fields.iter().copied()) {
            fault.label = format!("did you mean '{near}'?");
            fault.error.hint = Some(fault.label.clone());
        }
        fault.at_key = true;
        fault.under(typed)
    }

    /// It happened within this field.
    pub fn under(mut self: Box<Self>, field: &str) -> Box<Fault> {
        self.inner_first.push(Part::Field(field.to_string()));
        self
    }

    /// It happened within this element, counted from 1.
    pub fn item(mut self: Box<Self>, index: usize) -> Box<Fault> {
        self.inner_first.push(Part::Item(index));
        self
    }

    pub fn arg(mut self: Box<Self>, index: usize) -> Box<Fault> {
        self.arg.get_or_insert(index);
        self
    }

    pub fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Fault> {
        self.error.hint = Some(hint.into());
        self
    }

    pub fn path(&self) -> Vec<Part> {
        self.inner_first.iter().rev().cloned().collect()
    }
}

impl From<Error> for Box<Fault> {
    fn from(error: Error) -> Box<Fault> {
        Fault::new(error)
    }
}

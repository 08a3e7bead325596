//! For eyes and pipes: plans, tables, JSON documents, and the spelling of steps in the words of other tools.
//!
//! Nothing here reads or writes anything: strings come out, `cli` and `script` put them somewhere.

mod echo;
mod error;
mod fields;
mod grid;
mod help;
mod ipvsadm;
mod json;
mod lines;
mod lua;
mod marks;
pub mod nft;
mod plan;
#[cfg(test)]
mod samples;
mod shell;
mod status;
mod step;
mod style;
mod table;
mod value;

pub use echo::echo_text;
pub use error::{error_text, prompt_error, warning_text};
pub use fields::{Field, fields};
pub use grid::{Grid, Printed, printed_text};
pub use help::{Row, Topic, help_text};
pub use ipvsadm::{ipvsadm, ipvsadm_service};
pub use json::{changes, document, error_value};
pub use lines::Counts;
pub use lua::{lua, lua_script};
pub use marks::{MarkGroup, group};
pub use nft::{nft_command, nft_document, nft_script};
pub use plan::{PlanView, drift_words, plan_text};
pub use shell::{Script, nft_only, shell, shell_script};
pub use status::{StatusView, span, status_text};
pub use step::{sign, step_text};
pub use style::Style;
pub use table::{ListView, list_text};
pub use value::{net_text, server_value, service_value, state_value};

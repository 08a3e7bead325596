//! For eyes and pipes: plans, tables, JSON documents, and the spelling of steps in the words of other tools.
//!
//! Nothing here reads or writes anything: strings come out, `cli` and `script` put them somewhere.

mod echo;
mod error;
mod export;
mod fields;
mod fit;
mod grid;
mod help;
pub mod ipvsadm;
mod json;
mod lines;
mod list;
mod lua;
mod marks;
mod metrics;
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
pub use export::{Exported, Policy, json, json_value, policy, read_json, save};
pub use fields::{Field, fields};
pub use fit::fitted;
pub use grid::{Grid, Printed, printed_text};
pub use help::{Row, Topic, help_text};
pub use ipvsadm::{ipvsadm, ipvsadm_service};
pub use json::{changes, compact, document, document_line, error_value};
pub use lines::Counts;
pub use list::{Columns, ConnectionRows, ListView, SortKey, connection_value, list_text, stats_text};
pub use lua::{lua, lua_script};
pub use marks::{MarkGroup, group};
pub use metrics::{Kind, Metrics, Named};
pub use nft::{nft_command, nft_document, nft_script};
pub use plan::{PlanView, drift_words, plan_text};
pub use shell::{Script, nft_only, shell, shell_script};
pub use status::{Care, ServerCare, StatusView, span, status_text};
pub use step::{sign, step_text};
pub use style::Style;
pub use value::{net_text, server_value, service_value, state_value, stats_value};

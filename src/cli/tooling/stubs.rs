//! The API in the annotations of the Lua language server (LuaLS; EmmyLua reads them too).

use crate::script::help::{records, schemas};
use crate::script::schema::{CODES, Schema, Shape};
use crate::script::{Entry, Param, registry};

/// By which a file of ours is known again.
pub const MARK: &str = "Made by lvsh types";

/// Lua's own, as it is here: what a call of the API raises has fields.
const RAISED: &str = "
---@param f function
---@param ... any
---@return boolean ok
---@return LvsError|any raised What was raised, or the first value.
---@return any ...
function pcall(f, ...) end
";

/// The whole file.
pub fn stubs() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!("---@meta lvs\n-- {MARK} (lvsh {version}); written again by the next run of it.\n");
    let codes: Vec<String> = CODES.iter().map(|(code, _)| format!("\"{code}\"")).collect();
    out.push_str(&format!("\n---@alias LvsCode {}\n", codes.join("|")));
    for schema in schemas() {
        out.push_str(&taken(schema));
    }
    for shape in records() {
        out.push_str(&given(shape));
    }
    out.push_str(
        "\n---@class lvs\nlvs = {}\n\n---@class lvs.log\nlvs.log = {}\n\n---@class lvs.json\nlvs.json = {}\n",
    );
    for entry in registry() {
        out.push_str(&function(entry));
    }
    out.push_str(RAISED);
    out.push_str("\nreturn lvs\n");
    out
}

/// A table that functions take. `exact`: no other fields.
fn taken(schema: &Schema) -> String {
    let mut out = format!("\n---@class (exact) {}\n", schema.class());
    for field in schema.fields {
        let optional = if field.required { "" } else { "?" };
        let default = match field.default {
            "" => String::new(),
            default => format!(" Default: {default}."),
        };
        out.push_str(&format!(
            "---@field {}{optional} {} {}{default}\n",
            field.name,
            field.ty.lua(),
            field.doc
        ));
    }
    out
}

/// A record; its class is also the table that methods are written into.
fn given(shape: &Shape) -> String {
    let class = shape.class();
    let mut out = format!("\n---@class {class}\n");
    for field in shape.fields {
        out.push_str(&format!("---@field {} {} {}\n", field.name, field.ty, field.doc));
    }
    if !shape.each.is_empty() {
        out.push_str(&format!("---@overload fun(): {}?\n", shape.each));
    }
    if registry().iter().any(|entry| entry.owner() == shape.title()) {
        out.push_str(&format!("local {class} = {{}}\n"));
    }
    out
}

fn function(entry: &Entry) -> String {
    let mut out = format!("\n---{}\n", entry.doc);
    if !entry.like.is_empty() {
        out.push_str(&format!("---\n---The same: `{}`\n", entry.like));
    }
    if !entry.raises.is_empty() {
        out.push_str(&format!("---\n---Raises {}.\n", entry.raises.join(", ")));
    }
    out.push_str(&format!("---\n---```lua\n---{}\n---```\n", entry.example));
    for param in entry.params {
        let optional = if param.optional && !param.rest { "?" } else { "" };
        out.push_str(&format!("---@param {}{optional} {} {}\n", word(param), param.ty.lua(), param.doc));
    }
    if !entry.returns.is_empty() {
        out.push_str(&format!("---@return {}\n", entry.returns));
    }
    let params: Vec<&str> = entry.params.iter().map(word).collect();
    out.push_str(&format!("function {}({}) end\n", place(entry), params.join(", ")));
    out
}

fn word(param: &Param) -> &'static str {
    if param.rest { "..." } else { param.name }
}

/// `lvs.add_service`, and `LvsService:add_server` for a method.
fn place(entry: &Entry) -> String {
    match records().iter().find(|shape| shape.title() == entry.owner()) {
        Some(shape) => format!("{}:{}", shape.class(), entry.last()),
        None => entry.name.to_string(),
    }
}

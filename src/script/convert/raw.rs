//! The fast way for tables in which all is well: read with Lua's C interface, without a handle per value.
//!
//! A policy with a thousand services has eleven thousand tables. Whatever is not plainly right (an unknown key, a
//! value out of range, a metatable) gives `None`, and the careful way finds the words for it.

use std::ffi::c_int;
use std::net::IpAddr;

use ipnet::IpNet;
use mlua::ffi::{self, lua_State};
use mlua::{Lua, Table};

use super::scalar::parse_seconds;
use super::{Row, Val};
use crate::model::{PortRange, parse_endpoint};
use crate::script::schema::{Schema, Ty};

/// Reads a table whose every field is as its schema says.
pub fn row(lua: &Lua, table: &Table, schema: &'static Schema) -> Option<Row> {
    if !schema.fields.iter().all(|field| plain(&field.ty)) {
        return None;
    }
    let mut out = None;
    let read = |state: *mut lua_State| {
        // SAFETY: the closure has a frame of its own with the table at index 1. Nothing that it calls raises a Lua
        // error (no metamethods, no allocation), so no destructor is jumped over.
        out = unsafe { read_row(state, 1, schema) };
        // SAFETY: drops what the walk left, so that nothing is returned.
        unsafe { ffi::lua_settop(state, 0) };
    };
    // SAFETY: as above.
    unsafe { lua.exec_raw::<()>(table, read) }.ok()?;
    out
}

/// Whether values of this type are data without handles into Lua.
fn plain(ty: &Ty) -> bool {
    match ty {
        Ty::Function
        | Ty::Any
        | Ty::Map(_)
        | Ty::Settings(_)
        | Ty::Service(_)
        | Ty::State(_)
        | Ty::Words(_) => false,
        // The tables of the API do not contain themselves, and their own fields are looked at when they are read.
        Ty::List(of) | Ty::OneOrList(of) => plain(of),
        Ty::Either(all) => all.iter().all(plain),
        _ => true,
    }
}

/// SAFETY (of all below): `state` is valid, and `index` is an absolute index on its stack.
unsafe fn read_row(state: *mut lua_State, index: c_int, schema: &'static Schema) -> Option<Row> {
    let mut row = Row::new(schema);
    unsafe {
        if ffi::lua_checkstack(state, 8) == 0 || has_metatable(state, index) {
            return None;
        }
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            let at = {
                let key = bytes(state, -2)?;
                schema.fields.iter().position(|field| field.name.as_bytes() == key)?
            };
            let value = ffi::lua_gettop(state);
            row.put(at, read(state, value, &schema.fields[at].ty)?);
            ffi::lua_settop(state, value - 1);
        }
    }
    row.missing().is_none().then_some(row)
}

unsafe fn read(state: *mut lua_State, index: c_int, ty: &'static Ty) -> Option<Val> {
    unsafe {
        match ty {
            Ty::Boolean if ffi::lua_type(state, index) == ffi::LUA_TBOOLEAN => {
                Some(Val::Bool(ffi::lua_toboolean(state, index) != 0))
            }
            Ty::Integer { min, max } => within(integer(state, index)?, *min, *max).map(Val::Int),
            Ty::Mark => within(integer(state, index)?, 1, i64::from(u32::MAX)).map(Val::Int),
            Ty::Ports => {
                let port = u16::try_from(within(integer(state, index)?, 1, 65535)?).ok()?;
                Some(Val::Ports(PortRange::one(port)))
            }
            Ty::Seconds { min, max, whole } => {
                let seconds = match integer(state, index) {
                    Some(number) => number as f64,
                    None => parse_seconds(text(state, index)?)?,
                };
                let fits = seconds >= f64::from(*min) && seconds <= f64::from(*max);
                (fits && (!whole || seconds.fract() == 0.0)).then_some(Val::Seconds(seconds))
            }
            Ty::Str | Ty::Setting => Some(Val::Str(text(state, index)?.to_string())),
            Ty::Bytes => Some(Val::Bytes(bytes(state, index)?.to_vec())),
            Ty::Enum(words) => {
                let typed = bytes(state, index)?;
                words.iter().find(|word| word.as_bytes() == typed).map(|word| Val::Word(word))
            }
            Ty::Address => text(state, index)?.parse().ok().map(Val::Addr),
            Ty::Endpoint => {
                let (addr, port) = parse_endpoint(text(state, index)?).ok()?;
                Some(Val::Endpoint(addr, port))
            }
            Ty::Net => {
                let typed = text(state, index)?;
                let host = || typed.parse::<IpAddr>().ok().map(IpNet::from);
                typed.parse().ok().or_else(host).map(Val::Net)
            }
            Ty::List(of) => read_list(state, index, of),
            Ty::OneOrList(of) => match ffi::lua_type(state, index) {
                ffi::LUA_TTABLE if ffi::lua_rawlen(state, index) > 0 => read_list(state, index, of),
                _ => Some(Val::List(vec![read(state, index, of)?])),
            },
            Ty::Table(schema) if ffi::lua_type(state, index) == ffi::LUA_TTABLE => {
                read_row(state, index, schema).map(Val::Row)
            }
            Ty::Either(all) => all.iter().find_map(|ty| read(state, index, ty)),
            _ => None,
        }
    }
}

unsafe fn read_list(state: *mut lua_State, index: c_int, of: &'static Ty) -> Option<Val> {
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TTABLE
            || has_metatable(state, index)
            || ffi::lua_checkstack(state, 8) == 0
        {
            return None;
        }
        // `lua_next` and not a count: a key among the elements must not be lost.
        let len = ffi::lua_rawlen(state, index);
        let mut out = Vec::with_capacity(len.min(65536));
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            // The elements of a sequence come in order; another order is for the careful way.
            let next = i64::try_from(out.len()).ok()? + 1;
            if ffi::lua_isinteger(state, -2) == 0 || ffi::lua_tointeger(state, -2) != next {
                return None;
            }
            let value = ffi::lua_gettop(state);
            out.push(read(state, value, of)?);
            ffi::lua_settop(state, value - 1);
        }
        (out.len() == len).then_some(Val::List(out))
    }
}

unsafe fn has_metatable(state: *mut lua_State, index: c_int) -> bool {
    unsafe {
        let has = ffi::lua_getmetatable(state, index) != 0;
        if has {
            ffi::lua_pop(state, 1);
        }
        has
    }
}

unsafe fn integer(state: *mut lua_State, index: c_int) -> Option<i64> {
    unsafe { (ffi::lua_isinteger(state, index) != 0).then(|| ffi::lua_tointeger(state, index)) }
}

fn within(number: i64, min: i64, max: i64) -> Option<i64> {
    (min..=max).contains(&number).then_some(number)
}

/// A string's bytes; they live as long as the string is in its table, which nothing changes meanwhile.
unsafe fn bytes<'a>(state: *mut lua_State, index: c_int) -> Option<&'a [u8]> {
    unsafe {
        // Only of strings: a number would be changed into one in place.
        if ffi::lua_type(state, index) != ffi::LUA_TSTRING {
            return None;
        }
        let mut len = 0;
        let start = ffi::lua_tolstring(state, index, &mut len);
        (!start.is_null()).then(|| std::slice::from_raw_parts(start.cast::<u8>(), len))
    }
}

unsafe fn text<'a>(state: *mut lua_State, index: c_int) -> Option<&'a str> {
    unsafe { std::str::from_utf8(bytes(state, index)?).ok() }
}

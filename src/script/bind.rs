//! Natives as Lua functions that raise error objects.
//!
//! mlua raises what a Rust function returns as `Err` in a wrapper whose fields Lua cannot read. So natives answer
//! `(true, values…)` or `(false, error)`, and a C function in front of each raises the error as it is. It has to be
//! a C function: in `return lvs.policy { … }` a Lua one would replace the caller's frame (a tail call), and with it
//! the file and line that every message begins with.

use std::ffi::c_int;

use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Value, ffi};

use super::fault::Checked;
use super::guard::{arm, keep_room};
use super::host::Host;
use super::raise::raise;
use std::rc::Rc;

/// Calls upvalue 1 with all arguments; returns its values after the first, or raises the second.
///
/// Nothing here has a destructor: `lua_error` leaves by a long jump.
unsafe extern "C-unwind" fn shim(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this with a valid state and at least LUA_MINSTACK free slots.
    unsafe {
        let args = ffi::lua_gettop(state);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, args, ffi::LUA_MULTRET);
        let values = ffi::lua_gettop(state);
        if ffi::lua_toboolean(state, 1) != 0 {
            return values - 1;
        }
        ffi::lua_settop(state, 2);
        ffi::lua_error(state)
    }
}

/// Wraps a function that answers `(true, values…)` or `(false, error)`.
fn raising(lua: &Lua, native: Function) -> mlua::Result<Function> {
    // SAFETY: the closure gets exactly the one value it was given and leaves exactly one, a C closure on it.
    unsafe { lua.exec_raw(native, |state| ffi::lua_pushcclosure(state, shim, 1)) }
}

/// A Lua function of a Rust one. `name` is its last word, by which its call is found in the source.
pub(super) fn native<F>(lua: &Lua, host: &Rc<Host>, name: &'static str, run: F) -> mlua::Result<Function>
where
    F: Fn(&Lua, MultiValue) -> Checked<MultiValue> + 'static,
{
    let host = Rc::clone(host);
    let answer = move |lua: &Lua, args: MultiValue| -> mlua::Result<MultiValue> {
        let ran = run(lua, args);
        keep_room(lua, &host);
        if host.cancel.reason().is_some() {
            // What it says of the stop may be caught, or be taken for an answer.
            arm(lua)?;
        }
        match ran {
            Ok(mut values) => {
                values.push_front(Value::Boolean(true));
                Ok(values)
            }
            Err(fault) => (false, raise(lua, &host, name, *fault)?).into_lua_multi(lua),
        }
    };
    raising(lua, lua.create_function(answer)?)
}

//! What looks after Lua while it runs: a hook that sees the stop flag, and when to begin collecting garbage.

use std::rc::Rc;

use mlua::{HookTriggers, Lua, VmState, ffi};

use super::host::{Host, load_timeout};
use super::raise::{frames, placed};

/// Instructions between looks: about 0.1 ms.
pub(super) const EVERY: u32 = 10_000;

/// Bytes below which garbage is left alone: more than a policy of ten thousand servers takes.
const COLLECT: usize = 8 << 20;

/// Looks at the stop flag while Lua runs. Once it is set, at every instruction, so that no `pcall` can go on.
pub(super) fn guard(lua: &Lua, host: &Rc<Host>, every: u32) -> mlua::Result<()> {
    let host = Rc::clone(host);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(every), move |lua, _| {
        let Some(stop) = host.stop() else {
            keep_room(lua, &host);
            return Ok(VmState::Continue);
        };
        if every > 1 {
            // Where it was is known only here: from now on every handler is stopped as well.
            let frames = frames(lua, 1);
            host.stopped.replace(Some(placed(&host, stop, &frames, None, "")));
            guard(lua, &host, 1)?;
        }
        arm(lua)?;
        Err(mlua::Error::external(host.stop().unwrap_or_else(load_timeout)))
    })
}

/// Collects garbage when there may be enough of it: by and by, and at once before the script's limit is near. Lua does so
/// by itself when it gets no more memory, but then without the finalizers that records need, and so in vain. It is asked
/// after each native, because a few instructions can ask for many records.
pub(super) fn keep_room(lua: &Lua, host: &Host) {
    let (used, half) = (lua.used_memory(), host.memory / 2);
    if used > COLLECT.min(half) && !lua.gc_is_running() {
        lua.gc_restart();
    }
    // A script that needs so much for itself is not made to collect all the time.
    let kept = host.kept.get().min(used);
    host.kept.set(kept);
    if used > half && used - kept > host.memory / 8 {
        // A collection that fails is one that did nothing.
        let _ = lua.gc_collect();
        host.kept.set(lua.used_memory());
    }
}

/// Makes the thread that runs, and the main one, look at every instruction.
///
/// Each coroutine counts for itself. One that catches the stop of another, or of a native, has up to [`EVERY`]
/// instructions left to its own next look, and in a loop over slow calls these take longer than anyone waits.
pub(super) fn arm(lua: &Lua) -> mlua::Result<()> {
    let arm = |state: *mut ffi::lua_State| {
        // SAFETY: the state is valid and has room for one value; the main thread lives as long as the VM. A hook may be
        // set at any time, also on a thread that waits for another.
        unsafe {
            let hook = ffi::lua_gethook(state);
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_MAINTHREAD);
            let main = ffi::lua_tothread(state, -1);
            ffi::lua_settop(state, 0);
            if hook.is_some() && !main.is_null() {
                ffi::lua_sethook(state, hook, ffi::LUA_MASKCOUNT, 1);
                ffi::lua_sethook(main, hook, ffi::LUA_MASKCOUNT, 1);
            }
        }
    };
    // SAFETY: nothing is left on the stack.
    unsafe { lua.exec_raw::<()>((), arm) }
}

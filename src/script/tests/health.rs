//! The health machine, in a plain VM: its tests are written in Lua beside it.

use mlua::{Function, Lua, Table, Value};

use crate::script::vm::to_lua;

/// A VM of its own, and the table of tests.
fn tests() -> (Lua, Table) {
    let lua = Lua::new();
    let part = |text: &'static str, name: &str| lua.load(text).set_name(name);
    let health: Table = part(include_str!("../../../lua/health.lua"), "=health.lua").call(()).unwrap();
    let round: Function = part(include_str!("../../../lua/round.lua"), "=round.lua").call(&health).unwrap();
    let tests = part(include_str!("../../../lua/tests/health.lua"), "=tests/health.lua");
    let tests: Table = tests.call((health, round)).unwrap();
    (lua, tests)
}

#[test]
fn all_of_them() {
    let (_lua, tests) = tests();
    let mut count = 0;
    for pair in tests.pairs::<String, Function>() {
        let (name, test) = pair.unwrap();
        if name != "random_histories" {
            test.call::<()>(()).unwrap_or_else(|error| panic!("{name}: {error}"));
            count += 1;
        }
    }
    assert_eq!(count, 17, "a test was added or lost");
}

/// A memory as JSON: tables of names, numbers and words, and lists.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Table(table) if table.raw_len() > 0 => {
            table.sequence_values::<Value>().map(|item| json(&item.expect("an item"))).collect()
        }
        Value::Table(table) => {
            let pairs = table.pairs::<String, Value>().map(|pair| pair.expect("a name and a value"));
            serde_json::Value::Object(pairs.map(|(name, value)| (name, json(&value))).collect())
        }
        Value::String(text) => text.to_string_lossy().into(),
        Value::Boolean(value) => (*value).into(),
        Value::Integer(number) => (*number).into(),
        Value::Number(number) => (*number).into(),
        Value::Nil => serde_json::Value::Null,
        other => panic!("a memory has no {}", other.type_name()),
    }
}

/// A quarter of ten thousand random fault histories.
fn random_histories(quarter: i64) {
    let (lua, tests) = tests();
    let seed =
        std::env::var("LVSH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123 + quarter);
    println!("LVSH_SEED={seed}");
    // Written as the state file is, and read again.
    let through = |lua: &Lua, memory: Value| {
        let text = json(&memory).to_string();
        to_lua(lua, &serde_json::from_str(&text).expect("JSON"))
    };
    let copy = lua.create_function(through).unwrap();
    let run: Function = tests.get("random_histories").unwrap();
    run.call::<()>((2_500, seed, copy)).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn random_histories_1_of_4() {
    random_histories(0);
}

#[test]
fn random_histories_2_of_4() {
    random_histories(1);
}

#[test]
fn random_histories_3_of_4() {
    random_histories(2);
}

#[test]
fn random_histories_4_of_4() {
    random_histories(3);
}

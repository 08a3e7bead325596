//! Whether a line is whole, by the parser's own word.

use std::borrow::Cow;

use mlua::chunk::ChunkMode;
use mlua::{Lua, LuaOptions, StdLib};

use super::locals::{Statement, promote};
use crate::script::source::tokens;

/// What the parser says of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syntax {
    Whole,
    /// More lines must follow.
    Incomplete,
    /// In words, with its line when there is more than one: `unexpected symbol near '*'`.
    Wrong(String),
}

/// The two ways to read a line: as an expression whose value is wanted, and as statements.
pub(super) fn readings(code: &str) -> (String, Statement) {
    let code = without_equals(code);
    (format!("return {code}"), promote(&code))
}

/// `=x` is what Lua 5.1's own prompt had for `return x`.
fn without_equals(code: &str) -> Cow<'_, str> {
    match code.trim_start().strip_prefix('=') {
        Some(rest) => Cow::Owned(format!("{}{rest}", " ".repeat(code.len() - rest.len()))),
        None => Cow::Borrowed(code),
    }
}

thread_local! {
    /// A VM that only compiles. One per thread that asks, which is the one with the keyboard.
    static PARSER: Option<Lua> = Lua::new_with(StdLib::NONE, LuaOptions::new()).ok();
}

/// Asks the parser; nothing is run.
pub fn check_syntax(code: &str) -> Syntax {
    if code.trim().is_empty() {
        return Syntax::Whole;
    }
    PARSER.with(|parser| match parser {
        Some(lua) => check(lua, code),
        // Without memory for a VM: the line's own VM will say what is wrong.
        None => Syntax::Whole,
    })
}

fn check(lua: &Lua, code: &str) -> Syntax {
    let compile = |text: &str| lua.load(text).set_name("=").set_mode(ChunkMode::Text).into_function().err();
    let (expression, statement) = readings(code);
    let Some(first) = compile(&expression) else { return Syntax::Whole };
    let Some(second) = compile(&statement.text) else { return Syntax::Whole };
    if incomplete(&first) || incomplete(&second) {
        return Syntax::Incomplete;
    }
    let text = message(nearer(code, &first, &second));
    let text = match text.strip_prefix(':').and_then(|rest| rest.split_once(": ")) {
        Some((line, text)) if code.contains('\n') => format!("line {line}: {text}"),
        Some((_, text)) => text.to_string(),
        None => text,
    };
    Syntax::Wrong(text)
}

fn message(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// A short string ends with its line: the parser calls it incomplete, but no further line can complete it.
fn incomplete(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::SyntaxError { message, incomplete_input } => {
            *incomplete_input && !message.contains("unfinished string")
        }
        _ => false,
    }
}

/// Of two errors the one that is about what was meant: a parser that stumbles over the very first word as a
/// statement was given an expression.
pub(super) fn nearer<'a>(
    code: &str,
    expression: &'a mlua::Error,
    statement: &'a mlua::Error,
) -> &'a mlua::Error {
    let code = without_equals(code);
    let words = tokens(&code);
    let first = words.first().map_or("", |word| word.text);
    // What begins so can only be a statement.
    const STATEMENTS: [&str; 9] = ["for", "while", "if", "repeat", "local", "do", "return", "goto", "break"];
    if STATEMENTS.contains(&first) {
        return statement;
    }
    let stumbled = message(statement).ends_with(&format!("near '{first}'"))
        || (words.len() > 1
            && words[0].kind == crate::script::source::Kind::Name
            && message(statement).contains("syntax error near"));
    if stumbled { expression } else { statement }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_incomplete_and_wrong() {
        for whole in ["1 + 1", "x = 1", "= 2", "local a", "f()", "", "  ", "-- only a comment", "return 1, 2"]
        {
            assert_eq!(check_syntax(whole), Syntax::Whole, "{whole}");
        }
        let parts = [
            "for i = 1, 3 do",
            "{ 1,",
            "f(",
            "function f()",
            "x =",
            "if a then",
            "1 +",
            "s = [[ text",
            "repeat",
            "f { a = 1,",
            "local x =",
            "--[[ a",
        ];
        for part in parts {
            assert_eq!(check_syntax(part), Syntax::Incomplete, "{part}");
        }
        let wrong = |code: &str| match check_syntax(code) {
            Syntax::Wrong(text) => text,
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(wrong("1 +* 2"), "unexpected symbol near '*'");
        assert!(wrong("print(\"abc").contains("unfinished string"), "{}", wrong("print(\"abc"));
        assert!(wrong("x = 1\ny = = 2").starts_with("line 2: "));
        assert!(wrong("end").contains("end"));
        assert_eq!(wrong("for i = 1, 2 do\n  x y\nend"), "line 2: syntax error near 'y'");
        assert_eq!(wrong("local 1"), "<name> expected near '1'");
    }
}

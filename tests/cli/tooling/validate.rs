//! As much of JSON Schema as `lvsh schema` uses. A keyword it does not know is an error, so that none is passed over.

use regex_lite::Regex;
use serde_json::Value;

/// What is wrong with a value, with its place.
pub fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    check(schema, schema, value, "", &mut out);
    out
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, out: &mut Vec<String>) {
    let mut wrong = |why: String| out.push(format!("{place}: {why}"));
    let keywords = schema.as_object().expect("a schema is an object");
    let mut inner: Vec<(&Value, &Value, String)> = Vec::new();
    for (keyword, says) in keywords {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => {}
            "$ref" => {
                let path = says.as_str().and_then(|path| path.strip_prefix('#')).expect("a local reference");
                let target = root.pointer(path).unwrap_or_else(|| panic!("{path} leads nowhere"));
                inner.push((target, value, place.to_string()));
            }
            "type" => {
                let fits = match says.as_str().expect("one type") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    other => panic!("no such type: {other}"),
                };
                if !fits {
                    wrong(format!("{value} is no {says}"));
                }
            }
            "enum" if !says.as_array().expect("a list").contains(value) => {
                wrong(format!("{value} is none of {says}"))
            }
            "enum" => {}
            "minimum" if value.as_f64() < says.as_f64() && value.is_number() => {
                wrong(format!("{value} < {says}"))
            }
            "maximum" if value.as_f64() > says.as_f64() && value.is_number() => {
                wrong(format!("{value} > {says}"))
            }
            "minimum" | "maximum" => {}
            "pattern" => {
                let pattern = Regex::new(says.as_str().expect("a pattern")).expect("a pattern");
                if value.as_str().is_some_and(|text| !pattern.is_match(text)) {
                    wrong(format!("{value} does not match {says}"));
                }
            }
            "anyOf" => {
                let fits = |part: &Value| {
                    let mut trial = Vec::new();
                    check(root, part, value, place, &mut trial);
                    trial.is_empty()
                };
                if !says.as_array().expect("a list").iter().any(fits) {
                    wrong(format!("{value} is none of what it may be"));
                }
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                inner.extend(items.map(|(at, item)| (says, item, format!("{place}/{at}"))));
            }
            "required" => {
                let names = says.as_array().expect("a list").iter().filter_map(Value::as_str);
                for name in names.filter(|name| value.is_object() && value.get(*name).is_none()) {
                    wrong(format!("{name} is missing"));
                }
            }
            "properties" | "additionalProperties" => {
                let known = keywords.get("properties");
                for (name, value) in value.as_object().into_iter().flatten() {
                    let place = format!("{place}/{name}");
                    match (known.and_then(|known| known.get(name)), keyword.as_str()) {
                        (Some(says), "properties") => inner.push((says, value, place)),
                        (None, "additionalProperties") if says == false => {
                            wrong(format!("{name} is not known"))
                        }
                        (None, "additionalProperties") => inner.push((says, value, place)),
                        _ => {}
                    }
                }
            }
            other => panic!("the schema uses a keyword that is not checked: {other}"),
        }
    }
    for (schema, value, place) in inner {
        check(root, schema, value, &place, out);
    }
}

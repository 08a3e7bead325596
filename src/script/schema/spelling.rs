//! Names of tables and types in the words of the Lua language server: `LvsServerSpec`, `table<string, integer>`.

use super::{Schema, Shape, Ty};

/// `a service's key` → `LvsServiceKey`, `a record of counters` → `LvsCounters`.
fn class(name: &str) -> String {
    const SMALL: [&str; 5] = ["a", "an", "the", "of", "record"];
    let mut out = String::from("Lvs");
    for word in name.split([' ', '_', '-']).filter(|word| !SMALL.contains(word)) {
        let word = word.strip_suffix("'s").unwrap_or(word);
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.extend(letters);
    }
    out
}

/// `a service's key` → `service key`.
fn title(name: &str) -> String {
    let rest = name.strip_prefix("a ").or_else(|| name.strip_prefix("an ")).unwrap_or(name);
    rest.replace("'s ", " ")
}

impl Schema {
    /// `LvsServerSpec`: a table that is given to the API. What comes back is `LvsServer`.
    pub fn class(&self) -> String {
        class(self.name) + "Spec"
    }

    /// Without its article: `server`, `service key`.
    pub fn title(&self) -> String {
        title(self.name)
    }
}

impl Shape {
    /// `LvsServer`
    pub fn class(&self) -> String {
        class(self.name)
    }

    /// Without its article and the word record: `server`, `counters`.
    pub fn title(&self) -> String {
        let title = title(self.name);
        title.trim_start_matches("record of ").trim_end_matches(" record").to_string()
    }
}

impl Ty {
    /// As a type of the language server, whole: `"dr"|"nat"|"tun"`, `LvsVipSpec|LvsVipSpec[]`.
    pub fn lua(&self) -> String {
        self.spell(&|words| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join("|"))
    }

    /// The same for eyes: words of an enumeration are told by [`Ty::range`].
    pub fn short(&self) -> String {
        self.spell(&|_| "string".to_string())
    }

    fn spell(&self, words: &dyn Fn(&[&str]) -> String) -> String {
        match self {
            Ty::Boolean => "boolean".to_string(),
            Ty::Integer { .. } | Ty::Mark => "integer".to_string(),
            Ty::Seconds { whole: true, .. } | Ty::Ports => "integer|string".to_string(),
            Ty::Seconds { whole: false, .. } => "number|string".to_string(),
            Ty::Enum(all) => words(all),
            Ty::Str | Ty::Bytes | Ty::Setting | Ty::Address | Ty::Endpoint | Ty::Net => "string".to_string(),
            Ty::Function => "function".to_string(),
            Ty::Any => "any".to_string(),
            Ty::List(of) => list(&of.spell(words)),
            Ty::OneOrList(of) => format!("{}|{}", of.spell(words), list(&of.spell(words))),
            Ty::Map(of) | Ty::Settings(of) => format!("table<string, {}>", of.spell(words)),
            Ty::Table(schema) => schema.class(),
            Ty::Either(all) => {
                let mut parts: Vec<String> = Vec::new();
                for part in all
                    .iter()
                    .flat_map(|ty| ty.spell(words).split('|').map(str::to_string).collect::<Vec<_>>())
                {
                    if !parts.contains(&part) {
                        parts.push(part);
                    }
                }
                parts.join("|")
            }
            Ty::Service(schema) => format!("{}|LvsService", schema.class()),
            Ty::State(schema) => format!("{}|LvsPolicy", schema.class()),
            Ty::Words(schema) => format!("string[]|{}", schema.class()),
        }
    }

    /// What the type alone does not say: `0..65535`, `dr, nat or tun`, `address[:port]`; often nothing.
    pub fn range(&self) -> String {
        match self {
            Ty::Integer { min: i64::MIN, max: i64::MAX } => String::new(),
            Ty::Integer { min, max: i64::MAX } => format!("{min} or more"),
            Ty::Integer { min, max } => format!("{min}..{max}"),
            Ty::Mark => "1..4294967295".to_string(),
            Ty::Seconds { min, max, .. } => {
                format!("{min}..{max} seconds, or \"500ms\", \"10m\", \"2h\", \"1d\"")
            }
            Ty::Enum([one]) => format!("\"{one}\""),
            Ty::Enum([first @ .., last]) => {
                let first: Vec<String> = first.iter().map(|word| format!("\"{word}\"")).collect();
                format!("{} or \"{last}\"", first.join(", "))
            }
            Ty::Address => "an address".to_string(),
            Ty::Endpoint => "addr:port, [v6]:port".to_string(),
            Ty::Net => "address[/prefix]".to_string(),
            Ty::Ports => "a port, a range \"8000-8100\", or a service's name".to_string(),
            Ty::List(of) | Ty::OneOrList(of) | Ty::Map(of) | Ty::Settings(of) => of.range(),
            Ty::Either(all) => {
                let mut parts: Vec<String> =
                    all.iter().map(Ty::range).filter(|part| !part.is_empty()).collect();
                parts.dedup();
                parts.join("; ")
            }
            _ => String::new(),
        }
    }

    /// The tables it is made of.
    pub fn schemas(&self) -> Vec<&'static Schema> {
        match self {
            Ty::Table(schema) | Ty::Service(schema) | Ty::State(schema) | Ty::Words(schema) => vec![schema],
            Ty::List(of) | Ty::OneOrList(of) | Ty::Map(of) | Ty::Settings(of) => of.schemas(),
            Ty::Either(all) => all.iter().flat_map(Ty::schemas).collect(),
            _ => Vec::new(),
        }
    }
}

/// A union needs parentheses before `[]`.
fn list(of: &str) -> String {
    if of.contains('|') { format!("({of})[]") } else { format!("{of}[]") }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    #[test]
    fn names_of_tables_and_records() {
        assert_eq!(SERVICE.class(), "LvsServiceSpec");
        assert_eq!(SERVICE_KEY.class(), "LvsServiceKeySpec");
        assert_eq!(SERVICE_KEY.title(), "service key");
        assert_eq!(MARK_GONE.class(), "LvsExistingMarkSpec");
        assert_eq!(SERVICE_RECORD.class(), "LvsService");
        assert_eq!(
            (COUNTERS_RECORD.class(), COUNTERS_RECORD.title()),
            ("LvsCounters".into(), "counters".into())
        );
        assert_eq!(MARK_RECORD.title(), "mark");
    }

    #[test]
    fn types_are_spelled_for_the_language_server() {
        static FLAGS: Ty = Ty::OneOrList(&Ty::Enum(&["a", "b"]));
        assert_eq!(FLAGS.lua(), "\"a\"|\"b\"|(\"a\"|\"b\")[]");
        assert_eq!((FLAGS.short().as_str(), FLAGS.range().as_str()), ("string|string[]", "\"a\" or \"b\""));
        static WEIGHTS: Ty = Ty::Map(&WEIGHT);
        assert_eq!(
            (WEIGHTS.lua().as_str(), WEIGHTS.range().as_str()),
            ("table<string, integer>", "0..65535")
        );
        assert_eq!(SYSCTL_VALUE.lua(), "boolean|integer|string");
        assert_eq!(Ty::Service(&SERVICE_KEY).lua(), "LvsServiceKeySpec|LvsService");
    }
}

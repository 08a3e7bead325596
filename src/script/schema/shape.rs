//! What a record is described with.

/// A record: a table that comes back from the API, to read, and that cannot be assigned.
#[derive(Debug)]
pub struct Shape {
    /// With its article, as messages say it: `a mark record`.
    pub name: &'static str,
    pub fields: &'static [Member],
    /// How it is changed instead of by assignment; empty when it is not.
    pub remedy: &'static str,
}

/// One field of a record.
#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    /// In the words of the Lua language server: `integer`, `LvsServer[]`, `string?`. What is taken is checked, and
    /// so has a `Ty`; what is given is only told.
    pub ty: &'static str,
    pub doc: &'static str,
    /// Lua that reads it and can be run where its names exist.
    pub example: &'static str,
}

impl Shape {
    pub fn field(&self, name: &str) -> Option<&'static Member> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.fields.iter().map(|field| field.name)
    }
}

impl Member {
    pub const fn new(
        name: &'static str,
        ty: &'static str,
        doc: &'static str,
        example: &'static str,
    ) -> Member {
        Member { name, ty, doc, example }
    }
}

//! A TOML table read field by field: what is missing or of another type is named by its whole key.

use toml::Value;

use super::EntryFault;
use crate::names::PackageName;

/// A table of a document, and the key that it stands under.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    table: &'a toml::Table,
    at: String,
}

impl<'a> Fields<'a> {
    /// The fields of a table that stands by itself.
    pub(super) fn of(table: &'a toml::Table) -> Self {
        Self { table, at: String::new() }
    }

    /// An entry as messages name it: by name and version, or else by its place.
    pub(super) fn label(&self) -> String {
        let named = self.text("name").ok().flatten().and_then(|name| name.parse::<PackageName>().ok());
        let version = self.parsed("version", str::parse::<pep440_rs::Version>).ok().flatten();
        match (named, version) {
            (Some(name), Some(version)) => format!("{name} {version}"),
            (Some(name), None) => name.to_string(),
            (None, _) => self.place(),
        }
    }

    /// The key that the table stands under.
    pub(super) fn place(&self) -> String {
        self.at.clone()
    }

    /// The same table as one that stands by itself: of what is named before every fault.
    pub(super) fn alone(&self) -> Self {
        Self::of(self.table)
    }

    /// The whole key of a field.
    pub(super) fn key(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    /// The fault of a field that has a value it may not have.
    pub(super) fn fault(&self, key: &str, reason: impl std::fmt::Display) -> EntryFault {
        EntryFault::Field(format!("`{}`: {reason}", self.key(key)))
    }

    /// A field that has to be there.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, EntryFault> {
        value.ok_or_else(|| EntryFault::Field(format!("`{}` is missing", self.key(key))))
    }

    fn get<T>(
        &self,
        key: &str,
        due: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, EntryFault> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| mistyped(&self.key(key), value, due))
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, EntryFault> {
        self.get(key, "a string", Value::as_str)
    }

    /// A text that has to be there.
    pub(super) fn required_text(&self, key: &str) -> Result<&'a str, EntryFault> {
        self.required(key, self.text(key)?)
    }

    /// A text, read as something.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, EntryFault> {
        self.text(key)?.map(|text| read(text).map_err(|error| self.fault(key, error))).transpose()
    }

    /// A truth value.
    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, EntryFault> {
        self.get(key, "a boolean", Value::as_bool)
    }

    /// A whole number.
    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, EntryFault> {
        self.get(key, "an integer", Value::as_integer)
    }

    /// A number of bytes.
    pub(super) fn size(&self, key: &str) -> Result<Option<u64>, EntryFault> {
        let number = self.integer(key)?;
        number.map(|number| number.try_into().map_err(|_| self.fault(key, format!("{number} is no size")))).transpose()
    }

    /// A date with a time, of which nothing is kept.
    pub(super) fn check_time(&self, key: &str) -> Result<(), EntryFault> {
        let whole =
            |value: &Value| value.as_datetime().filter(|time| time.date.is_some() && time.time.is_some()).copied();
        self.get(key, "a date with a time", whole).map(|_| ())
    }

    /// A table.
    pub(super) fn table(&self, key: &str) -> Result<Option<Self>, EntryFault> {
        let table = self.get(key, "a table", Value::as_table)?;
        Ok(table.map(|table| Self { table, at: self.key(key) }))
    }

    /// An array of tables.
    pub(super) fn tables(&self, key: &str) -> Result<Option<Vec<Self>>, EntryFault> {
        let table = |(index, value): (usize, &'a Value)| {
            let at = format!("{}[{index}]", self.key(key));
            let table = value.as_table().ok_or_else(|| mistyped(&at, value, "a table"))?;
            Ok(Self { table, at })
        };
        let array = self.get(key, "an array", Value::as_array)?;
        array.map(|array| array.iter().enumerate().map(table).collect()).transpose()
    }

    /// An array of texts, each read as something.
    pub(super) fn texts<T, E: std::fmt::Display>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<Vec<T>>, EntryFault> {
        let text = |(index, value): (usize, &'a Value)| {
            let at = format!("{}[{index}]", self.key(key));
            let text = value.as_str().ok_or_else(|| mistyped(&at, value, "a string"))?;
            read(text).map_err(|error| EntryFault::Field(format!("`{at}`: {error}")))
        };
        let array = self.get(key, "an array", Value::as_array)?;
        array.map(|array| array.iter().enumerate().map(text).collect()).transpose()
    }

    /// Every field of the table, each a text.
    pub(super) fn each_text(&self) -> Result<Vec<(&'a str, &'a str)>, EntryFault> {
        let text = |(key, value): (&'a String, &'a Value)| {
            value.as_str().map(|text| (key.as_str(), text)).ok_or_else(|| mistyped(&self.key(key), value, "a string"))
        };
        self.table.iter().map(text).collect()
    }
}

fn mistyped(key: &str, value: &Value, due: &str) -> EntryFault {
    EntryFault::Field(format!("`{key}`: found {} `{}`, expected {due}", value.type_str(), abridged(value)))
}

/// The beginning of a value, on one line.
fn abridged(value: &Value) -> String {
    let text = value.to_string().replace('\n', " ");
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

//! A dependency in Poetry's own form: a constraint, a table of what it needs to be and where, or several such.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::lock::EntryFault;
use crate::lock::constraint::Constraint;
use crate::names::{ExtraName, PackageName};
use crate::target::Marker;

/// What is needed of a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) name: PackageName,
    pub(super) constraint: Constraint,
    pub(super) origin: Origin,
    pub(super) extras: BTreeSet<ExtraName>,
    /// Needed only with an extra.
    pub(super) optional: bool,
    pub(super) marker: Option<Marker>,
}

/// Where a distribution has to come from, or does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// An index, or the one of this name.
    Index(Option<String>),
    /// A git repository.
    Git,
    /// A URL.
    Url,
    /// This machine.
    Path,
}

impl Origin {
    /// Whether what comes from `other` will do.
    pub(super) fn allows(&self, other: &Self) -> bool {
        match (self, other) {
            // A constraint on versions is met by a commit or a directory of that version.
            (Self::Index(None), _) => true,
            (Self::Index(Some(wanted)), Self::Index(Some(named))) => wanted.eq_ignore_ascii_case(named),
            // Packages of the default index do not name it.
            (Self::Index(Some(wanted)), Self::Index(None)) => wanted.eq_ignore_ascii_case("pypi"),
            _ => self == other,
        }
    }
}

/// The demands of a table `name = constraint`, without the one on Python.
pub(super) fn read_demands(table: &Table) -> Result<Vec<Demand>, EntryFault> {
    let mut demands = Vec::new();
    for (key, value) in table {
        let name: PackageName = key.parse().map_err(|error| EntryFault::Field(format!("{error}")))?;
        if name.as_str() == "python" {
            continue;
        }
        match value {
            Value::Array(several) => {
                for value in several {
                    demands.push(read_demand(&name, value)?);
                }
            }
            value => demands.push(read_demand(&name, value)?),
        }
    }
    Ok(demands)
}

fn read_demand(name: &PackageName, value: &Value) -> Result<Demand, EntryFault> {
    let any = || Constraint::any();
    let fault = |reason: String| EntryFault::Field(format!("its dependency `{name}`: {reason}"));
    let parse = |text: &str| text.parse::<Constraint>().map_err(fault);
    let (name, extras) = (name.clone(), BTreeSet::new());
    let table = match value {
        Value::String(text) => {
            let (constraint, origin) = (parse(text)?, Origin::Index(None));
            return Ok(Demand { name, constraint, origin, extras, optional: false, marker: None });
        }
        Value::Table(table) => table,
        other => return Err(fault(format!("found {}, expected a constraint or a table", other.type_str()))),
    };
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(fault(format!("`{key}` is {}, expected a string", other.type_str()))),
    };
    let constraint = text("version")?.map_or_else(|| Ok(any()), parse)?;
    let origin = if table.contains_key("git") {
        Origin::Git
    } else if table.contains_key("url") {
        Origin::Url
    } else if table.contains_key("path") || table.contains_key("file") {
        Origin::Path
    } else {
        Origin::Index(text("source")?.map(str::to_owned))
    };
    let extras = match table.get("extras") {
        None => extras,
        Some(Value::Array(names)) => {
            let parse = |name: &Value| name.as_str().and_then(|name| name.parse().ok());
            names.iter().map(parse).collect::<Option<_>>().ok_or_else(|| fault("`extras` are names".to_owned()))?
        }
        Some(other) => return Err(fault(format!("`extras` is {}, expected an array", other.type_str()))),
    };
    let optional = table.get("optional").and_then(Value::as_bool).unwrap_or(false);
    let mut marker: Option<Marker> = None;
    let mut require = |part: Option<Marker>| {
        if let Some(part) = part {
            marker = Some(marker.take().map_or_else(|| part.clone(), |marker| marker.and(part.clone())));
        }
    };
    let markers = text("markers")?.filter(|text| !text.trim().is_empty());
    require(markers.map(|text| text.parse().map_err(|error| EntryFault::Marker(format!("{error}")))).transpose()?);
    let python = text("python")?.map(parse).transpose()?;
    require(python.and_then(|python| python.python_markers().into_iter().reduce(Marker::or)));
    require(
        text("platform")?
            .map(|text| platform_marker(text).ok_or_else(|| fault(format!("`platform` is `{text}`"))))
            .transpose()?,
    );
    Ok(Demand { name, constraint, origin, extras, optional, marker })
}

/// `platform = "win32"`, `"!=win32"`, `"linux || darwin"`: of `sys.platform`.
fn platform_marker(text: &str) -> Option<Marker> {
    let one = |text: &str| {
        let text = text.trim();
        let (operator, name) = match text.strip_prefix("!=") {
            Some(name) => ("!=", name),
            None => ("==", text.trim_start_matches('=')),
        };
        format!("sys_platform {operator} '{}'", name.trim()).parse::<Marker>().ok()
    };
    let alternative =
        |text: &str| text.split(',').map(one).collect::<Option<Vec<_>>>()?.into_iter().reduce(Marker::and);
    let alternatives = text.split('|').filter(|part| !part.trim().is_empty()).map(alternative);
    alternatives.collect::<Option<Vec<_>>>()?.into_iter().reduce(Marker::or)
}

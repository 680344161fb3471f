//! The layers that values are given in: what is put first prevails.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Value;

use super::key::{Choice, Key, Kind, Number, Switch, Text, variable};
use super::{Origin, SettingError, known};

/// The file looked for in the data directory.
const FILE: &str = "countersign.toml";

/// Names that begin as settings do and are read elsewhere.
const ELSEWHERE: [&str; 3] = ["COUNTERSIGN_SERVER", "COUNTERSIGN_TOKEN", "COUNTERSIGN_VECTORS"];

/// What was given, by the setting's name; flags are put first, the file last.
#[derive(Default)]
pub(super) struct Layers {
    given: BTreeMap<String, (Value, Origin)>,
}

impl Layers {
    /// Puts a value where none is yet.
    pub(super) fn put(
        &mut self,
        name: &str,
        value: impl Into<Value>,
        origin: Origin,
    ) -> Result<(), SettingError> {
        if !known::ALL.iter().any(|key| key.name() == name) {
            let nearest = nearest(name).0.to_owned();
            let name = name.chars().take(80).collect();
            return Err(SettingError::Unknown { origin, name, nearest });
        }
        self.given.entry(name.to_owned()).or_insert_with(|| (value.into(), origin));
        Ok(())
    }

    /// Puts what the environment holds; gives the file that it names.
    ///
    /// A `COUNTERSIGN_…` variable that is no setting is refused if it looks like a
    /// slip of the pen; others are left alone, for orchestrators put variables of
    /// their own after a service's name (Kubernetes: `COUNTERSIGN_PORT`).
    pub(super) fn put_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Option<PathBuf>, SettingError> {
        let mut config = None;
        for (variable_name, value) in environment {
            if variable_name == "COUNTERSIGN_CONFIG" {
                config = Some(PathBuf::from(value));
                continue;
            }
            let Some(rest) = variable_name.strip_prefix("COUNTERSIGN_") else { continue };
            if ELSEWHERE.contains(&variable_name.as_str()) {
                continue;
            }
            let key = known::ALL.iter().find(|key| variable(key.name()) == variable_name);
            let origin = Origin::Environment(variable_name.clone());
            if let Some(key) = key {
                self.put(key.name(), value, origin)?;
            } else if let (near, 0..=2) = nearest(rest) {
                let nearest = variable(near);
                return Err(SettingError::Unknown { origin, name: variable_name, nearest });
            }
        }
        Ok(config)
    }

    /// Puts what the file holds: the one named, else the one in the data directory
    /// if it is there.
    pub(super) fn put_file(&mut self, named: Option<PathBuf>) -> Result<(), SettingError> {
        let required = named.is_some();
        let beside = self.text(&known::DATA)?.map(|data| Path::new(&data).join(FILE));
        let Some(path) = named.or(beside) else { return Ok(()) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return Ok(()),
            Err(source) => return Err(SettingError::Unreadable { path, source }),
        };
        let table = text.parse::<toml::Table>().map_err(|error| not_toml(&path, &text, &error))?;
        self.put_table("", table, &path)
    }

    fn put_table(
        &mut self,
        prefix: &str,
        table: toml::Table,
        path: &Path,
    ) -> Result<(), SettingError> {
        for (name, value) in table {
            let name = format!("{prefix}{name}");
            match value {
                Value::Table(inner) => self.put_table(&format!("{name}."), inner, path)?,
                value => self.put(&name, value, Origin::File(path.to_owned()))?,
            }
        }
        Ok(())
    }

    /// A number within its bounds.
    pub(super) fn number<T: TryFrom<u64>>(&self, key: &Key<Number>) -> Result<T, SettingError> {
        let number = match self.given.get(key.name) {
            None => Some(key.kind.default),
            Some((Value::Integer(number), _)) => u64::try_from(*number).ok(),
            Some((Value::String(text), _)) => text.replace('_', "").parse().ok(),
            Some(_) => None,
        };
        number
            .filter(|number| (key.kind.min..=key.kind.max).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.wrong(key))
    }

    /// True or false.
    pub(super) fn switch(&self, key: &Key<Switch>) -> Result<bool, SettingError> {
        match self.given.get(key.name) {
            None => Ok(key.kind.default),
            Some((Value::Boolean(switch), _)) => Ok(*switch),
            Some((Value::String(text), _)) => text.parse().map_err(|_| self.wrong(key)),
            Some(_) => Err(self.wrong(key)),
        }
    }

    /// What one of a few words stands for.
    pub(super) fn choice<T: Copy>(&self, key: &Key<Choice<T>>) -> Result<T, SettingError> {
        let Some((given, _)) = self.given.get(key.name) else { return Ok(key.kind.default.1) };
        let words = std::iter::once(&key.kind.default).chain(key.kind.others);
        let word = given.as_str();
        let found = words.into_iter().find(|(known, _)| Some(*known) == word);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| self.wrong(key))
    }

    /// The text, or the default, or nothing if that is empty.
    pub(super) fn text(&self, key: &Key<Text>) -> Result<Option<String>, SettingError> {
        match self.given.get(key.name) {
            None if key.kind.default.is_empty() => Ok(None),
            None => Ok(Some(key.kind.default.to_owned())),
            Some((Value::String(text), _)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key)),
        }
    }

    /// The text read as what it must be, if there is one.
    pub(super) fn parsed<T: FromStr>(&self, key: &Key<Text>) -> Result<Option<T>, SettingError> {
        let text = self.text(key)?;
        text.map(|text| text.parse().map_err(|_| self.wrong(key))).transpose()
    }

    /// The same for a setting that has a default.
    pub(super) fn required<T: FromStr>(&self, key: &Key<Text>) -> Result<T, SettingError> {
        self.parsed(key)?.ok_or_else(|| self.wrong(key))
    }

    /// Several texts: an array in the file, separated by commas elsewhere.
    pub(super) fn list<T: FromStr>(&self, key: &Key<Text>) -> Result<Vec<T>, SettingError> {
        let parts: Option<Vec<&str>> = match self.given.get(key.name) {
            None => Some(Vec::new()),
            Some((Value::String(text), _)) => Some(text.split(',').map(str::trim).collect()),
            Some((Value::Array(items), _)) => items.iter().map(Value::as_str).collect(),
            Some(_) => None,
        };
        let parsed =
            parts.and_then(|parts| parts.into_iter().map(|part| part.parse().ok()).collect());
        parsed.ok_or_else(|| self.wrong(key))
    }

    /// What a setting is that it must not be, and what would be right.
    pub(super) fn wrong<K: Kind>(&self, key: &Key<K>) -> SettingError {
        let (found, origin) = match self.given.get(key.name) {
            Some((Value::String(text), origin)) => (text.clone(), origin.clone()),
            Some((value, origin)) => (value.to_string(), origin.clone()),
            None => (key.kind.default_text(), Origin::Default),
        };
        SettingError::wrong(origin, key.name, &found, &key.kind.expected())
    }
}

fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> SettingError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    SettingError::NotToml {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        what: error.message().replace('\n', " "),
    }
}

/// The known name most like this one, with or without its group, and by how many
/// letters they differ.
fn nearest(name: &str) -> (&'static str, usize) {
    let name = name.to_ascii_lowercase().replace('.', "_");
    let names = known::ALL.iter().map(|key| key.name());
    let distance = |known: &str| {
        let last = known.rsplit('.').next().unwrap_or(known);
        let whole = known.replace('.', "_");
        edits(&name, &whole).min(edits(&name, last).saturating_add(1))
    };
    names.map(|known| (known, distance(known))).min_by_key(|near| near.1).unwrap_or(("", 0))
}

/// Letters to insert, remove or replace to make one text the other (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.bytes().take(80).enumerate() {
        let mut diagonal = line;
        let mut last = line + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(to.bytes()) {
            let replaced = diagonal + usize::from(left != right);
            diagonal = *cell;
            last = replaced.min(diagonal + 1).min(last + 1);
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(from.len())
}

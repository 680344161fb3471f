//! Tests of policies, in the format of Cedar's own `run-tests` and a little more.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::session::SupposedSession;
use crate::cedar::entity_named;
use crate::event::Verdict;
use crate::model::{AccessRequest, Acr, Action, EntityAsked, Moment, PolicyId, Uid};
use crate::pip;
use crate::projection::{Change, Directory};

/// The most tests in one file.
const TESTS_MAX: usize = 10_000;

/// Why a file is not one of tests; says where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotASuite(String);

/// A file of tests, as its author keeps it.
///
/// `tests` is an array of tests, as `cedar run-tests` takes it, or an object `{"entities": …,
/// "tests": […]}` with entities for those tests that list none of their own. In place of
/// entities may stand the name of a file of them.
///
/// Each test has a `request` (`principal`, `action`, `resource`, `context`) and a `decision`,
/// and may have a `name`, `entities`, a `reason` (policies that must be among those that
/// decide) and `num_errors` (0 unless given), as Cedar's have; and besides, `reason_exact`
/// (the policies that decide, and no others), `also_entities` (put over the others), a
/// `session` (`aal`, `acr` or `amr`, `age_seconds`, `source`), `pep`, `now`, and `step_up` (the
/// class of login that would have it allowed, or `none`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// What messages call it.
    pub name: String,
    /// What is in it.
    pub tests: Value,
    /// The files of entities that it names, and what is in them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Value>,
}

/// A file of tests, read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// What messages call it.
    pub(super) name: String,
    /// In the order of the file.
    pub(super) tests: Vec<Test>,
    /// The directories that it lists, whether whole or by a file's name, each once.
    pub(super) listed: Vec<Directory>,
}

/// One question, and what is expected of the answer.
#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) request: AccessRequest,
    /// The directory it is asked in.
    pub(super) directory: Directory,
    /// The entities that the test itself puts over the others.
    pub(super) own: Vec<Uid>,
    pub(super) session: Option<SupposedSession>,
    pub(super) pep: String,
    pub(super) now: Moment,
    pub(super) expected: Expected,
}

/// What a test expects.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) decision: Verdict,
    /// All of these are among the policies that decide.
    pub(super) reason: BTreeSet<PolicyId>,
    /// These are the policies that decide, and no others.
    pub(super) reason_exact: Option<BTreeSet<PolicyId>>,
    pub(super) num_errors: usize,
    /// Which login would have it allowed.
    pub(super) step_up: Option<Help>,
}

/// Which login would turn a denial into an allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Help {
    /// One of this class, the cheapest that suffices.
    Login(Acr),
    /// None.
    Nothing,
}

/// A test as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    name: String,
    request: WrittenRequest,
    entities: Option<Value>,
    also_entities: Option<Value>,
    decision: Verdict,
    #[serde(default)]
    reason: BTreeSet<PolicyId>,
    reason_exact: Option<BTreeSet<PolicyId>>,
    #[serde(default)]
    num_errors: usize,
    session: Option<SupposedSession>,
    pep: Option<String>,
    now: Option<Moment>,
    step_up: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRequest {
    principal: Value,
    action: Value,
    resource: Value,
    #[serde(default)]
    context: Map<String, Value>,
}

/// What Countersign itself puts in a context, and how a test says it.
const OURS: [(&str, &str); 3] = [("session", "session"), ("pep", "pep"), ("now", "now")];

/// The time that a test is asked at, unless it says another: always the same, so that a
/// test that holds today holds tomorrow. 2026-01-01T00:00:00Z.
const NOW_MICROS: i64 = 1_767_225_600_000_000;

impl Test {
    /// How many decisions it takes at most: for one of a login, one more for each class.
    pub(super) fn decisions(&self) -> u64 {
        let logins = self.expected.step_up.map_or(0, |_| Acr::ALL.len());
        1 + logins as u64
    }
}

impl Suite {
    /// Suites as a version of the policies keeps them: a list in JSON, laid out so that
    /// differences of two are those of lines. Nothing for no suites.
    #[must_use]
    pub fn text_of(suites: &[Self]) -> Option<String> {
        // No suite fails to become JSON.
        (!suites.is_empty()).then(|| serde_json::to_string_pretty(suites).unwrap_or_default())
    }

    /// The suites that a version keeps.
    ///
    /// # Errors
    /// `NotASuite`, if the text is not one of [`Suite::text_of`].
    pub fn of_text(text: &str) -> Result<Vec<Self>, NotASuite> {
        serde_json::from_str(text).map_err(|_| {
            NotASuite("a list of suites of tests was expected, each with `name` and `tests`".into())
        })
    }

    /// The names of the files of entities that it wants, each once.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<String> {
        let tests = self.tests.get("tests").unwrap_or(&self.tests).as_array();
        let all = tests.into_iter().flatten().chain([&self.tests]);
        let named = all.filter_map(|it| it.get("entities")?.as_str());
        named.map(str::to_owned).collect()
    }

    /// How many tests there are, as far as can be seen without reading them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tests.get("tests").unwrap_or(&self.tests).as_array().map_or(0, Vec::len)
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its tests; `common` is the directory of those that have no entities of their own.
    ///
    /// # Errors
    /// [`NotASuite`] for the first fault.
    pub(super) fn read(&self, common: &Directory) -> Result<Read, NotASuite> {
        let (known, listed_here) = (BTreeMap::new(), Vec::new());
        let mut reader = Reader { files: &self.files, known, listed: listed_here };
        let own = self.tests.get("entities").map(|it| reader.directory(it)).transpose();
        let own = own.map_err(|why| NotASuite(format!("entities: {why}")))?;
        let common = own.as_ref().unwrap_or(common);
        let tests = listed(&self.tests)?;
        if tests.len() > TESTS_MAX {
            let found = tests.len();
            let why = format!("{found} tests in one file; at most {TESTS_MAX} are run");
            return Err(NotASuite(why));
        }
        let numbered = tests.iter().enumerate();
        let read = numbered.map(|(at, test)| {
            let named = |why| NotASuite(format!("{}: {why}", label(at, test)));
            reader.test(test, common, at).map_err(named)
        });
        let tests = read.collect::<Result<_, _>>()?;
        Ok(Read { name: self.name.clone(), tests, listed: reader.listed })
    }
}

fn listed(json: &Value) -> Result<&[Value], NotASuite> {
    let tests = match json {
        Value::Object(members) => {
            let known = |name: &&String| *name == "tests" || *name == "entities";
            if let Some(other) = members.keys().find(|name| !known(name)) {
                let why = format!("unknown member `{other}`: there are `entities` and `tests`");
                return Err(NotASuite(why));
            }
            members.get("tests").unwrap_or(&Value::Null)
        }
        other => other,
    };
    let tests = tests.as_array().map(Vec::as_slice);
    tests.ok_or_else(|| NotASuite("expected an array of tests".to_owned()))
}

/// What messages call a test.
fn label(at: usize, test: &Value) -> String {
    match test.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        Some(name) => format!("test `{name}`"),
        None => format!("test {}", at + 1),
    }
}

struct Reader<'a> {
    files: &'a BTreeMap<String, Value>,
    /// The directories that files held.
    known: BTreeMap<String, Directory>,
    /// All directories read.
    listed: Vec<Directory>,
}

impl Reader<'_> {
    fn test(&mut self, json: &Value, common: &Directory, at: usize) -> Result<Test, String> {
        let written = Written::deserialize(json).map_err(|error| error.to_string())?;
        let mut directory = match &written.entities {
            None => common.clone(),
            Some(own) => self.directory(own).map_err(|why| format!("entities: {why}"))?,
        };
        let mut own = Vec::new();
        if let Some(more) = &written.also_entities {
            let more = changes(more).map_err(|why| format!("also_entities: {why}"))?;
            directory = directory.with(&more).map_err(|why| format!("also_entities: {why}"))?;
            own.extend(more.into_iter().filter_map(put));
        }
        let step_up = written.step_up.as_deref().map(class).transpose()?;
        if step_up.is_some() && written.decision == Verdict::Allow {
            return Err("step_up: no login is asked for where access is allowed".to_owned());
        }
        let unnamed = || format!("test {}", at + 1);
        Ok(Test {
            name: if written.name.is_empty() { unnamed() } else { written.name },
            request: request(written.request)?,
            directory,
            own,
            session: written.session,
            pep: written.pep.unwrap_or_else(|| "test".to_owned()),
            now: written.now.unwrap_or_else(|| Moment::from_micros(NOW_MICROS)),
            expected: Expected {
                decision: written.decision,
                reason: written.reason,
                reason_exact: written.reason_exact,
                num_errors: written.num_errors,
                step_up,
            },
        })
    }

    /// A directory of entities that are listed, or in a file of that name.
    fn directory(&mut self, entities: &Value) -> Result<Directory, String> {
        let Value::String(name) = entities else { return self.list(entities) };
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let json = self.files.get(name).ok_or_else(|| format!("there is no file `{name}`"))?;
        let read = self.list(json).map_err(|why| format!("`{name}`: {why}"))?;
        self.known.insert(name.clone(), read.clone());
        Ok(read)
    }

    fn list(&mut self, entities: &Value) -> Result<Directory, String> {
        let read = directory(entities).map_err(|NotASuite(why)| why)?;
        self.listed.push(read.clone());
        Ok(read)
    }
}

/// A directory of nothing but these entities, in Cedar's JSON form.
///
/// # Errors
/// What is wrong with the first that is not an entity, is listed twice, or would be in
/// itself.
pub(super) fn directory(entities: &Value) -> Result<Directory, NotASuite> {
    let after = Directory::default().with(&changes(entities).map_err(NotASuite)?);
    after.map_err(|why| NotASuite(why.to_string()))
}

fn changes(entities: &Value) -> Result<Vec<Change>, String> {
    let read = pip::read_entities(entities).map_err(|why| why.to_string())?;
    let mut seen = BTreeSet::new();
    if let Some(twice) = read.iter().find(|it| !seen.insert(it.uid.clone())) {
        return Err(format!("`{}` is listed twice", twice.uid));
    }
    // Cedar's own tests list actions too; those are the schema's to declare.
    let action = |uid: &Uid| uid.kind().as_str().rsplit("::").next() == Some("Action");
    Ok(read.into_iter().filter(|it| !action(&it.uid)).map(Change::Put).collect())
}

fn put(change: Change) -> Option<Uid> {
    match change {
        Change::Put(document) => Some(document.uid),
        Change::Remove(_) => None,
    }
}

fn class(name: &str) -> Result<Help, String> {
    if name == "none" {
        return Ok(Help::Nothing);
    }
    let found = Acr::ALL.into_iter().find(|acr| {
        let short = acr.as_str().strip_prefix("urn:countersign:");
        acr.as_str() == name || short == Some(name)
    });
    found.map(Help::Login).ok_or_else(|| {
        format!("step_up: no class `{name}`; there are aal1, aal2, phr, phrh, and none")
    })
}

fn request(written: WrittenRequest) -> Result<AccessRequest, String> {
    let WrittenRequest { principal, action, resource, context } = written;
    if let Some((ours, member)) = OURS.into_iter().find(|(ours, _)| context.contains_key(*ours)) {
        return Err(format!(
            "request.context.{ours}: no caller can say that, so say it as the test's `{member}`"
        ));
    }
    let entity = |place: &str, json: &Value| {
        let uid = uid(place, json)?;
        let (kind, id) = (uid.kind().as_str().to_owned(), uid.id().to_owned());
        Ok::<_, String>(EntityAsked { kind, id, properties: Map::new() })
    };
    let action = uid("request.action", &action)?;
    Ok(AccessRequest {
        subject: entity("request.principal", &principal)?,
        action: Action {
            name: format!("{}::{}", action.kind(), action.id()),
            properties: Map::new(),
        },
        resource: entity("request.resource", &resource)?,
        context,
    })
}

/// An entity as text, `User::"alice"`, or as Cedar's JSON has it.
fn uid(place: &str, json: &Value) -> Result<Uid, String> {
    let named = match json {
        Value::String(text) => entity_named(text),
        json => {
            let json = json.get("__entity").unwrap_or(json);
            let part = |name: &str| json.get(name).and_then(Value::as_str);
            part("type").zip(part("id")).and_then(|(kind, id)| Uid::parse(kind, id).ok())
        }
    };
    named.ok_or_else(|| format!("{place}: expected an entity such as `User::\"alice\"`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn suite(tests: Value) -> Suite {
        Suite { name: "t.json".to_owned(), tests, files: BTreeMap::new() }
    }

    fn test(more: Value) -> Value {
        let mut test = json!({
            "request": {
                "principal": "User::\"a\"", "action": "Action::\"view\"",
                "resource": {"type": "Doc", "id": "b"},
            },
            "decision": "deny",
        });
        if let (Some(test), Value::Object(more)) = (test.as_object_mut(), more) {
            test.extend(more);
        }
        test
    }

    fn refused(more: Value) -> String {
        suite(json!([test(more)])).read(&Directory::default()).unwrap_err().to_string()
    }

    #[test]
    fn a_test_of_cedars_own_is_read_as_it_is() {
        let whole = json!({
            "name": "n", "request": {
                "principal": "User::\"a\"", "action": "Action::\"view\"",
                "resource": "Doc::\"b\"", "context": {"mfa": true},
            },
            "entities": [
                {"uid": {"type": "User", "id": "a"}, "attrs": {}, "parents": []},
                {"uid": {"type": "Action", "id": "view"}, "attrs": {}, "parents": []},
            ],
            "decision": "allow", "reason": ["p"], "num_errors": 1,
        });
        let read = suite(json!([whole])).read(&Directory::default()).unwrap();
        let [test] = read.tests.as_slice() else { panic!("{read:?}") };
        assert_eq!((test.directory.len(), test.expected.num_errors), (1, 1));
        assert_eq!((test.request.subject.id.as_str(), test.request.context.len()), ("a", 1));
        assert_eq!(test.request.action.name, "Action::view");
    }

    #[test]
    fn entities_come_from_the_test_its_file_or_those_there_are() {
        let entity = |id: &str| json!({"uid": {"type": "User", "id": id}});
        let common = directory(&json!([entity("c"), entity("d")])).unwrap();
        let files = BTreeMap::from([("e.json".to_owned(), json!([entity("f")]))]);
        let tests = json!([
            test(json!({})),
            test(json!({"entities": "e.json"})),
            test(json!({"entities": "e.json", "also_entities": [entity("g")]})),
            test(json!({"entities": []})),
        ]);
        let suite = Suite { files, ..suite(tests) };
        assert_eq!(suite.wanted(), ["e.json".to_owned()].into());
        let read = suite.read(&common).unwrap();
        let sizes: Vec<_> = read.tests.iter().map(|test| test.directory.len()).collect();
        assert_eq!(sizes, [2, 1, 2, 0]);
        assert_eq!(read.listed.len(), 2);
        let whole = json!({"entities": [entity("h")], "tests": [test(json!({}))]});
        let read = self::suite(whole).read(&common).unwrap();
        assert_eq!(read.tests.first().map(|test| test.directory.len()), Some(1));
    }

    #[test]
    fn what_is_not_a_test_is_named_with_its_place() {
        for (more, says) in [
            (json!({"decison": "allow"}), "test 1: unknown field `decison`"),
            (json!({"name": "n", "decision": "maybe"}), "test `n`: unknown variant `maybe`"),
            (json!({"entities": "gone.json"}), "there is no file `gone.json`"),
            (json!({"entities": [{"uid": 1}]}), "entities: entities[0]: uid"),
            (json!({"step_up": "aal9"}), "no class `aal9`"),
            (json!({"decision": "allow", "step_up": "aal2"}), "no login is asked for"),
            (json!({"session": {"aal": 9}}), "1, 2 or 3"),
        ] {
            let why = refused(more);
            assert!(why.contains(says), "{why}");
        }
        let request = |principal: Value, context: Value| {
            refused(json!({"request": {
                "principal": principal, "action": "Action::\"a\"", "resource": "D::\"b\"",
                "context": context,
            }}))
        };
        assert!(request(json!("alice"), json!({})).contains("request.principal: expected an"));
        let ours = request(json!("U::\"a\""), json!({"session": {"aal": 2}}));
        assert!(ours.contains("say it as the test's `session`"), "{ours}");
        let twice = json!([{"uid": {"type": "U", "id": "a"}}, {"uid": {"type": "U", "id": "a"}}]);
        assert!(refused(json!({"entities": twice})).contains("listed twice"));
        let other = suite(json!({"test": []})).read(&Directory::default()).unwrap_err();
        assert!(other.to_string().contains("unknown member `test`"), "{other}");
    }
}

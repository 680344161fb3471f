//! `AuthZEN`'s information model (Authorization API 1.0 §5 to §7), read strictly.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::uid::{ID_BYTES_MAX, TYPE_BYTES_MAX};
use super::{Pointer, personal};

/// Why a body is not an access request; says where and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct BadRequest {
    /// A path such as `subject.type` or `context.a[2]`.
    pub place: String,
    /// What is wrong and what would be right.
    pub problem: &'static str,
}

impl BadRequest {
    fn new(place: impl Into<String>, problem: &'static str) -> Self {
        Self { place: place.into(), problem }
    }
}

/// A subject or resource as the caller names it. The type is not yet known to be
/// one of the schema's, nor even to be a type name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntityAsked {
    /// The type, 1 to 256 bytes.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id, at most 1,024 bytes.
    pub id: String,
    /// What the caller says about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}

/// An action as the caller names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// The name, 1 to 1,024 bytes.
    pub name: String,
    /// What the caller says about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
}

/// "May this subject do this to that?"
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessRequest {
    /// Who.
    pub subject: EntityAsked,
    /// What.
    pub action: Action,
    /// To what.
    pub resource: EntityAsked,
    /// Under which circumstances, as the caller says.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
}

/// How a batch ends (§7.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantic {
    /// Decide all.
    ExecuteAll,
    /// Stop after the first deny.
    DenyOnFirstDeny,
    /// Stop after the first permit.
    PermitOnFirstPermit,
}

/// One item of a batch, defaults filled in, or what is wrong with it alone.
pub type Item = Result<AccessRequest, BadRequest>;

/// A body of the Access Evaluations API.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// `evaluations` is absent or empty: answered as a single evaluation.
    Single(Box<AccessRequest>),
    /// One request for each item, in order.
    Many {
        /// The items; a faulty one does not spoil the others.
        items: Vec<Item>,
        /// When to stop.
        semantic: Semantic,
    },
}

impl AccessRequest {
    /// Takes a member out, such as `/context/address`. Nothing if there is none.
    pub fn take(&mut self, pointer: &Pointer) -> Option<Value> {
        let names = pointer.names();
        let (members, path) = self.place(&names)?;
        personal::take(members, path)
    }

    /// Puts a member back where it was taken from.
    pub fn put(&mut self, pointer: &Pointer, value: &Value) {
        let names = pointer.names();
        if let Some((members, path)) = self.place(&names) {
            personal::put(members, path, value);
        }
    }

    /// Takes out which obligations the caller can carry out, which is no policy's to read
    /// (`AuthZEN` Obligations Profile, draft 1), and says whether this one is among them.
    pub fn takes_supported(&mut self, obligation: &str) -> bool {
        let supported = self.context.remove("supported_obligations");
        let types = supported.as_ref().and_then(Value::as_array).into_iter().flatten();
        types.into_iter().any(|it| it.as_str() == Some(obligation))
    }

    fn place<'a, 'b>(
        &mut self,
        names: &'a [&'b str],
    ) -> Option<(&mut Map<String, Value>, &'a [&'b str])> {
        match names {
            ["subject", "properties", path @ ..] => Some((&mut self.subject.properties, path)),
            ["action", "properties", path @ ..] => Some((&mut self.action.properties, path)),
            ["resource", "properties", path @ ..] => Some((&mut self.resource.properties, path)),
            ["context", path @ ..] => Some((&mut self.context, path)),
            _ => None,
        }
    }

    /// Reads a body of the Access Evaluation API (§6). Unknown members are
    /// ignored; null members count as absent.
    ///
    /// # Errors
    /// [`BadRequest`] with the path of what is missing, mistyped or refused.
    pub fn from_json(body: &Value) -> Result<Self, BadRequest> {
        let members = top(body)?;
        Self::from_parts(&|name| present(members, name))
    }

    /// Reads the parts where they are found.
    fn from_parts<'a>(part: &dyn Fn(&str) -> Option<&'a Value>) -> Result<Self, BadRequest> {
        Ok(Self {
            subject: entity(part("subject"), "subject")?,
            action: action(part("action"))?,
            resource: entity(part("resource"), "resource")?,
            context: free(part("context"), &|| "context".to_owned())?,
        })
    }
}

impl Batch {
    /// Reads a body of the Access Evaluations API (§7): an item's member replaces
    /// the top-level one as a whole.
    ///
    /// # Errors
    /// [`BadRequest`] for a fault of the whole body: wrong types at the top level,
    /// an unknown semantic, more than `items_max` items.
    pub fn from_json(body: &Value, items_max: usize) -> Result<Self, BadRequest> {
        let members = top(body)?;
        for name in ["subject", "action", "resource", "context"] {
            present(members, name).map_or(Ok(()), |value| object(value, name).map(|_| ()))?;
        }
        let semantic = semantic(members)?;
        let listed = match present(members, "evaluations") {
            None => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => return Err(BadRequest::new("evaluations", "expected an array")),
        };
        if listed.is_empty() {
            return AccessRequest::from_json(body).map(|one| Self::Single(Box::new(one)));
        }
        if listed.len() > items_max {
            return Err(BadRequest::new("evaluations", "more items than one request may have"));
        }
        let items = listed.iter().enumerate().map(|(at, item)| merged(members, item, at));
        Ok(Self::Many { items: items.collect(), semantic })
    }
}

fn merged(defaults: &Map<String, Value>, item: &Value, at: usize) -> Item {
    let place = || format!("evaluations[{at}]");
    let own = item.as_object().ok_or_else(|| BadRequest::new(place(), EXPECTED_OBJECT))?;
    AccessRequest::from_parts(&|name| present(own, name).or_else(|| present(defaults, name)))
        .map_err(|error| BadRequest::new(format!("{}.{}", place(), error.place), error.problem))
}

fn semantic(members: &Map<String, Value>) -> Result<Semantic, BadRequest> {
    let Some(options) = present(members, "options") else { return Ok(Semantic::ExecuteAll) };
    let place = "options.evaluations_semantic";
    match present(object(options, "options")?, "evaluations_semantic").map(Value::as_str) {
        None | Some(Some("execute_all")) => Ok(Semantic::ExecuteAll),
        Some(Some("deny_on_first_deny")) => Ok(Semantic::DenyOnFirstDeny),
        Some(Some("permit_on_first_permit")) => Ok(Semantic::PermitOnFirstPermit),
        Some(_) => Err(BadRequest::new(
            place,
            "expected execute_all, deny_on_first_deny or permit_on_first_permit",
        )),
    }
}

fn top(body: &Value) -> Result<&Map<String, Value>, BadRequest> {
    object(body, "body")
}

fn entity(value: Option<&Value>, name: &str) -> Result<EntityAsked, BadRequest> {
    let own = object(value.ok_or_else(|| missing(name))?, name)?;
    Ok(EntityAsked {
        kind: text(own, "type", name, TYPE_BYTES_MAX)?,
        id: text(own, "id", name, ID_BYTES_MAX)?,
        properties: properties(own, name)?,
    })
}

fn action(value: Option<&Value>) -> Result<Action, BadRequest> {
    let own = object(value.ok_or_else(|| missing("action"))?, "action")?;
    Ok(Action {
        name: text(own, "name", "action", ID_BYTES_MAX)?,
        properties: properties(own, "action")?,
    })
}

fn properties(members: &Map<String, Value>, of: &str) -> Result<Map<String, Value>, BadRequest> {
    free(present(members, "properties"), &|| format!("{of}.properties"))
}

fn missing(name: &str) -> BadRequest {
    BadRequest::new(name, "missing: expected an object")
}

fn present<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, BadRequest> {
    value.as_object().ok_or_else(|| BadRequest::new(place, EXPECTED_OBJECT))
}

const EXPECTED_OBJECT: &str = "expected an object";

fn text(
    members: &Map<String, Value>,
    name: &str,
    of: &str,
    bytes_max: usize,
) -> Result<String, BadRequest> {
    let wrong = |problem| Err(BadRequest::new(format!("{of}.{name}"), problem));
    match present(members, name) {
        None => wrong("missing: expected text"),
        Some(Value::String(text)) if text.is_empty() => wrong("must not be empty"),
        Some(Value::String(text)) if text.len() <= bytes_max => Ok(text.clone()),
        Some(Value::String(_)) => wrong("too long"),
        Some(_) => wrong("expected text"),
    }
}

/// An object of the caller's own making, searched for Cedar's escapes: they would
/// turn text into an entity reference or an extension value.
fn free(
    value: Option<&Value>,
    place: &dyn Fn() -> String,
) -> Result<Map<String, Value>, BadRequest> {
    let Some(value) = value else { return Ok(Map::new()) };
    let own = value.as_object().ok_or_else(|| BadRequest::new(place(), EXPECTED_OBJECT))?;
    own.iter().try_for_each(|(name, value)| no_escape(name, value, place))?;
    Ok(own.clone())
}

fn no_escape(name: &str, value: &Value, place: &dyn Fn() -> String) -> Result<(), BadRequest> {
    let here = || format!("{}.{}", place(), name.chars().take(64).collect::<String>());
    if matches!(name, "__entity" | "__extn" | "__expr") {
        let problem = "reserved: write a reference as plain text, the schema gives it its type";
        return Err(BadRequest::new(here(), problem));
    }
    inside(value, &here)
}

fn inside(value: &Value, place: &dyn Fn() -> String) -> Result<(), BadRequest> {
    match value {
        Value::Object(members) => {
            members.iter().try_for_each(|(name, value)| no_escape(name, value, place))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| inside(item, &|| format!("{}[{at}]", place()))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask() -> Value {
        json!({
            "subject": {"type": "user", "id": "alice"},
            "action": {"name": "read"},
            "resource": {"type": "record", "id": "1", "properties": {"owner": "bob"}},
        })
    }

    fn fault(body: &Value) -> String {
        AccessRequest::from_json(body).unwrap_err().to_string()
    }

    #[test]
    fn a_request_is_read_and_written_as_it_was() {
        let request = AccessRequest::from_json(&ask()).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), ask());
    }

    #[test]
    fn unknown_members_are_ignored_and_nulls_are_absent() {
        let mut body = ask();
        body["extra"] = json!(1);
        body["subject"]["_note"] = json!("x");
        body["context"] = Value::Null;
        let plain = AccessRequest::from_json(&ask()).unwrap();
        assert_eq!(AccessRequest::from_json(&body), Ok(plain));
    }

    #[test]
    fn an_error_names_its_place() {
        let mut body = ask();
        body["subject"]["id"] = json!(7);
        assert_eq!(fault(&body), "subject.id: expected text");
        body["subject"] = Value::Null;
        assert_eq!(fault(&body), "subject: missing: expected an object");
        assert_eq!(fault(&json!([1])), "body: expected an object");
    }

    #[test]
    fn an_escape_is_refused_however_deep() {
        let mut body = ask();
        body["context"] = json!({"a": [{"b": {"__entity": {"type": "role", "id": "admin"}}}]});
        assert!(fault(&body).starts_with("context.a[0].b.__entity: reserved"));
    }

    #[test]
    fn an_items_member_replaces_the_default_whole() {
        let mut body = ask();
        let record = json!({"type": "record", "id": "2"});
        body["evaluations"] = json!([{}, {"resource": record}, {"action": {}}, 5]);
        let Ok(Batch::Many { items, semantic }) = Batch::from_json(&body, 10) else {
            panic!("not read as a batch");
        };
        assert_eq!(semantic, Semantic::ExecuteAll);
        assert_eq!(items[0].as_ref().unwrap().resource.id, "1");
        assert!(items[1].as_ref().unwrap().resource.properties.is_empty());
        let fault = |at: usize| items[at].as_ref().unwrap_err().to_string();
        assert_eq!(fault(2), "evaluations[2].action.name: missing: expected text");
        assert_eq!(fault(3), "evaluations[3]: expected an object");
    }

    #[test]
    fn an_unusable_default_matters_only_where_it_is_used() {
        let mut body = ask();
        body["resource"] = json!({});
        body["evaluations"] = json!([{"resource": {"type": "record", "id": "2"}}, {}]);
        let Ok(Batch::Many { items, .. }) = Batch::from_json(&body, 10) else {
            panic!("not read as a batch");
        };
        assert!(items[0].is_ok() && items[1].is_err());
    }

    #[test]
    fn faults_of_the_whole_body_are_its_own() {
        let mut body = ask();
        body["options"] = json!({"evaluations_semantic": "sometimes"});
        assert!(Batch::from_json(&body, 10).is_err());
        body["options"] = json!({"other": 1});
        assert!(matches!(Batch::from_json(&body, 10), Ok(Batch::Single(_))));
        body["evaluations"] = json!([{}, {}, {}]);
        assert!(Batch::from_json(&body, 2).is_err());
        body["evaluations"] = json!({});
        assert!(Batch::from_json(&body, 2).is_err());
    }
}

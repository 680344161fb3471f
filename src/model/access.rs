//! `AuthZEN`'s information model (Authorization API 1.0 §5 to §7), read strictly.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::came::{Body, Came, Items, Options, Part, Question};
use super::uid::{ID_BYTES_MAX, TYPE_BYTES_MAX};
use super::{JsonError, JsonLimits, Pointer, personal};

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

    /// Reads a body of the Access Evaluation API (§6), in one pass. Unknown members are
    /// ignored; null members count as absent.
    ///
    /// # Errors
    /// [`JsonError`] for what is no strict JSON within the limits; then [`BadRequest`] with
    /// the path of what is missing, mistyped or refused.
    pub fn read(text: &[u8], limits: JsonLimits) -> Result<Result<Self, BadRequest>, JsonError> {
        Ok(whole(Body::read(text, limits, 0)?).and_then(|body| Self::of(body.question)))
    }

    /// As [`AccessRequest::read`], of what has been read as JSON.
    ///
    /// # Errors
    /// [`BadRequest`].
    pub fn from_json(body: &Value) -> Result<Self, BadRequest> {
        whole(Body::of(body, 0)).and_then(|body| Self::of(body.question))
    }

    fn of(came: Question) -> Result<Self, BadRequest> {
        Ok(Self {
            subject: entity(came.subject, "subject")?,
            action: action(came.action)?,
            resource: entity(came.resource, "resource")?,
            context: free(came.context, &|| "context".to_owned())?,
        })
    }
}

impl Batch {
    /// Reads a body of the Access Evaluations API (§7), in one pass: an item's member
    /// replaces the top-level one as a whole.
    ///
    /// # Errors
    /// [`JsonError`] for what is no strict JSON within the limits; then [`BadRequest`] for a
    /// fault of the whole body: wrong types at the top level, an unknown semantic, more than
    /// `items_max` items.
    pub fn read(
        text: &[u8],
        limits: JsonLimits,
        items_max: usize,
    ) -> Result<Result<Self, BadRequest>, JsonError> {
        Ok(whole(Body::read(text, limits, items_max)?).and_then(Self::of))
    }

    /// As [`Batch::read`], of what has been read as JSON.
    ///
    /// # Errors
    /// [`BadRequest`].
    pub fn from_json(body: &Value, items_max: usize) -> Result<Self, BadRequest> {
        whole(Body::of(body, items_max)).and_then(Self::of)
    }

    fn of(Body { question, options, items }: Body) -> Result<Self, BadRequest> {
        let Question { subject, action, resource, context } = &question;
        for (name, part) in [("subject", subject), ("action", action), ("resource", resource)] {
            expect_object(part, name)?;
        }
        expect_object(context, "context")?;
        let semantic = semantic(options)?;
        let items = match items {
            Came::Absent => Items::default(),
            Came::Whole(items) => items,
            Came::Wrong => return Err(BadRequest::new("evaluations", "expected an array")),
        };
        if items.dropped > 0 {
            return Err(BadRequest::new("evaluations", "more items than one request may have"));
        }
        if items.kept.is_empty() {
            return AccessRequest::of(question).map(|one| Self::Single(Box::new(one)));
        }
        let items = items.kept.into_iter().enumerate();
        let items = items.map(|(at, item)| merged(&question, item, at)).collect();
        Ok(Self::Many { items, semantic })
    }
}

fn merged(defaults: &Question, item: Came<Box<Question>>, at: usize) -> Item {
    let place = || format!("evaluations[{at}]");
    let Came::Whole(own) = item else { return Err(BadRequest::new(place(), EXPECTED_OBJECT)) };
    let asked = Question {
        subject: or(own.subject, &defaults.subject),
        action: or(own.action, &defaults.action),
        resource: or(own.resource, &defaults.resource),
        context: or(own.context, &defaults.context),
    };
    AccessRequest::of(asked)
        .map_err(|error| BadRequest::new(format!("{}.{}", place(), error.place), error.problem))
}

fn or<T: Clone>(own: Came<T>, default: &Came<T>) -> Came<T> {
    if own.is_absent() { default.clone() } else { own }
}

fn semantic(options: Came<Options>) -> Result<Semantic, BadRequest> {
    expect_object(&options, "options")?;
    let Came::Whole(Options { semantic }) = options else { return Ok(Semantic::ExecuteAll) };
    let problem = "expected execute_all, deny_on_first_deny or permit_on_first_permit";
    let unknown = || BadRequest::new("options.evaluations_semantic", problem);
    let Came::Whole(name) = semantic else {
        return if semantic.is_absent() { Ok(Semantic::ExecuteAll) } else { Err(unknown()) };
    };
    match name.as_str() {
        "execute_all" => Ok(Semantic::ExecuteAll),
        "deny_on_first_deny" => Ok(Semantic::DenyOnFirstDeny),
        "permit_on_first_permit" => Ok(Semantic::PermitOnFirstPermit),
        _ => Err(unknown()),
    }
}

fn whole(body: Came<Body>) -> Result<Body, BadRequest> {
    match body {
        Came::Whole(body) => Ok(body),
        Came::Absent | Came::Wrong => Err(BadRequest::new("body", EXPECTED_OBJECT)),
    }
}

fn expect_object<T>(came: &Came<T>, place: &str) -> Result<(), BadRequest> {
    match came {
        Came::Wrong => Err(BadRequest::new(place, EXPECTED_OBJECT)),
        Came::Absent | Came::Whole(_) => Ok(()),
    }
}

fn part(came: Came<Part>, name: &str) -> Result<Part, BadRequest> {
    match came {
        Came::Whole(part) => Ok(part),
        Came::Wrong => Err(BadRequest::new(name, EXPECTED_OBJECT)),
        Came::Absent => Err(BadRequest::new(name, "missing: expected an object")),
    }
}

fn entity(came: Came<Part>, name: &str) -> Result<EntityAsked, BadRequest> {
    let own = part(came, name)?;
    Ok(EntityAsked {
        kind: text(own.kind, "type", name, TYPE_BYTES_MAX)?,
        id: text(own.id, "id", name, ID_BYTES_MAX)?,
        properties: free(own.properties, &|| format!("{name}.properties"))?,
    })
}

fn action(came: Came<Part>) -> Result<Action, BadRequest> {
    let own = part(came, "action")?;
    Ok(Action {
        name: text(own.name, "name", "action", ID_BYTES_MAX)?,
        properties: free(own.properties, &|| "action.properties".to_owned())?,
    })
}

const EXPECTED_OBJECT: &str = "expected an object";

fn text(came: Came<String>, name: &str, of: &str, bytes_max: usize) -> Result<String, BadRequest> {
    let wrong = |problem| Err(BadRequest::new(format!("{of}.{name}"), problem));
    match came {
        Came::Absent => wrong("missing: expected text"),
        Came::Whole(text) if text.is_empty() => wrong("must not be empty"),
        Came::Whole(text) if text.len() <= bytes_max => Ok(text),
        Came::Whole(_) => wrong("too long"),
        Came::Wrong => wrong("expected text"),
    }
}

/// An object of the caller's own making, searched for Cedar's escapes: they would
/// turn text into an entity reference or an extension value.
fn free(
    came: Came<Map<String, Value>>,
    place: &dyn Fn() -> String,
) -> Result<Map<String, Value>, BadRequest> {
    let own = match came {
        Came::Whole(own) => own,
        Came::Absent => Map::new(),
        Came::Wrong => return Err(BadRequest::new(place(), EXPECTED_OBJECT)),
    };
    own.iter().try_for_each(|(name, value)| no_escape(name, value, place))?;
    Ok(own)
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

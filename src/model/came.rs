//! The bodies of `AuthZEN`'s evaluation APIs as they came: read in one pass from the text,
//! strictly, without a tree of all that stands there. What is wrong with them is told
//! later, in the order of the specification, not of the text.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::json::{Strict, twice};
use super::{JsonError, JsonLimits, json};

/// A member as it came. One that is null counts as absent.
#[derive(Clone, Debug, Default)]
pub(super) enum Came<T> {
    /// It did not come.
    #[default]
    Absent,
    /// It is of another type.
    Wrong,
    /// It came.
    Whole(T),
}

impl<T> Came<T> {
    pub(super) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    fn of(value: Value, whole: impl FnOnce(Value) -> Option<T>) -> Self {
        if value.is_null() { Self::Absent } else { whole(value).map_or(Self::Wrong, Self::Whole) }
    }
}

impl From<Value> for Came<String> {
    fn from(value: Value) -> Self {
        Self::of(value, |value| if let Value::String(text) = value { Some(text) } else { None })
    }
}

impl From<Value> for Came<Map<String, Value>> {
    fn from(value: Value) -> Self {
        Self::of(value, |value| if let Value::Object(own) = value { Some(own) } else { None })
    }
}

/// A subject, an action or a resource.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub(super) kind: Came<String>,
    pub(super) id: Came<String>,
    pub(super) name: Came<String>,
    pub(super) properties: Came<Map<String, Value>>,
}

/// A question, or an item of several.
#[derive(Clone, Debug, Default)]
pub(super) struct Question {
    pub(super) subject: Came<Part>,
    pub(super) action: Came<Part>,
    pub(super) resource: Came<Part>,
    pub(super) context: Came<Map<String, Value>>,
}

/// A whole body.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    /// The question, or what its items have in common.
    pub(super) question: Question,
    pub(super) options: Came<Options>,
    pub(super) items: Came<Items>,
}

/// What is said of several questions.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) semantic: Came<String>,
}

/// Several questions; those too many are only counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Items {
    pub(super) kept: Vec<Came<Box<Question>>>,
    pub(super) dropped: usize,
}

impl Body {
    /// Reads a body of at most so many items. Linear in the text.
    ///
    /// # Errors
    /// Those of [`json::parse`].
    pub(super) fn read(
        text: &[u8],
        limits: JsonLimits,
        items_max: usize,
    ) -> Result<Came<Self>, JsonError> {
        json::read(text, limits, |strict| Object::within(strict, items_max))
    }

    /// Reads what has been read as JSON before.
    pub(super) fn of(value: &Value, items_max: usize) -> Came<Self> {
        // Nothing can be wrong with it any more.
        Object::within(Strict::UNBOUNDED, items_max).deserialize(value).unwrap_or(Came::Wrong)
    }
}

/// An object of members that are known, and others, which are read and ignored.
trait Members: Default {
    /// Takes one member's value; false if there is no such member.
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
        bounds: Bounds,
    ) -> Result<bool, A::Error>;
}

/// How much may come.
#[derive(Clone, Copy)]
struct Bounds {
    strict: Strict,
    items_max: usize,
}

impl Members for Part {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
        bounds: Bounds,
    ) -> Result<bool, A::Error> {
        let mut value = || members.next_value_seed(bounds.strict);
        match name {
            "type" => self.kind = value()?.into(),
            "id" => self.id = value()?.into(),
            "name" => self.name = value()?.into(),
            "properties" => self.properties = value()?.into(),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Members for Question {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
        bounds: Bounds,
    ) -> Result<bool, A::Error> {
        let part = Object::<Part>::new(bounds);
        match name {
            "subject" => self.subject = members.next_value_seed(part)?,
            "action" => self.action = members.next_value_seed(part)?,
            "resource" => self.resource = members.next_value_seed(part)?,
            "context" => self.context = members.next_value_seed(bounds.strict)?.into(),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Members for Options {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
        bounds: Bounds,
    ) -> Result<bool, A::Error> {
        if name == "evaluations_semantic" {
            self.semantic = members.next_value_seed(bounds.strict)?.into();
            return Ok(true);
        }
        Ok(false)
    }
}

impl Members for Body {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
        bounds: Bounds,
    ) -> Result<bool, A::Error> {
        match name {
            "options" => self.options = members.next_value_seed(Object::new(bounds))?,
            "evaluations" => self.items = members.next_value_seed(List(bounds))?,
            _ => return self.question.take(name, members, bounds),
        }
        Ok(true)
    }
}

/// Reads an object.
struct Object<T> {
    bounds: Bounds,
    of: PhantomData<T>,
}

impl<T> Object<T> {
    const fn new(bounds: Bounds) -> Self {
        Self { bounds, of: PhantomData }
    }

    const fn within(strict: Strict, items_max: usize) -> Self {
        Self::new(Bounds { strict, items_max })
    }
}

impl<'de, T: Members> DeserializeSeed<'de> for Object<T> {
    type Value = Came<T>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Came<T>, D::Error> {
        from.deserialize_any(self)
    }
}

/// What is neither an object nor a list is read as any JSON is, and of the wrong type.
macro_rules! otherwise_wrong {
    ($strict:expr) => {
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a JSON value")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Came::Absent)
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Came::Wrong)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Came::Wrong)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Came::Wrong)
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
            $strict(self).visit_f64(number).map(|_| Came::Wrong)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Came::Wrong)
        }
    };
}

impl<'de, T: Members> Visitor<'de> for Object<T> {
    type Value = Came<T>;
    otherwise_wrong!(|it: Self| it.bounds.strict);

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Came<T>, A::Error> {
        self.bounds.strict.visit_seq(items).map(|_| Came::Wrong)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Came<T>, A::Error> {
        let bounds = Bounds { strict: self.bounds.strict.deeper()?, ..self.bounds };
        let (mut object, mut names) = (T::default(), BTreeSet::new());
        while let Some(name) = members.next_key_seed(Name)? {
            if names.contains(&name) {
                return Err(twice(&name));
            }
            if !object.take(&name, &mut members, bounds)? {
                drop(members.next_value_seed(bounds.strict)?);
            }
            names.insert(name);
        }
        Ok(Came::Whole(object))
    }
}

/// Reads the items.
struct List(Bounds);

impl<'de> DeserializeSeed<'de> for List {
    type Value = Came<Items>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Came<Items>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List {
    type Value = Came<Items>;
    otherwise_wrong!(|it: Self| it.0.strict);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Came<Items>, A::Error> {
        let bounds = Bounds { strict: self.0.strict.deeper()?, ..self.0 };
        let mut all = Items::default();
        while all.kept.len() < bounds.items_max {
            let Some(item) = items.next_element_seed(Object::new(bounds))? else {
                return Ok(Came::Whole(all));
            };
            all.kept.push(match item {
                Came::Whole(question) => Came::Whole(Box::new(question)),
                Came::Absent | Came::Wrong => Came::Wrong,
            });
        }
        while items.next_element_seed(bounds.strict)?.is_some() {
            all.dropped += 1;
        }
        Ok(Came::Whole(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Came<Items>, A::Error> {
        self.0.strict.visit_map(members).map(|_| Came::Wrong)
    }
}

/// A member's name, borrowed where it stands as it is.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cow<'de, str>, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a member's name")
    }
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }
    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

//! What stands around every fact: CloudEvents 1.0 attributes and our positions.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::Event;
use crate::model::{Digest, Index, Moment, StreamName, Username, Version};

/// Who caused an event, as the node itself has established it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The node, of its own accord.
    Node,
    /// Whoever can write the stopped data directory.
    LocalOperator,
    /// Nobody in particular: a caller who has not authenticated yet.
    Anonymous,
    /// A person who has logged in.
    Person(Username),
    /// The holder of a service token.
    Service(Uuid),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::LocalOperator => f.write_str("local-operator"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::Person(name) => write!(f, "person/{name}"),
            Self::Service(id) => write!(f, "service/{id}"),
        }
    }
}

impl FromStr for Actor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{}` is no actor", text.chars().take(64).collect::<String>());
        match text.split_once('/') {
            None if text == "node" => Ok(Self::Node),
            None if text == "local-operator" => Ok(Self::LocalOperator),
            None if text == "anonymous" => Ok(Self::Anonymous),
            Some(("person", name)) => name.parse().map(Self::Person).map_err(|_| unknown()),
            Some(("service", id)) => id.parse().map(Self::Service).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

/// From where a person, or somebody who is yet to show who they are, caused an event; as the
/// node has established it. Nothing of it for a service or a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whence {
    /// The session it was done in (`sessionid`).
    pub session: Option<Uuid>,
    /// The network it came from (`network`): a keyed hash, which tells one from another
    /// and nobody where it is.
    pub network: Option<Digest>,
}

/// A fact that has not been given its place yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Who caused it.
    pub actor: Actor,
    /// The request it belongs to, as the caller or the node named it.
    pub correlation: Option<String>,
    /// From where.
    pub whence: Whence,
    /// The fact.
    pub event: Event,
}

/// A fact in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// UUIDv7, strictly increasing along the log.
    pub id: Uuid,
    /// When it was written; never decreasing along the log.
    pub time: Moment,
    /// Its place in the log.
    pub index: Index,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream, from 1.
    pub version: Version,
    /// The first event of the batch it was written in; that one's is its own id.
    pub causation: Uuid,
    /// The id of the log, written as `source`.
    pub log: Uuid,
    /// Who caused it.
    pub actor: Actor,
    /// The request it belongs to.
    pub correlation: Option<String>,
    /// From where it was caused.
    pub whence: Whence,
    /// The fact.
    pub event: Event,
}

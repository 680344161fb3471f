//! The stored bytes of an event: one JSON object, field order fixed.
//!
//! ```text
//! {"specversion":"1.0","id":"…36…","time":"…27…","index":       …16…,
//!  "version":       …16…,"causationid":"…36…","source":"urn:uuid:…","type":"…",
//!  "stream":"…","actor":"…"[,"subject":"…"][,"correlationid":"…"][,"sessionid":"…"]
//!  [,"network":"…"],"data":{…}}
//! ```
//! (on one line). `datacontenttype` is absent, which means JSON (CloudEvents 1.0, JSON
//! format §3.1.1); entries of the first builds say so.
//!
//! The head, up to `causationid`, has a fixed width, so that the writer stamps it
//! in front of a tail which somebody else has serialised. These very bytes are
//! what is hashed, exported and read for ever; they are never re-serialised.

use std::io::Write as _;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Actor, Envelope, Event, NewEvent, Whence};
use crate::model::{Digest, Index, Moment, StreamName, Version};

/// The most bytes one entry may have: 48 KiB.
pub const ENTRY_BYTES_MAX: usize = 48 * 1024;

/// Why stored bytes are not an event that this build can read. It stops the node:
/// a fact that is skipped could be the one that forbids.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokenEntry {
    /// Not the JSON object described above.
    #[error("entry {index} is not a readable event: {source}")]
    Malformed {
        /// Its place.
        index: Index,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Written by a newer build, or not by Countersign.
    #[error("entry {index} has the unknown type `{type_name}`; a newer build may know it")]
    UnknownType {
        /// Its place.
        index: Index,
        /// The type it claims.
        type_name: String,
    },
    /// A head that contradicts its place or its payload.
    #[error("entry {index} is out of place: its {what} is not what its place requires")]
    Misplaced {
        /// Its place.
        index: Index,
        /// The attribute.
        what: &'static str,
    },
}

/// What the writer puts in front of an event's tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// UUIDv7, larger than all before.
    pub id: Uuid,
    /// Not before any other.
    pub time: Moment,
    /// The next place.
    pub index: Index,
    /// The next version of its stream.
    pub version: Version,
    /// The first event of the batch.
    pub causation: Uuid,
}

/// An event serialised but for its head.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    new: NewEvent,
    stream: StreamName,
    log: Uuid,
    /// Room for the head, then the object whose opening brace the head's last comma takes
    /// the place of.
    bytes: Vec<u8>,
}

#[derive(Serialize)]
struct TailJson<'a> {
    #[serde(serialize_with = "urn")]
    source: Uuid,
    r#type: &'static str,
    stream: &'a StreamName,
    #[serde(serialize_with = "shown")]
    actor: &'a Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlationid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessionid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Digest>,
    #[serde(serialize_with = "payload")]
    data: &'a Event,
}

fn urn<S: Serializer>(log: &Uuid, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("urn:uuid:{log}"))
}

fn shown<S: Serializer>(actor: &Actor, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(actor)
}

fn payload<S: Serializer>(event: &Event, to: S) -> Result<S::Ok, S::Error> {
    event.write_payload(to)
}

/// What most entries have room in, in bytes: one that grows is copied each time.
const USUAL_BYTES: usize = 1_280;
/// How long the head is, in bytes, the comma at its end included.
const HEAD_BYTES: usize = 207;

impl Tail {
    /// Serialises all of an event that does not depend on its place.
    ///
    /// # Errors
    /// If the payload cannot be written as JSON, which no payload of ours cannot.
    pub fn new(new: NewEvent, log: Uuid) -> serde_json::Result<Self> {
        let stream = new.event.stream();
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        bytes.resize(HEAD_BYTES - 1, 0);
        let tail = TailJson {
            source: log,
            r#type: new.event.type_name(),
            stream: &stream,
            actor: &new.actor,
            subject: new.event.subject(),
            correlationid: new.correlation.as_deref(),
            sessionid: new.whence.session,
            network: new.whence.network,
            data: &new.event,
        };
        serde_json::to_writer(&mut bytes, &tail)?;
        Ok(Self { new, stream, log, bytes })
    }

    /// The stream it will be appended to.
    #[must_use]
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// The fact.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.new.event
    }

    /// Puts the head in front: the bytes to store and the event in its place.
    #[must_use]
    pub fn stamp(self, stamp: Stamp) -> (Vec<u8>, Envelope) {
        let Self { new, stream, log, mut bytes } = self;
        let Stamp { id, time, index, version, causation } = stamp;
        let (at, nth) = (index.0, version.0);
        let mut head = Vec::with_capacity(HEAD_BYTES);
        let written = write!(head, r#"{{"specversion":"1.0","id":"{id}","time":"{time}","#)
            .and_then(|()| write!(head, r#""index":{at:>16},"version":{nth:>16},"#))
            .and_then(|()| write!(head, r#""causationid":"{causation}","#));
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        match bytes.get_mut(..head.len()) {
            Some(room) if head.len() == HEAD_BYTES => room.copy_from_slice(&head),
            // Another width, such as of a year of five digits.
            _ => drop(bytes.splice(..HEAD_BYTES, head)),
        }
        let NewEvent { actor, correlation, whence, event } = new;
        let place = Envelope {
            id,
            time,
            index,
            stream,
            version,
            causation,
            log,
            actor,
            correlation,
            whence,
            event,
        };
        (bytes, place)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredJson<'a> {
    specversion: &'a str,
    id: Uuid,
    time: Moment,
    index: Index,
    version: Version,
    causationid: Uuid,
    source: String,
    r#type: String,
    stream: StreamName,
    actor: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    correlationid: Option<String>,
    #[serde(default)]
    sessionid: Option<Uuid>,
    #[serde(default)]
    network: Option<Digest>,
    #[serde(default)]
    datacontenttype: Option<&'a str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads the stored bytes that stand at `index`.
///
/// # Errors
/// [`BrokenEntry`] if they are not an event of a type this build knows, or if
/// their attributes contradict their place or payload.
pub fn decode(index: Index, bytes: &[u8]) -> Result<Envelope, BrokenEntry> {
    let malformed = |source| BrokenEntry::Malformed { index, source };
    let json: StoredJson<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
    let event = match Event::read(&json.r#type, json.data) {
        Some(read) => read.map_err(malformed)?,
        None => return Err(BrokenEntry::UnknownType { index, type_name: json.r#type }),
    };
    let misplaced = |what| BrokenEntry::Misplaced { index, what };
    let log = json.source.strip_prefix("urn:uuid:").and_then(|log| log.parse().ok());
    let wrong = [
        ("specversion", json.specversion != "1.0"),
        ("datacontenttype", json.datacontenttype.is_some_and(|it| it != "application/json")),
        ("index", json.index != index),
        ("stream", json.stream != event.stream()),
        ("subject", json.subject != event.subject()),
    ];
    if let Some((what, _)) = wrong.into_iter().find(|(_, wrong)| *wrong) {
        return Err(misplaced(what));
    }
    Ok(Envelope {
        id: json.id,
        time: json.time,
        index,
        stream: json.stream,
        version: json.version,
        causation: json.causationid,
        log: log.ok_or_else(|| misplaced("source"))?,
        actor: json.actor.parse().map_err(|_| misplaced("actor"))?,
        correlation: json.correlationid,
        whence: Whence { session: json.sessionid, network: json.network },
        event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, LogCreated, PersonRegistered};

    fn stamped(event: Event, index: u64) -> (Vec<u8>, Envelope) {
        let session = Some(Uuid::from_u128(9));
        let whence = Whence { session, network: Some(Digest::of("somewhere")) };
        let correlation = Some("r-1".to_owned());
        let new = NewEvent { actor: Actor::Node, correlation, whence, event };
        let id = Uuid::from_u128(7);
        let stamp = Stamp {
            id,
            time: Moment::from_micros(1_790_000_000_000_000),
            index: Index(index),
            version: Version(1),
            causation: id,
        };
        Tail::new(new, Uuid::nil()).unwrap().stamp(stamp)
    }

    fn born() -> Event {
        Event::LogCreated(LogCreated { log: Uuid::nil() })
    }

    #[test]
    fn the_head_takes_the_room_left_for_it_or_as_much_as_it_needs() {
        let (usual, _) = stamped(born(), 12);
        assert_eq!(
            &usual[HEAD_BYTES - 12..HEAD_BYTES + 10],
            b"0000000007\",\"source\":\"".as_slice()
        );
        let (wide, placed) = stamped(born(), u64::MAX);
        assert_eq!(wide.len(), usual.len() + 4);
        assert_eq!(wide[HEAD_BYTES + 4..], usual[HEAD_BYTES..]);
        assert_eq!(decode(Index(u64::MAX), &wide).unwrap(), placed);
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let person = PersonRegistered { person: "alice".parse().unwrap() };
        for event in [born(), Event::PersonRegistered(person)] {
            let (bytes, placed) = stamped(event, 12);
            assert_eq!(decode(Index(12), &bytes).unwrap(), placed);
        }
    }

    #[test]
    fn the_head_has_one_width() {
        let (near, _) = stamped(born(), 1);
        let (far, _) = stamped(born(), 9_999_999_999_999_999);
        assert_eq!(near.len(), far.len());
    }

    #[test]
    fn an_entry_out_of_place_is_refused() {
        let (bytes, _) = stamped(born(), 3);
        let error = decode(Index(4), &bytes).unwrap_err();
        assert!(matches!(error, BrokenEntry::Misplaced { what: "index", .. }), "{error}");
    }

    #[test]
    fn an_unknown_type_and_a_broken_entry_have_clear_errors() {
        let text = String::from_utf8(stamped(born(), 0).0).unwrap();
        let newer = text.replace("log.created.v1", "log.created.v9");
        let error = decode(Index(0), newer.as_bytes()).unwrap_err().to_string();
        let unknown = "entry 0 has the unknown type `countersign.log.created.v9`; \
                       a newer build may know it";
        assert_eq!(error, unknown);
        for cut in 0..text.len() {
            let part = text.as_bytes().get(..cut).unwrap();
            assert!(decode(Index(0), part).is_err());
        }
    }
}

//! A question to the log: which entries, in which order, from where on.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::Filter;
use crate::event::Envelope;
use crate::model::{Index, Moment};

/// How many entries a page has unless the caller says otherwise.
const LIMIT_DEFAULT: usize = 100;

/// What is wrong with a query's parameter, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}`: {problem}")]
pub struct BadQuery {
    /// The parameter, at most 64 characters of it.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl BadQuery {
    pub(super) fn new(name: &str, problem: impl Into<String>) -> Self {
        Self { name: name.chars().take(64).collect(), problem: problem.into() }
    }
}

/// Which end of the log comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest entry first.
    #[default]
    Newest,
    /// The oldest entry first.
    Oldest,
}

/// Where a page goes on, and in which order; to the caller it is opaque text of 12
/// characters. It stays good for ever, since no entry ever moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    order: Order,
    next: Index,
}

impl Cursor {
    fn bytes(self) -> [u8; 9] {
        let order = match self.order {
            Order::Newest => b'n',
            Order::Oldest => b'o',
        };
        let mut bytes = [order; 9];
        if let Some((_, index)) = bytes.split_first_mut() {
            index.copy_from_slice(&self.next.0.to_be_bytes());
        }
        bytes
    }
}

impl FromStr for Cursor {
    type Err = BadQuery;
    fn from_str(text: &str) -> Result<Self, BadQuery> {
        let bad = || BadQuery::new("cursor", "not a cursor: give the `next` of a page as it is");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let bytes = <[u8; 9]>::try_from(bytes).map_err(|_| bad())?;
        let [order, index @ ..] = bytes;
        let order = match order {
            b'n' => Order::Newest,
            b'o' => Order::Oldest,
            _ => return Err(bad()),
        };
        Ok(Self { order, next: Index(u64::from_be_bytes(index)) })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.bytes()))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Some entries, and where to go on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<T> {
    /// The entries, in the order asked for.
    pub items: Vec<T>,
    /// Where to go on. Absent when nothing can follow; oldest first, something always
    /// can, since that end of the log grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
    /// True if asking for the next page at once may bring something. A page may be
    /// empty and this still be true: the search has a bound of its own.
    pub more: bool,
}

/// Which entries, in which order, how many at a time, from where on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// What an entry must be.
    pub filter: Filter,
    /// Which end comes first.
    pub order: Order,
    /// The most entries of one page; at least 1.
    pub limit: usize,
    cursor: Option<Cursor>,
}

impl Query {
    /// Reads the pairs of a query string: those of [`Filter::NAMES`], `order` (`newest`,
    /// the default, or `oldest`), `limit` (1 to `limit_max`) and `cursor`.
    ///
    /// # Errors
    /// [`BadQuery`] with the parameter that is unknown, given twice or unreadable, or
    /// that contradicts the cursor.
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
        limit_max: usize,
    ) -> Result<Self, BadQuery> {
        let mut filter = Filter::default();
        let (mut order, mut limit, mut cursor) = (None, None, None);
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            let twice = match name {
                "order" => order.replace(read_order(value)?).is_some(),
                "limit" => limit.replace(read_limit(value, limit_max)?).is_some(),
                "cursor" => cursor.replace(value.parse::<Cursor>()?).is_some(),
                _ if filter.take(name, value)? => false,
                _ => return Err(unknown(name)),
            };
            if twice {
                return Err(BadQuery::new(name, "given twice: give it once"));
            }
        }
        let limit = limit.unwrap_or(LIMIT_DEFAULT.min(limit_max));
        let order = match (order, cursor) {
            (Some(order), Some(Cursor { order: begun, .. })) if order != begun => {
                let problem = "not the order in which this cursor's pages began: leave it out";
                return Err(BadQuery::new("order", problem));
            }
            (_, Some(Cursor { order, .. })) => order,
            (order, None) => order.unwrap_or_default(),
        };
        Ok(Self { filter, order, limit, cursor })
    }

    /// The first entry to look at in a log of `size` entries: where the cursor points,
    /// or else at the end of the time range from which the search begins. The latter
    /// asks `time_at` for the times of some twenty entries.
    ///
    /// # Errors
    /// What `time_at` says.
    pub fn start<E>(
        &self,
        size: u64,
        mut time_at: impl FnMut(Index) -> Result<Moment, E>,
    ) -> Result<Index, E> {
        let newest = Index(size.saturating_sub(1));
        match (self.order, self.cursor, self.filter.from, self.filter.to) {
            (Order::Newest, Some(cursor), ..) => Ok(cursor.next.min(newest)),
            (Order::Oldest, Some(cursor), ..) => Ok(cursor.next.min(Index(size))),
            (Order::Newest, None, _, Some(to)) => {
                let after = first_not_before(size, to, &mut time_at)?;
                Ok(Index(after.0.saturating_sub(1)))
            }
            (Order::Oldest, None, Some(from), _) => first_not_before(size, from, &mut time_at),
            (Order::Newest, None, _, None) => Ok(newest),
            (Order::Oldest, None, None, _) => Ok(Index(0)),
        }
    }

    /// Fills a page from `entries`: those from `start` on, in the order asked for, each
    /// with what is to be shown of it. Looks at no more than `scan_max` of them and
    /// takes no more than it looks at, so that the iterator may read as it goes.
    ///
    /// # Errors
    /// The first that `entries` yields.
    pub fn page<T, E>(
        &self,
        start: Index,
        entries: impl IntoIterator<Item = Result<(Envelope, T), E>>,
        scan_max: usize,
    ) -> Result<Page<T>, E> {
        let mut items = Vec::new();
        let mut next = (self.order == Order::Oldest).then_some(start);
        for (looked_at, entry) in entries.into_iter().take(scan_max.max(1)).enumerate() {
            let (entry, item) = entry?;
            if self.filter.is_past(&entry, self.order) {
                return Ok(Page { items, next: None, more: false });
            }
            next = self.following(entry.index);
            if self.filter.matches(&entry) {
                items.push(item);
            }
            if items.len() >= self.limit || looked_at + 1 >= scan_max {
                return Ok(self.ending(items, next, next.is_some()));
            }
        }
        let next = next.filter(|_| self.order == Order::Oldest);
        Ok(self.ending(items, next, false))
    }

    fn ending<T>(&self, items: Vec<T>, next: Option<Index>, more: bool) -> Page<T> {
        let order = self.order;
        Page { items, next: next.map(|next| Cursor { order, next }), more }
    }

    fn following(&self, index: Index) -> Option<Index> {
        match self.order {
            Order::Newest => index.0.checked_sub(1).map(Index),
            Order::Oldest => Some(index.next()),
        }
    }
}

fn read_order(value: &str) -> Result<Order, BadQuery> {
    match value {
        "newest" => Ok(Order::Newest),
        "oldest" => Ok(Order::Oldest),
        _ => Err(BadQuery::new("order", "expected `newest` or `oldest`")),
    }
}

fn read_limit(value: &str, limit_max: usize) -> Result<usize, BadQuery> {
    let limit = value.parse().ok().filter(|limit| (1..=limit_max).contains(limit));
    limit.ok_or_else(|| BadQuery::new("limit", format!("expected a number from 1 to {limit_max}")))
}

fn unknown(name: &str) -> BadQuery {
    let known = Filter::NAMES.join(", ");
    BadQuery::new(name, format!("no such parameter; there are {known}, order, limit and cursor"))
}

/// The first index whose entry was not written before `moment`; `size` if there is none.
fn first_not_before<E>(
    size: u64,
    moment: Moment,
    time_at: &mut impl FnMut(Index) -> Result<Moment, E>,
) -> Result<Index, E> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low.midpoint(high);
        if time_at(Index(middle))? < moment {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Index(low))
}

/// Where an entry of this id is in a log of `size` entries, if it is there: ids grow along
/// the log. Logarithmic in reads.
///
/// # Errors
/// What `id_at` says.
pub fn position_of<E>(
    id: Uuid,
    size: u64,
    id_at: impl Fn(Index) -> Result<Uuid, E>,
) -> Result<Index, E> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        if id_at(Index(middle))? < id { low = middle + 1 } else { high = middle }
    }
    Ok(Index(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample::{Log, happenings, question, told};
    use crate::event::{Event, Presented, Verdict};
    use proptest::prelude::*;
    use std::convert::Infallible;

    fn parsed(pairs: &[(&str, &str)]) -> Result<Query, BadQuery> {
        Query::parse(pairs.iter().copied(), 500)
    }

    fn problem(pairs: &[(&str, &str)]) -> String {
        parsed(pairs).unwrap_err().to_string()
    }

    /// The indices on one page over a log.
    fn paged(log: &Log, query: &Query, scan_max: usize) -> Page<u64> {
        let size = log.entries.len() as u64;
        let at = |index: Index| &log.entries[usize::try_from(index.0).unwrap()];
        let start = query.start(size, |index| Ok::<_, Infallible>(at(index).time)).unwrap();
        let rows = |index: u64| Ok::<_, Infallible>((at(Index(index)).clone(), index));
        let page = match query.order {
            Order::Newest => {
                query.page(start, (0..size.min(start.0 + 1)).rev().map(rows), scan_max)
            }
            Order::Oldest => query.page(start, (start.0..size).map(rows), scan_max),
        };
        page.unwrap()
    }

    #[test]
    fn a_query_is_read_whole() {
        let query = parsed(&[
            ("type", "access.decided"),
            ("decision", "deny"),
            ("policy", "walls"),
            ("set", "system"),
            ("subject", "alice"),
            ("from", "2026-11-22T00:00:00Z"),
            ("to", "2026-11-23T00:00:00Z"),
            ("order", "oldest"),
            ("limit", "7"),
        ])
        .unwrap();
        assert_eq!((query.order, query.limit), (Order::Oldest, 7));
        assert_eq!(query.filter.kind, Some("countersign.access.decided.v1"));
        assert_eq!(query.filter.decision, Some(Verdict::Deny));
        let whole = parsed(&[("type", "countersign.access.decided.v1")]).unwrap();
        assert_eq!(whole.filter.kind, query.filter.kind);
        let plain = parsed(&[]).unwrap();
        assert_eq!((plain.order, plain.limit), (Order::Newest, 100));
    }

    #[test]
    fn what_is_wrong_with_a_query_is_said() {
        assert_eq!(problem(&[("decision", "maybe")]), "`decision`: expected `allow` or `deny`");
        assert_eq!(problem(&[("limit", "0")]), "`limit`: expected a number from 1 to 500");
        assert_eq!(problem(&[("limit", "501")]), "`limit`: expected a number from 1 to 500");
        assert_eq!(problem(&[("set", "a"), ("set", "b")]).split(':').next(), Some("`set`"));
        let twice = [("order", "newest"), ("order", "newest")];
        assert_eq!(problem(&twice), "`order`: given twice: give it once");
        assert!(
            problem(&[("colour", "red")]).starts_with("`colour`: no such parameter; there are")
        );
        assert!(problem(&[("type", "access")]).contains("access.decided"));
        assert!(problem(&[("from", "yesterday")]).starts_with("`from`: a time is RFC 3339"));
        assert!(problem(&[("policy", "")]).starts_with("`policy`: a name must not be empty"));
        assert!(problem(&[("to", "2026-11-22T00:00:00Z"), ("to", "x")]).starts_with("`to`"));
    }

    #[test]
    fn a_cursor_keeps_its_order() {
        let cursor = Cursor { order: Order::Oldest, next: Index(1_234_567) };
        let text = cursor.to_string();
        assert_eq!((text.len(), text.parse()), (12, Ok(cursor)));
        let query = parsed(&[("cursor", &text)]).unwrap();
        assert_eq!(query.order, Order::Oldest);
        let contradiction = problem(&[("cursor", &text), ("order", "newest")]);
        assert!(contradiction.starts_with("`order`: not the order"), "{contradiction}");
        let longer = format!("{text}A");
        for bad in ["", "AAAA", "eAAAAAAAAAAA", &longer, "bw==", "\u{1f600}"] {
            assert!(problem(&[("cursor", bad)]).starts_with("`cursor`: not a cursor"), "{bad}");
        }
    }

    #[test]
    fn an_empty_log_has_an_empty_page() {
        let mut log = Log::begun();
        log.entries.clear();
        let newest = paged(&log, &parsed(&[]).unwrap(), 100);
        assert_eq!((newest.items.len(), newest.next, newest.more), (0, None, false));
        let oldest = paged(&log, &parsed(&[("order", "oldest")]).unwrap(), 100);
        assert!(oldest.next.is_some() && !oldest.more);
    }

    #[test]
    fn the_oldest_first_can_be_followed_as_the_log_grows() {
        let mut log = Log::founded();
        let query = parsed(&[("order", "oldest"), ("type", "access.decided")]).unwrap();
        let page = paged(&log, &query, 1_000);
        assert_eq!((page.items.len(), page.more), (0, false));
        log.ask(&question("alice", "view", "alice", Presented::Nothing));
        let next = page.next.unwrap().to_string();
        let query = parsed(&[("cursor", &next), ("type", "access.decided")]).unwrap();
        assert_eq!(paged(&log, &query, 1_000).items, [log.entries.len() as u64 - 1]);
    }

    #[test]
    fn a_filter_looks_at_every_part_of_an_entry() {
        let mut log = Log::founded();
        let session = log.log_in("alice");
        log.ask(&question("alice", "view", "alice", Presented::Session(session)));
        log.ask(&question("bob", "view", "alice", Presented::Nothing));
        let count =
            |pairs: &[(&str, &str)]| paged(&log, &parsed(pairs).unwrap(), 1_000).items.len();
        assert_eq!(count(&[("decision", "allow")]), 1);
        assert_eq!(count(&[("policy", "owners")]), 1);
        assert_eq!(count(&[("policy", "overflow"), ("decision", "deny")]), 1);
        assert_eq!(count(&[("policy", "overflow"), ("subject", "alice")]), 1);
        assert_eq!(count(&[("subject", "alice")]), 4);
        assert_eq!(count(&[("subject", "User::\"bob\""), ("decision", "deny")]), 1);
        assert_eq!(count(&[("subject", "User::\"alice\"")]), 2, "an entity and a decision");
        assert_eq!(count(&[("type", "session.started")]), 1);
        assert_eq!(count(&[("set", "system")]), 0);
        assert_eq!(count(&[("set", "application"), ("type", "policy.submitted")]), 4);
        let time = log.entries.last().unwrap().time.to_string();
        assert_eq!(count(&[("from", &time)]), 1);
        assert_eq!(count(&[("to", &time)]), log.entries.len() - 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Law: page by page, in either order and however little is looked at for one
        /// page, an auditor sees exactly the entries that fit, each once.
        #[test]
        fn pages_together_are_the_whole(
            happenings in happenings(), limit in 1_usize..20, scan_max in 1_usize..30,
            oldest in any::<bool>(), kind in 0_usize..3, from in 0_u64..50, until in 0_u64..50,
        ) {
            let log = told(happenings);
            let first = log.entries[0].time;
            let (from, to) = (first.plus_seconds(from), first.plus_seconds(until * 10));
            let (from, to) = (from.to_string(), to.to_string());
            let order = if oldest { "oldest" } else { "newest" };
            let limit = limit.to_string();
            let mut pairs = vec![("limit", limit.as_str()), ("from", &from), ("to", &to)];
            if kind > 0 {
                pairs.push(("type", ["", "access.decided", "entity.submitted"][kind]));
            }
            let first_page = [pairs.clone(), vec![("order", order)]].concat();
            let filter = parsed(&pairs).unwrap().filter;
            let mut page = paged(&log, &parsed(&first_page).unwrap(), scan_max);
            let mut seen = page.items.clone();
            while page.more {
                let cursor = page.next.unwrap().to_string();
                let next = [pairs.clone(), vec![("cursor", &*cursor)]].concat();
                page = paged(&log, &parsed(&next).unwrap(), scan_max);
                seen.extend(&page.items);
            }
            let fits = |entry: &&Envelope| filter.matches(entry);
            let mut expected: Vec<_> =
                log.entries.iter().filter(fits).map(|entry| entry.index.0).collect();
            if !oldest {
                expected.reverse();
            }
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn every_type_has_a_short_name_of_its_own() {
        for name in Event::TYPE_NAMES {
            let short = name.strip_prefix("countersign.").unwrap();
            let short = short.strip_suffix(".v1").unwrap();
            assert_eq!(parsed(&[("type", short)]).unwrap().filter.kind, Some(*name));
        }
    }
}

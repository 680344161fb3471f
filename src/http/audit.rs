//! `/audit/v1`: the log, as an auditor reads it. Each request is itself a decision
//! of the system policies, and in the log.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::guard::{Guarded, ReadAudit};
use super::past::Lookback;
use super::{App, Problem, body, follow, past};
use crate::audit::{At, BadQuery, Cursor, Dossier, Order, Query, Trail, position_of};
use crate::cedar::on_large_stack;
use crate::event::{Envelope, Event, decode};
use crate::event_store::{EventStore, StoreError};
use crate::model::{Index, Moment};
use crate::projection::World;

/// Where the next entries are, on an answer that does not hold all.
const NEXT: HeaderName = HeaderName::from_static("countersign-next");
/// The most entries looked at for one page.
const SCAN_MAX: usize = 200_000;
/// Entries and bytes read from the store at a time.
const READ: (usize, usize) = (512, 1 << 20);

/// Finds events, page by page; `follow=true` streams them as they are recorded, and
/// `at=INDEX|TIME` finds those that there were then.
///
/// # Errors
/// [`Problem`]: 400 with the parameter that is wrong.
pub async fn events(
    may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let pairs = pairs(&request)?;
    let (follow, pairs): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(name, _)| name == "follow");
    match follow.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().as_slice() {
        [] | ["false"] => {}
        ["true"] => return follow::stream(&app, may.authority(), &request, pairs),
        _ => return Err(Problem::bad("bad_query", "`follow`: expected `true` or `false`, once")),
    }
    let (at, pairs) = take_at(pairs)?;
    let query = Query::parse(pairs, app.settings.limits.page_items)?;
    let world = app.sequencer.world();
    let store = Arc::clone(app.sequencer.store());
    let page = move || page(&*store, size(&*store, &world, at)?, &query);
    let page = body::blocking(page).await??;
    Ok(HttpResponse::Ok().json(page))
}

/// A page of entries, as they are stored.
#[derive(Serialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    next: Option<Cursor>,
    more: bool,
}

fn page(store: &dyn EventStore, size: u64, query: &Query) -> Result<Page, Problem> {
    let time_at = |index| entry(store, index).map(|(entry, _)| entry.time);
    let start = query.start(size, time_at)?;
    let page = match query.order {
        Order::Oldest => query.page(start, forward(store, start, size), SCAN_MAX)?,
        Order::Newest => query.page(start, backward(store, start, size), SCAN_MAX)?,
    };
    Ok(Page { events: page.items, next: page.next, more: page.more })
}

pub(super) type Shown = Result<(Envelope, Box<RawValue>), Problem>;

/// The entries from `start` to the end, in order.
pub(super) fn forward(
    store: &dyn EventStore,
    start: Index,
    size: u64,
) -> impl Iterator<Item = Shown> {
    let mut next = start;
    let pages = std::iter::from_fn(move || {
        let page = (next.0 < size).then(|| read(store, next, size))?;
        next = match &page {
            Ok(page) => page.last().map_or(Index(size), |(index, _)| index.next()),
            Err(_) => Index(size),
        };
        Some(page)
    });
    pages.flat_map(shown)
}

/// The entries from `start` to the first, newest first.
fn backward(store: &dyn EventStore, start: Index, size: u64) -> impl Iterator<Item = Shown> {
    let mut end = start.next().0.min(size);
    let pages = std::iter::from_fn(move || {
        (end > 0).then(|| {
            let first = end.saturating_sub(READ.0 as u64);
            let page = whole(store, Index(first), end).map(|mut page| {
                page.reverse();
                page
            });
            end = first;
            page
        })
    });
    pages.flat_map(shown)
}

type Stored = Vec<(Index, Vec<u8>)>;

fn read(store: &dyn EventStore, from: Index, size: u64) -> Result<Stored, StoreError> {
    let left = usize::try_from(size.saturating_sub(from.0)).unwrap_or(usize::MAX);
    store.read(from, READ.0.min(left), READ.1)
}

/// Exactly the entries from `from` to before `end`, however large.
fn whole(store: &dyn EventStore, from: Index, end: u64) -> Result<Stored, StoreError> {
    let mut all = Vec::new();
    let mut next = from;
    while next.0 < end {
        let page = read(store, next, end)?;
        let Some((last, _)) = page.last() else { break };
        next = last.next();
        all.extend(page);
    }
    Ok(all)
}

fn shown(page: Result<Stored, StoreError>) -> Vec<Shown> {
    match page {
        Ok(page) => page.into_iter().map(|(index, bytes)| parsed(index, bytes)).collect(),
        Err(error) => vec![Err(Problem::defect(&error))],
    }
}

fn parsed(index: Index, bytes: Vec<u8>) -> Shown {
    let entry = decode(index, &bytes).map_err(|error| Problem::defect(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| Problem::defect(&error))?;
    let raw = RawValue::from_string(text).map_err(|error| Problem::defect(&error))?;
    Ok((entry, raw))
}

/// An entry, and its stored text.
///
/// # Errors
/// 404 if there is none.
pub(super) fn entry(store: &dyn EventStore, index: Index) -> Shown {
    let page = store.read(index, 1, READ.1).map_err(|error| Problem::defect(&error))?;
    let missing = || Problem::not_found(format!("there is no entry {index}"));
    let (index, bytes) = page.into_iter().next().ok_or_else(missing)?;
    parsed(index, bytes)
}

/// Hands out entries as they are stored, byte for byte, one a line, from `from` on; with
/// `at=INDEX|TIME` those that there were then.
///
/// # Errors
/// [`Problem`]: 400 for a `from` that is no index.
pub async fn entries(
    _may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (at, pairs) = take_at(pairs(&request)?)?;
    let mut from = Index(0);
    for (name, value) in pairs {
        let wrong = || Problem::bad("bad_query", format!("`{name}`: give `from`, an index"));
        match name.as_str() {
            "from" => from = Index(value.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
    }
    let (world, store) = (app.sequencer.world(), Arc::clone(app.sequencer.store()));
    let read = move || {
        let size = size(&*store, &world, at)?;
        let page = if from.0 < size { read(&*store, from, size) } else { Ok(Vec::new()) };
        page.map(|page| (page, size)).map_err(|error| Problem::defect(&error))
    };
    let (page, size) = body::blocking(read).await??;
    let next = page.last().map_or(from, |(index, _)| index.next());
    let mut answer = HttpResponse::Ok();
    if next.0 < size {
        answer.insert_header((NEXT, next.to_string()));
    }
    let mut lines = Vec::new();
    for (_, bytes) in page {
        lines.extend(bytes);
        lines.push(b'\n');
    }
    Ok(answer.content_type("application/x-ndjson").body(lines))
}

/// The digest of the whole state, to hold a replay against; with `at=INDEX|TIME`, of the
/// state as it was then.
///
/// # Errors
/// [`Problem`]: 400 for an `at` that is none; 503 while another past is being folded.
pub async fn state(
    _may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let digest = match take_at(pairs(&request)?)? {
        (_, rest) if !rest.is_empty() => {
            return Err(Problem::bad("bad_query", "the only parameter is `at`"));
        }
        (Some(at), _) => {
            let turn = past::turn(&app)?;
            past::looking(turn, &app, at, |past| Ok(past.world.digest())).await?
        }
        (None, _) => {
            let world = app.sequencer.world();
            body::blocking(move || world.digest()).await?
        }
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(digest))
}

/// Everything that led to one decision, in the World as it was then.
///
/// # Errors
/// [`Problem`]: 404 if the log holds no such decision; 503 while another is being
/// gathered.
pub async fn decision(
    _may: Guarded<ReadAudit>,
    app: web::Data<App>,
    path: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let busy = || Problem::unavailable("busy", "another dossier is being gathered; try again");
    let one_at_a_time = Arc::clone(&app.folding).try_acquire_owned().map_err(|_| busy())?;
    let (id, world) = (path.into_inner(), app.sequencer.world());
    let (store, look) = (Arc::clone(app.sequencer.store()), Lookback::of(&app));
    let gather = move || {
        // Held until the work is done: who hangs up does not make room for another.
        let _held = one_at_a_time;
        dossier(&*store, &look, &world, id)
    };
    let dossier = body::blocking(gather).await??;
    Ok(HttpResponse::Ok().json(dossier))
}

/// The entry of a decision, and its stored text.
pub(super) fn decided(store: &dyn EventStore, newest: &World, id: Uuid) -> Shown {
    let missing = || Problem::not_found("the log holds no decision of that id");
    let size = newest.through.map_or(0, |index| index.next().0);
    let found = position_of(id, size, |index| entry(store, index).map(|(entry, _)| entry.id))?;
    let (wanted, raw) = entry(store, found).map_err(|_| missing())?;
    let is_it = wanted.id == id && matches!(wanted.event, Event::AccessDecided(_));
    if is_it { Ok((wanted, raw)) } else { Err(missing()) }
}

fn dossier(
    store: &dyn EventStore,
    look: &Lookback,
    newest: &World,
    id: Uuid,
) -> Result<Dossier, Problem> {
    let missing = || Problem::not_found("the log holds no decision of that id");
    let (mut wanted, raw) = decided(store, newest, id)?;
    look.sealer.open_event(&mut wanted.event)?;
    let Event::AccessDecided(decided) = &wanted.event else { return Err(missing()) };
    let gather = || {
        let before = wanted.index.0.checked_sub(1).ok_or_else(missing)?;
        let world = look.world_after(store, Index(before))?;
        let mut trail = Trail::of(decided);
        if let Some(since) = trail.since(&world) {
            let first = first_since(store, since, wanted.index.0)?;
            for seen in forward(store, first, wanted.index.0) {
                trail.see(&seen?.0);
            }
        }
        let erasures = &newest.erasures;
        Dossier::new(&world, trail, &wanted, raw, erasures).ok_or_else(missing)
    };
    on_large_stack(gather).map_err(|fault| Problem::defect(&fault))?
}

/// The first of the entries before `end` that is not before a time.
///
/// # Errors
/// An entry that cannot be read.
pub(super) fn first_since(
    store: &dyn EventStore,
    since: Moment,
    end: u64,
) -> Result<Index, Problem> {
    let earlier = |index| entry(store, index).map(|(entry, _)| entry.time < since);
    first_not_below(end, earlier)
}

/// The first index at which `below` no longer holds; no time goes back along the log.
pub(super) fn first_not_below(
    size: u64,
    below: impl Fn(Index) -> Result<bool, Problem>,
) -> Result<Index, Problem> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        if below(Index(middle))? { low = middle + 1 } else { high = middle }
    }
    Ok(Index(low))
}

/// How many entries a log had as of then; has, if nothing is said.
fn size(store: &dyn EventStore, world: &World, at: Option<At>) -> Result<u64, Problem> {
    match at {
        Some(at) => past::last(store, world, at).map(|last| last.next().0),
        None => Ok(world.through.map_or(0, |index| index.next().0)),
    }
}

type Pairs = Vec<(String, String)>;

/// Takes `at` out of a query's parameters.
fn take_at(pairs: Pairs) -> Result<(Option<At>, Pairs), Problem> {
    let (at, rest): (Pairs, _) = pairs.into_iter().partition(|(name, _)| name == "at");
    match at.as_slice() {
        [] => Ok((None, rest)),
        [(_, value)] => Ok((Some(value.parse()?), rest)),
        _ => Err(Problem::bad("bad_query", "`at`: given twice: give it once")),
    }
}

/// The parameters of a request's query string.
pub(super) fn pairs(request: &HttpRequest) -> Result<Pairs, Problem> {
    let query = web::Query::<Pairs>::from_query(request.query_string());
    let wrong = |_| Problem::bad("bad_query", "the query string cannot be read");
    Ok(query.map_err(wrong)?.into_inner())
}

impl From<BadQuery> for Problem {
    fn from(error: BadQuery) -> Self {
        Self::bad("bad_query", error.to_string())
    }
}

impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

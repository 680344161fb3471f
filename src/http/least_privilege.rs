//! `GET /audit/v1/reports/least-privilege`: what is granted, and what of it is used.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};

use super::audit::{entry, first_since, forward, pairs};
use super::guard::{Guarded, ReadAudit};
use super::long_work::LongWork;
use super::past::{Lookback, last, turn};
use super::reports::{Asked, REPORT_MAX};
use super::{App, Problem, body};
use crate::audit::{At, LeastPrivilege};
use crate::cedar::on_large_stack;
use crate::event_store::EventStore;
use crate::model::{Index, Moment};
use crate::projection::World;

/// Makes the report as of `at` (an entry or a time; the newest entry, if nothing is said),
/// over a window that begins `since` (so long before that, or a time; `90d`). Goes through
/// the window's entries twice.
///
/// # Errors
/// [`Problem`]: 400 for a parameter that is wrong; 422 `too_long` if it takes more than
/// ten minutes; 503 while another past is being looked at, or if the server ends.
pub async fn report(
    may: Guarded<ReadAudit>,
    app: web::Data<App>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (asked, others) = Asked::of(pairs(&request)?)?;
    let foreign = asked.compare.map(|_| "compare").or(others.first().map(|(it, _)| it.as_str()));
    if let Some(name) = foreign {
        let wrong = format!("`{name}`: the parameters are at and since");
        return Err(Problem::bad("bad_query", wrong));
    }
    let one_at_a_time = turn(&app)?;
    let (live, store) = (app.sequencer.world(), Arc::clone(app.sequencer.store()));
    let (look, now) = (Lookback::of(&app), app.clock.now());
    let long = LongWork::new(&app, may.authority(), REPORT_MAX);
    let work = move || {
        // Held until the work is done: who hangs up does not make room for another.
        let _held = one_at_a_time;
        on_large_stack(|| survey(&*store, &look, &live, (asked, now), &long))
            .map_err(|fault| Problem::defect(&fault))?
    };
    let report = body::blocking(work).await??;
    Ok(HttpResponse::Ok().json(report))
}

fn survey(
    store: &dyn EventStore,
    look: &Lookback,
    live: &World,
    (asked, now): (Asked, Moment),
    long: &LongWork,
) -> Result<LeastPrivilege, Problem> {
    let at = asked.at.unwrap_or(At::Entry(live.through.unwrap_or(Index(0))));
    let newest = last(store, live, at)?;
    let from = asked.since.moment(at.time(entry(store, newest)?.0.time, now)?);
    let end = newest.next().0;
    let first = first_since(store, from, end)?;
    let start = match first.0.checked_sub(1) {
        Some(before) => look.world_after(store, Index(before))?,
        None => World::default(),
    };
    LeastPrivilege::survey(start, from, |see| {
        for shown in forward(store, first, end) {
            long.step()?;
            let mut entry = shown?.0;
            look.sealer.open_event(&mut entry.event)?;
            see(&entry);
        }
        Ok(())
    })
}

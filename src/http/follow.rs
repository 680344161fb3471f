//! The log as it grows: one line of JSON for each new event that fits a filter.

use std::collections::VecDeque;
use std::sync::Arc;

use actix_web::web::Bytes;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use futures_util::stream;
use tokio::sync::watch;

use super::caller::{self, Caller};
use super::{App, Problem};
use crate::audit::Filter;
use crate::event::decode;
use crate::model::{Digest, Index};
use crate::sequencer::Authority;

/// Entries read from the store at a time.
const ENTRIES: usize = 256;
/// Bytes read from the store at a time.
const BYTES: usize = 1 << 20;

/// Streams what is recorded from now on, or after `after=INDEX`, until the caller
/// goes, or their token or their right to read is no longer in force.
///
/// # Errors
/// [`Problem`]: 400 with the parameter that is wrong.
pub fn stream(
    app: &web::Data<App>,
    authority: Authority,
    request: &HttpRequest,
    pairs: Vec<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let mut filter = Filter::default();
    let mut next = app.sequencer.world().through.map_or(Index(0), Index::next);
    for (name, value) in pairs {
        if name == "after" {
            let wrong = |_| Problem::bad("bad_query", "`after`: give the index of an entry");
            next = Index(value.parse().map_err(wrong)?).next();
        } else if !filter.take(&name, &value)? {
            return Err(Problem::bad("bad_query", format!("`{name}`: there is no such filter")));
        }
    }
    let following = Following {
        token: caller::token(request)?,
        authority,
        newest: app.sequencer.newest(),
        app: app.clone(),
        filter,
        next,
        lines: VecDeque::new(),
    };
    let lines = stream::unfold(following, |mut following| async move {
        let line = following.line().await?;
        Some((Ok::<_, Error>(line), following))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines))
}

struct Following {
    app: web::Data<App>,
    token: Digest,
    authority: Authority,
    filter: Filter,
    next: Index,
    newest: watch::Receiver<Option<Index>>,
    lines: VecDeque<Bytes>,
}

impl Following {
    /// The next line; `None` ends the stream, as does the server's own end.
    async fn line(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            let world = self.app.sequencer.world();
            let now = self.app.sequencer.now(&world);
            Caller::holding(&self.token, &world, now)?;
            if !self.authority.holds(&world, now) {
                return None;
            }
            if world.through.is_none_or(|newest| newest < self.next) {
                tokio::select! {
                    changed = self.newest.changed() => changed.ok()?,
                    () = self.app.draining.begun() => return None,
                }
                continue;
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Option<()> {
        let store = Arc::clone(self.app.sequencer.store());
        let (from, through) = (self.next, self.app.sequencer.world().through?);
        let page = web::block(move || store.read(from, ENTRIES, BYTES)).await.ok()?.ok()?;
        for (index, mut bytes) in page.into_iter().filter(|(index, _)| *index <= through) {
            self.next = index.next();
            if self.filter.matches(&decode(index, &bytes).ok()?) {
                bytes.push(b'\n');
                self.lines.push_back(Bytes::from(bytes));
            }
        }
        Some(())
    }
}

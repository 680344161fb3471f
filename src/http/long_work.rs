//! What takes long is looked after on the way: nobody is served who may not be any more, and
//! nothing keeps a server from ending.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web;

use super::{App, Problem};
use crate::model::GoOn;
use crate::sequencer::Authority;

/// How often it is asked whether the caller may still have the result.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// Work for one caller, from when it was asked for.
#[derive(Clone)]
pub(super) struct LongWork(Arc<Inner>);

struct Inner {
    app: web::Data<App>,
    authority: Authority,
    begun: Instant,
    most: Duration,
    asked: Mutex<Option<Instant>>,
    stopped: OnceLock<Stopped>,
}

/// Why it does not come to its end.
#[derive(Clone, Copy)]
enum Stopped {
    Draining,
    Forbidden,
    TooLong,
}

impl LongWork {
    /// Work that begins now, on this authority, and takes so long at most.
    pub(super) fn new(app: &web::Data<App>, authority: Authority, most: Duration) -> Self {
        let (begun, stopped) = (Instant::now(), OnceLock::new());
        let (app, asked) = (app.clone(), Mutex::new(None));
        Self(Arc::new(Inner { app, authority, begun, most, asked, stopped }))
    }

    /// For who does the work.
    pub(super) fn go_on(&self) -> GoOn {
        let this = self.clone();
        GoOn::while_so(move || this.step().is_ok())
    }

    /// Whether to take another step.
    ///
    /// # Errors
    /// As [`LongWork::whole`].
    pub(super) fn step(&self) -> Result<(), Problem> {
        if let Some(why) = self.0.stopped.get().copied().or_else(|| self.0.stop()) {
            let _first = self.0.stopped.set(why);
        }
        self.whole()
    }

    /// Whether all of it was done, as far as it was asked.
    ///
    /// # Errors
    /// 503 `unavailable` if the server ends; 403 if the caller may not have the result any
    /// more; 422 `too_long` if it took longer than it may.
    pub(super) fn whole(&self) -> Result<(), Problem> {
        Err(match self.0.stopped.get() {
            None => return Ok(()),
            Some(Stopped::Draining) => {
                Problem::unavailable("unavailable", "the server is ending; ask another")
            }
            Some(Stopped::Forbidden) => Problem::forbidden("you may not do it any more"),
            Some(Stopped::TooLong) => {
                let most = self.0.most.as_secs();
                let why = format!("it took more than {most} seconds and was stopped: ask for less");
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_long", why)
            }
        })
    }
}

impl Inner {
    fn stop(&self) -> Option<Stopped> {
        if self.app.draining.has_begun() {
            return Some(Stopped::Draining);
        }
        if self.begun.elapsed() > self.most {
            return Some(Stopped::TooLong);
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_some_and(|at| at.elapsed() < ASKED_EVERY) {
            return None;
        }
        let world = self.app.sequencer.world();
        let holds = self.authority.holds(&world, self.app.sequencer.now(&world));
        *asked = Some(Instant::now());
        (!holds).then_some(Stopped::Forbidden)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::fixture;
    use super::*;

    const SET: (&str, &str) = (
        "entity User; entity Doc; action view appliesTo { principal: [User], resource: [Doc] };",
        "@id(\"all\") permit (principal, action, resource);",
    );

    #[actix_web::test]
    async fn work_ends_with_the_permission_the_time_and_the_server() {
        let data = TempDir::new().unwrap();
        let app = web::Data::new(fixture::app(&data, &[], SET).await);
        let minute = Duration::from_secs(60);
        let begun = |may: bool, most| LongWork::new(&app, Authority::new(move |_, _| may), most);
        let ends = |long: &LongWork, code| {
            assert!(!long.go_on().holds());
            // Whatever becomes of the reason, it stays stopped, and says why.
            assert_eq!(long.whole().unwrap_err().code(), code);
        };
        let going = begun(true, minute);
        assert!(going.go_on().holds() && going.whole().is_ok());
        ends(&begun(false, minute), "forbidden");
        ends(&begun(true, Duration::ZERO), "too_long");
        app.draining.begin();
        ends(&going, "unavailable");
    }
}

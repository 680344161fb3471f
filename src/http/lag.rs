//! A worker that is late refuses evaluations until it has caught up.
//!
//! Where processors are the bottleneck no queue of ours fills: requests wait unread in their
//! sockets, and all get slower together. How long they wait shows in how late the worker
//! comes to anything, a timer of its own included.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::{spawn, time::sleep_until};
use actix_web::{Error, ResponseError as _};

use super::Problem;

/// How often a worker looks at the clock.
const EVERY: Duration = Duration::from_millis(10);

/// How late one worker is.
#[derive(Debug)]
pub struct Lag {
    limit: Duration,
    /// The newest finding, and the one before it.
    late: Cell<[Duration; 2]>,
}

impl Lag {
    fn new(limit: Duration) -> Self {
        Self { limit, late: Cell::default() }
    }

    /// Begins to measure the worker that this is called on, for as long as it runs.
    pub fn of_this_worker(limit: Duration) -> Rc<Self> {
        let lag = Rc::new(Self::new(limit));
        let measured = Rc::downgrade(&lag);
        spawn(async move {
            loop {
                let due = Instant::now() + EVERY;
                sleep_until(due.into()).await;
                let Some(lag) = measured.upgrade() else { break };
                lag.found(due.elapsed());
            }
        });
        lag
    }

    fn found(&self, late: Duration) {
        let [newest, _] = self.late.get();
        self.late.set([late, newest]);
    }

    /// True while the worker is later than it may be. Once is nothing: the thread may just
    /// not have had a processor.
    fn is_over(&self) -> bool {
        self.late.get().iter().all(|late| *late > self.limit)
    }
}

/// Refuses evaluations while the worker is late, before anything of them is read.
///
/// # Errors
/// Those of the rest of the chain; a refusal is an answer.
pub async fn shed(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let late = request.app_data::<Rc<Lag>>().is_some_and(|lag| lag.is_over());
    if late && evaluates(request.path()) {
        let refused = Problem::overloaded().error_response();
        return Ok(request.into_response(refused).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// True for the paths of evaluations, in whatever encoding: routes are found by what a path
/// means, and no other begins with anything that needs to be encoded.
fn evaluates(path: &str) -> bool {
    let space = path.splitn(4, '/').take(3);
    path.starts_with("/access/v1/") || space.into_iter().any(|part| part.contains('%'))
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    fn after(findings: &[u64]) -> Lag {
        let lag = Lag::new(LIMIT);
        findings.iter().for_each(|millis| lag.found(Duration::from_millis(*millis)));
        lag
    }

    #[test]
    fn a_worker_is_late_if_it_was_twice_running() {
        for calm in [&[][..], &[0, 0], &[900], &[900, 3], &[900, 3, 900], &[200, 200]] {
            assert!(!after(calm).is_over(), "{calm:?}");
        }
        assert!(after(&[0, 201, 900]).is_over());
    }

    #[actix_web::test]
    async fn a_late_worker_refuses_evaluations_and_nothing_else() {
        for (findings, path, status) in [
            ([900, 900], "/access/v1/evaluation", StatusCode::SERVICE_UNAVAILABLE),
            ([900, 900], "/%61ccess/v1/evaluation", StatusCode::SERVICE_UNAVAILABLE),
            ([900, 900], "/access/%761/evaluation", StatusCode::SERVICE_UNAVAILABLE),
            ([900, 900], "/readyz", StatusCode::OK),
            ([900, 900], "/policies/v1/a%20b", StatusCode::OK),
            ([900, 0], "/access/v1/evaluation", StatusCode::OK),
        ] {
            let server = App::new()
                .app_data(Rc::new(after(&findings)))
                .wrap(from_fn(shed))
                .default_service(web::to(HttpResponse::Ok));
            let server = init_service(server).await;
            let answer = call_service(&server, TestRequest::with_uri(path).to_request()).await;
            assert_eq!(answer.status(), status, "{path} {findings:?}");
            let told = answer.headers().contains_key("retry-after");
            assert_eq!(told, status == StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[actix_web::test]
    async fn a_worker_looks_at_the_clock_by_itself() {
        // Nobody is never late at all, so two looks are enough to see that it looks.
        let lag = Lag::of_this_worker(Duration::ZERO);
        while !lag.is_over() {
            tokio::task::yield_now().await;
        }
        assert!(lag.late.get().iter().all(|late| *late > Duration::ZERO));
    }
}

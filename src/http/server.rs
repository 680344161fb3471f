//! The server: bound, running, drained.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{App as Actix, HttpServer, web};

use super::drain::Stop;
use super::lag::{self, Lag};
use super::relying_party::{PasskeyError, relying_party};
use super::tls::{self, TlsError};
use super::{App, Problem, door, observe, peer, request_id, routes};
use crate::settings::Settings;

/// How long requests in flight may take to end after a stop, in seconds.
const DRAIN_S: u64 = 30;
/// How long the end waits for the workers' threads, in milliseconds.
const RELEASE_MS: u32 = 5_000;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// TLS cannot be offered.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Passkeys cannot be used where the settings say.
    #[error(transparent)]
    Passkeys(#[from] PasskeyError),
    /// It ended.
    #[error("the server ended: {0}")]
    Ended(io::Error),
}

/// A server that accepts connections.
pub struct Running {
    /// The address it listens on; its port is the one that was free, if 0 was asked.
    pub address: SocketAddr,
    stop: Stop,
    node: Weak<App>,
    others: usize,
    task: tokio::task::JoinHandle<io::Result<()>>,
}

impl Running {
    /// A handle to stop it from elsewhere.
    #[must_use]
    pub fn handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Waits until it has ended, by itself or by its handle, and holds the node no more.
    ///
    /// # Errors
    /// [`ServeError::Ended`] if it failed.
    pub async fn ended(self) -> Result<(), ServeError> {
        let result = match self.task.await {
            Ok(result) => result.map_err(ServeError::Ended),
            Err(error) => Err(ServeError::Ended(io::Error::other(error))),
        };
        if let Some(app) = self.node.upgrade() {
            door::close(&app).await;
        }
        // The workers' threads let go of the node, and so of the log's lock, a moment
        // after the server says that it has ended.
        for _ in 0..RELEASE_MS {
            if self.node.strong_count() <= self.others {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        result
    }

    /// Stops accepting, ends the streams, lets requests in flight end, and waits for that.
    ///
    /// # Errors
    /// [`ServeError::Ended`] if it failed.
    pub async fn stop(self) -> Result<(), ServeError> {
        self.stop.stop().await;
        self.ended().await
    }
}

/// Starts serving a node, on an actix or tokio runtime. SIGTERM and SIGINT drain it.
///
/// # Errors
/// [`ServeError`] if the address or the certificate cannot be used.
pub fn serve(app: Arc<App>) -> Result<Running, ServeError> {
    let (node, others) = (Arc::downgrade(&app), Arc::strong_count(&app) - 1);
    let settings = app.settings.clone();
    let address = settings.listen;
    let late = settings.limits.lag;
    let data = web::Data::from(app);
    let shared = data.clone();
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(shared.clone())
            .app_data(Lag::of_this_worker(late))
            .app_data(web::PathConfig::default().error_handler(|_, _| nowhere().into()))
            .app_data(web::QueryConfig::default().error_handler(|_, _| bad_query().into()))
            .wrap(from_fn(routes::other_method))
            .wrap(browser_headers(&shared.settings))
            .wrap(from_fn(peer::admit))
            .wrap(from_fn(lag::shed))
            .wrap(from_fn(observe::measure))
            .wrap(from_fn(request_id::echo))
            .configure(routes)
    })
    .workers(settings.limits.workers)
    .max_connections(settings.limits.connections.div_ceil(settings.limits.workers))
    .shutdown_signal(data.draining.clone().asked())
    .shutdown_timeout(DRAIN_S);
    let server = match &settings.tls {
        Some(files) => server.bind_rustls_0_23(address, tls::config(files)?),
        None => server.bind(address),
    };
    let server = server.map_err(|source| ServeError::Bind { address, source })?;
    let address = server.addrs().first().copied().unwrap_or(address);
    // One server a node: whoever came first is the one that callers reach.
    let _first = data.bound.set(address);
    let party = relying_party(&settings, address)?;
    if party.is_none() {
        tracing::info!("passkeys are not offered: neither public_url nor webauthn.origins is set");
    }
    let _first = data.relying_party.set(party);
    let server = server.run();
    let stop = Stop::new(server.handle(), data.draining.clone());
    let task = tokio::task::spawn(server);
    Ok(Running { address, stop, node, others, task })
}

fn nowhere() -> Problem {
    Problem::not_found("there is nothing at this URL")
}

fn bad_query() -> Problem {
    Problem::bad("bad_query", "the query string cannot be read")
}

/// What a browser is told with every answer (ASVS 5.0 V3.4).
fn browser_headers(settings: &Settings) -> DefaultHeaders {
    let headers = DefaultHeaders::new().add(("x-content-type-options", "nosniff"));
    let public = settings.public_url.as_ref().is_some_and(|url| url.as_str().starts_with("https"));
    if settings.tls.is_some() || public {
        headers.add(("strict-transport-security", "max-age=31536000"))
    } else {
        headers
    }
}

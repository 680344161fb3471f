//! The end of a server: nothing new is accepted, streams end, and what was asked is
//! answered.

use std::future::pending;

use actix_web::dev::ServerHandle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the server is ending, for those who would otherwise go on for ever. Clones
/// are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Draining(watch::Sender<bool>);

impl Draining {
    /// Waits until the server ends.
    pub(super) async fn begun(&self) {
        let mut heard = self.0.subscribe();
        // The sender is held here, so it cannot be gone.
        let _begun = heard.wait_for(|begun| *begun).await;
    }

    /// True if it has begun, for work that stops between two steps.
    pub(super) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Listens from now on for the operating system to ask the process to end, by SIGTERM
    /// or SIGINT; what it gives ends when that happens. Must be called within a runtime.
    pub(super) fn asked(self) -> impl Future<Output = ()> + Send + 'static {
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        // At once: whoever hears that the server listens may ask it to end.
        let signals = (signal(terminate), signal(interrupt));
        async move {
            let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
                tracing::warn!("cannot listen for signals; only SIGKILL will end this process");
                return pending().await;
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("asked to end: answering what was asked, accepting nothing new");
            self.begin();
        }
    }

    pub(super) fn begin(&self) {
        self.0.send_replace(true);
    }
}

/// Stops a server from elsewhere.
#[derive(Clone, Debug)]
pub struct Stop {
    server: ServerHandle,
    draining: Draining,
}

impl Stop {
    pub(super) fn new(server: ServerHandle, draining: Draining) -> Self {
        Self { server, draining }
    }

    /// Stops accepting, ends the streams, lets requests in flight end, and waits for that.
    pub async fn stop(&self) {
        self.draining.begin();
        self.server.stop(true).await;
    }
}

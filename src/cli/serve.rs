//! `countersign serve`: a node that answers.

use serde::Serialize;

use super::console::{Console, Telling};
use super::failure::{Exit, Failure};
use super::folder::{runtime, surroundings};
use super::hosting::{self, scheme};
use super::page::Page;
use crate::settings::{Flags, LogFormat, Settings};
use crate::telemetry;

/// Serve a data directory over HTTP
///
/// Settings come from flags before the environment (`COUNTERSIGN_…`) before the settings
/// file before defaults. SIGTERM ends it once what was asked has been answered.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    countersign serve --data ./data\n  \
    countersign serve --data ./data --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem\n\n\
    `countersign serve --settings` lists every setting.")]
pub(super) struct Serve {
    /// List every setting with its unit, bounds and default, and end
    #[arg(long = "settings")]
    list: bool,
    #[command(flatten)]
    flags: Flags,
}

impl Serve {
    /// Serves until told to stop.
    ///
    /// # Errors
    /// [`Failure`]: what is wrong with the settings, the directory or the address.
    pub(super) fn run(&self, console: &mut Console) -> Result<Exit, Failure> {
        if self.list {
            let mut page = console.page();
            page.verbatim(&crate::settings::reference());
            console.show(page)?;
            return Ok(Exit::Fine);
        }
        let settings = Settings::load(&self.flags)?;
        let logging = match settings.log_format {
            LogFormat::Text => telemetry::log_as_text(settings.log_level),
            LogFormat::Json => telemetry::log_as_json(settings.log_level),
        };
        logging.map_err(Failure::could_not_run)?;
        let scheme = scheme(&settings);
        let node = hosting::open(&settings, surroundings()?)?;
        runtime()?.block_on(async {
            let running = hosting::start(node, settings).await?;
            console.tell(&Listening { url: format!("{scheme}://{}", running.address) })?;
            running.ended().await.map_err(Failure::could_not_run)
        })?;
        Ok(Exit::Fine)
    }
}

/// Said once connections are accepted, so that a script can wait for it.
#[derive(Serialize)]
struct Listening {
    #[serde(rename = "listening")]
    url: String,
}

impl Telling for Listening {
    fn tell(&self, page: &mut Page) {
        page.line(&format!("listening on {}", self.url));
    }
}

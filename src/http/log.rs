//! `/log/v1`: the log as a C2SP tlog-tiles log, for auditors' own tools and for monitors.
//!
//! A client reads the checkpoint, then what a log of that size has. Nothing beyond the
//! published size is served: what nobody has signed outside is not the log yet.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};

use super::guard::{Guarded, ReadTiles};
use super::{App, Problem, body, caller};
use crate::checkpoint::size_of;
use crate::event_store::StoredTiles;
use crate::tlog::{BundleId, TileId, TileSource as _};

/// Who may read the log's tiles: everybody if the settings say so, else whoever may read
/// the audit.
pub struct LogReader;

impl FromRequest for LogReader {
    type Error = Problem;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        match caller::app(request) {
            Ok(app) if app.settings.log_public => Box::pin(async { Ok(Self) }),
            Ok(_) => {
                let may = Guarded::<ReadTiles>::from_request(request, payload);
                Box::pin(async { may.await.map(|_| Self) })
            }
            Err(problem) => Box::pin(async { Err(problem) }),
        }
    }
}

/// `GET /log/v1/checkpoint`: the checkpoint to be shown, with the lines of its witnesses.
///
/// # Errors
/// [`Problem`]: 503 while there is none.
///
/// # Source
/// c2sp.org/tlog-tiles, "Checkpoints".
pub async fn checkpoint(_may: LogReader, app: web::Data<App>) -> Result<HttpResponse, Problem> {
    let note = app.sequencer.publisher().shown().ok_or_else(none_yet)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("text/plain; charset=utf-8")
        .body(note.to_string()))
}

/// `GET /log/v1/tile/…`: a tile of hashes, or under `entries/` a bundle of entries.
///
/// # Errors
/// [`Problem`]: 404 for what is no path of a tile, or is not in the published log; 503
/// while too many are being read.
///
/// # Source
/// c2sp.org/tlog-tiles, "Merkle Tree" and "Log Entries".
pub async fn tile(
    _may: LogReader,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let size = size_of(&published(&app)?).unwrap_or_default();
    let path = format!("tile/{path}");
    let busy = |_| Problem::unavailable("busy", "too many tiles are being read; try again");
    let held = Arc::clone(&app.tiling).try_acquire_owned().map_err(busy)?;
    let store = Arc::clone(app.sequencer.store());
    let missing = || Problem::not_found("the published log has no such tile");
    let bytes = if let Ok(tile) = path.parse::<TileId>() {
        let there = TileId::at(tile.level(), tile.index(), size);
        there.filter(|there| there.width() >= tile.width()).ok_or_else(missing)?;
        let read = move || {
            let _held = held;
            StoredTiles(&*store).tile(tile)
        };
        body::blocking(read).await?
    } else if let Ok(bundle) = path.parse::<BundleId>() {
        let there = BundleId::at(bundle.index(), size);
        there.filter(|there| there.width() >= bundle.width()).ok_or_else(missing)?;
        let read = move || {
            let _held = held;
            StoredTiles(&*store).bundle(bundle)
        };
        body::blocking(read).await?.map(Option::unwrap_or_default)
    } else {
        return Err(Problem::not_found("a tile's path is `tile/LEVEL/INDEX[.p/WIDTH]`"));
    };
    let bytes = bytes.map_err(|error| Problem::defect(&error))?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, immutable(&app)))
        .content_type("application/octet-stream")
        .body(bytes))
}

/// What a shared cache may keep, if everybody may read it.
fn immutable(app: &App) -> HeaderValue {
    HeaderValue::from_static(if app.settings.log_public {
        "public, max-age=604800, immutable"
    } else {
        "private, max-age=604800, immutable"
    })
}

fn published(app: &App) -> Result<Arc<str>, Problem> {
    app.sequencer.publisher().published().ok_or_else(none_yet)
}

fn none_yet() -> Problem {
    Problem::unavailable("no_checkpoint", "no checkpoint is published yet")
}

//! The one stylesheet and the one script, each at an URL that names what is in it.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use super::super::Problem;
use super::Away;
use crate::model::Digest;

/// Of an asset's SHA-256, as much as its URL needs, in hexadecimal digits.
const NAMED: usize = 16;

/// One file of the build.
pub struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    digest: LazyLock<String>,
}

/// How everything looks.
pub static STYLE: Asset = Asset {
    name: "style.css",
    kind: "text/css; charset=utf-8",
    text: include_str!("style.css"),
    digest: LazyLock::new(|| named(include_str!("style.css"))),
};

/// What passkeys need a script for, and nothing else.
pub static SCRIPT: Asset = Asset {
    name: "script.js",
    kind: "text/javascript; charset=utf-8",
    text: include_str!("script.js"),
    digest: LazyLock::new(|| named(include_str!("script.js"))),
};

fn named(text: &str) -> String {
    Digest::of(text).to_string().chars().take(NAMED).collect()
}

impl Asset {
    /// Where it is; another text is elsewhere, so that a browser may keep this for ever.
    pub fn url(&self) -> String {
        format!("/assets/{}/{}", *self.digest, self.name)
    }
}

/// `GET /assets/{digest}/{file}`.
///
/// # Errors
/// 404 for any but those of this build.
pub async fn show(path: web::Path<(String, String)>) -> Result<HttpResponse, Away> {
    let (digest, name) = path.into_inner();
    let found = [&STYLE, &SCRIPT].into_iter().find(|it| it.name == name && *it.digest == digest);
    let found = found.ok_or_else(|| Problem::not_found("there is nothing at this URL"))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, found.kind))
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .body(found.text))
}

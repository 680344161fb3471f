//! A resource behind Countersign:
//!
//! ```sh
//! PEP=… cargo run --example protected_resource -- http://127.0.0.1:8181
//! curl -i http://127.0.0.1:8182/protected-resource -H 'User: alice' \
//!   -H "Authorization: Bearer $SESSION"
//! ```
//!
//! `PEP` is a token of scope `evaluate`, `SESSION` the `session_token` of a login.

mod pep;

use actix_web::{App, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let wanted = || std::io::Error::other("give Countersign's URL, and its token in PEP");
    let url = std::env::args().nth(1).ok_or_else(wanted)?;
    let token = std::env::var("PEP").map_err(|_| wanted())?;
    let pdp = web::Data::new(pep::Pdp { url, token });
    let app = move || {
        App::new()
            .app_data(pdp.clone())
            .route("/protected-resource", web::get().to(pep::protected_resource))
    };
    HttpServer::new(app).bind("127.0.0.1:8182")?.run().await
}

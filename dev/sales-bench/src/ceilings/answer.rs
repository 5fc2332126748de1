//! An actix server that gives the same response to each sale, without parsing it.

use std::net::{Ipv4Addr, TcpListener};

use actix_web::{App, HttpResponse, HttpServer, web};

use crate::leash;

const SALE: &str = r#"{"id":"0192f5c0-7c1d-7a3e-8f11-0123456789ab","product":"O Pequeno Principe","amount":14,"processed":false,"timestamp":1764547199,"region":"sa-east-1"}"#;

/// Answers on `port` with 201 until standard input closes, with actix's default settings and as many threads as the
/// API.
///
/// # Errors
/// If it cannot listen.
pub(crate) fn answer(port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let server = HttpServer::new(|| App::new().route("/sales", web::post().to(created))).workers(threads);
    let server = server.disable_signals().listen(listener)?.run();
    actix_web::rt::System::new().block_on(async {
        tokio::select! {
            ended = server => Ok(ended?),
            _ = leash::let_go() => Ok(()),
        }
    })
}

/// Reads the body, since actix closes connections with unread requests.
async fn created(_: web::Bytes) -> HttpResponse {
    HttpResponse::Created().content_type("application/json").body(SALE)
}

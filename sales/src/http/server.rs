//! Serving until asked to stop, then finishing what is in flight.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Error, HttpServer};
use tokio_util::sync::CancellationToken;

use super::{Transport, operations, problem, requests, tls};

/// Longer than a load balancer keeps an idle connection (60 s), so that it never picks one that we just closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long requests in flight may take after the signal: a sale is answered within 5 s.
const DRAIN_SECONDS: u64 = 8;

/// Whether answers are to be the last of their connections.
#[derive(Default)]
struct Draining(AtomicBool);

/// Serves what `configure` sets up for each of `workers` threads (and the routes that every service has) until
/// `shutdown`, and returns when the requests in flight have been answered.
///
/// # Errors
/// When the listener cannot be used, there is no certificate, or the server fails.
pub async fn serve<C, S>(
    listener: TcpListener,
    transport: Transport,
    workers: usize,
    configure: C,
    shutdown: CancellationToken,
) -> std::io::Result<()>
where
    C: Fn() -> S + Clone + Send + 'static,
    S: FnOnce(&mut ServiceConfig) + 'static,
{
    let draining = Data::new(Draining::default());
    let last = draining.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(draining.clone())
            .configure(configure())
            .configure(operations::configure)
            .configure(problem::configure_not_found)
            .wrap(from_fn(requests::count))
            .wrap(from_fn(close_while_draining))
    })
    .workers(workers)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(DRAIN_SECONDS)
    .disable_signals();
    let server = match transport {
        Transport::Plain => server.listen(listener)?,
        Transport::SelfSigned => server.listen_rustls_0_23(listener, tls::self_signed()?)?,
    };
    let server = server.run();
    let handle = server.handle();
    let mut serving = actix_web::rt::spawn(server);
    tokio::select! {
        ended = &mut serving => return ended.map_err(std::io::Error::other)?,
        () = shutdown.cancelled() => {}
    }
    last.0.store(true, Ordering::Relaxed);
    handle.stop(true).await;
    serving.await.map_err(std::io::Error::other)?
}

/// Clients that keep their connections busy would otherwise be cut off in the middle of a request.
async fn close_while_draining<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let draining = request.app_data::<Data<Draining>>().cloned();
    let mut response = next.call(request).await?;
    if draining.is_some_and(|draining| draining.0.load(Ordering::Relaxed)) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

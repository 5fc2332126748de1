//! Serves until asked to stop, then finishes requests in flight.

use std::cell::OnceCell;
use std::future::{Future, ready};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Request};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_factory, fn_service};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{AppConfig, Server, Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, Error, HttpResponse, ResponseError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::expectation::{self, Continuing};
use super::no_upgrade::NoUpgrade;
use super::requests::Timing;
use super::{Transport, operations, routing, tls};

/// Name of the listener in actix's log.
const NAME: &str = "http";

/// Longer than a load balancer keeps an idle connection (60 s), so that it never picks one that has just been closed
/// here.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection is still read, and its input discarded, after the last response: a client that is still
/// sending would otherwise lose the response.
const LINGER: Duration = Duration::from_secs(1);

/// Time for requests in flight after the signal: a sale is answered within 5 s.
pub const DRAIN_TIME: Duration = Duration::from_secs(8);

/// Whether responses are the last ones of their connections.
#[derive(Default)]
struct Draining(AtomicBool);

/// Serves what `configure` adds for each of `workers` threads (plus the routes that every service has) until
/// `shutdown`, and returns when the requests in flight are answered.
///
/// # Errors
/// If the listener cannot be used, no certificate can be generated, or the server fails.
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
    let app = move || {
        App::new()
            .app_data(draining.clone())
            .configure(configure())
            .configure(operations::configure)
            .configure(routing::configure_not_found)
            .wrap(from_fn(answer))
    };
    let server = Server::build().workers(workers).shutdown_timeout(DRAIN_TIME.as_secs()).disable_signals();
    let signal = server.graceful_shutdown_signal();
    let stopping = move || {
        let signal = signal.clone();
        async move { signal.notified().await }
    };
    let server = match transport {
        Transport::Plain => server.listen(NAME, listener, move || {
            let tcp = |stream: TcpStream| {
                let peer = stream.peer_addr().ok();
                ready(Ok::<_, DispatchError>((NoUpgrade::new(stream), peer)))
            };
            fn_service(tcp).and_then(http(app(), stopping.clone()))
        })?,
        Transport::SelfSigned => {
            let mut config = tls::self_signed()?;
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let acceptor = Acceptor::new(config);
            server.listen(NAME, listener, move || {
                let tls = acceptor.clone().map_err(TlsError::into_service_error).map(|stream: TlsStream<TcpStream>| {
                    let peer = stream.get_ref().0.peer_addr().ok();
                    (NoUpgrade::new(stream), peer)
                });
                tls.and_then(http(app(), stopping.clone()).map_err(TlsError::Service))
            })?
        }
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

/// HTTP/1.1 on connections of any kind, answered by `app`, one per thread.
fn http<T, F, A, B, Stopping>(
    app: F,
    stopping: impl Fn() -> Stopping + 'static,
) -> impl ServiceFactory<(T, Option<SocketAddr>), Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    F: IntoServiceFactory<A, Request>,
    A: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
    A::Service: 'static,
    <A::Service as Service<Request>>::Future: 'static,
    A::InitError: std::fmt::Debug,
    B: MessageBody + 'static,
    Stopping: Future<Output = ()> + 'static,
{
    let app = Rc::new(app.into_factory().map_err(HttpResponse::from_error));
    let made = Rc::new(OnceCell::new());
    let asked = made.clone();
    HttpService::<T, _, B>::build()
        .keep_alive(KEEP_ALIVE)
        .client_disconnect_timeout(LINGER)
        .graceful_shutdown_signal(stopping)
        .expect(fn_service(move |request: Request| {
            let app: Option<Rc<_>> = asked.get().cloned();
            async move {
                match app {
                    Some(app) => expectation::ask::<_, B>(&*app, request).await,
                    None => Ok(request),
                }
            }
        }))
        .h1(fn_factory(move || {
            let (app, made) = (app.clone(), made.clone());
            async move {
                let app = app.new_service(AppConfig::default()).await?;
                Ok::<_, A::InitError>(Continuing::new(made.get_or_init(|| Rc::new(app)).clone()))
            }
        }))
}

/// Answers a request, unless it expects what cannot be met, and counts it. One middleware for all: each would cost two
/// allocations a request.
async fn answer<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let timing = Timing::start(&request);
    let draining = request.app_data::<Data<Draining>>().cloned();
    let mut response = match expectation::unmet(&request) {
        None => next.call(request).await?.map_into_left_body(),
        Some(problem) => request.into_response(problem.error_response().map_into_right_body()),
    };
    timing.count(&response);
    // Otherwise, clients with busy connections would be cut off in the middle of a request.
    if draining.is_some_and(|draining| draining.0.load(Ordering::Relaxed)) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

//! Connections: accepted, and served request by request.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::answer::Answer;
use super::control;
use super::endpoint::Endpoint;

/// Pause when no connection can be accepted, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves AWS calls forever, with TLS if there is an acceptor.
pub(super) async fn serve_aws(listener: TcpListener, endpoint: Rc<Endpoint>, acceptor: Option<TlsAcceptor>) {
    loop {
        let connection = accept(&listener).await;
        endpoint.connected();
        let (endpoint, acceptor) = (Rc::clone(&endpoint), acceptor.clone());
        spawn_local(async move {
            let answer = |request| {
                let endpoint = Rc::clone(&endpoint);
                async move { endpoint.call(request).await }
            };
            match acceptor {
                None => serve(connection, answer).await,
                // A client that does not trust the certificate reports that itself.
                Some(acceptor) => {
                    if let Ok(connection) = acceptor.accept(connection).await {
                        serve(connection, answer).await;
                    }
                }
            }
        });
    }
}

/// Serves the control routes forever.
pub(super) async fn serve_control(listener: TcpListener, endpoint: Rc<Endpoint>) {
    loop {
        let connection = accept(&listener).await;
        let endpoint = Rc::clone(&endpoint);
        spawn_local(serve(connection, move |request| {
            let endpoint = Rc::clone(&endpoint);
            async move { control::answer(&endpoint, request).await }
        }));
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                // This fails only on a closed connection.
                drop(connection.set_nodelay(true));
                return connection;
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve<F>(connection: impl AsyncRead + AsyncWrite + Unpin, answer: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = Answer>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<Response<Full<Bytes>>, Infallible>(answer.await.into()) }
    });
    let serving = http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(connection), service);
    // A broken connection is the client's concern.
    drop(serving.await);
}

//! Global Accelerator's API over HTTP: the AWS JSON 1.1 protocol around [`api`].

use std::{convert::Infallible, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::sleep};

use super::{api, fault::ApiError, state::AcceleratorState};

/// The prefix of the operation's name in the header `X-Amz-Target`.
const SERVICE: &str = "GlobalAccelerator_V20180706.";
const LARGEST_BODY: usize = 64 * 1024;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves forever; requests in flight end with it.
pub(super) async fn serve(listener: TcpListener, state: watch::Sender<AcceleratorState>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) => {
                    let state = state.clone();
                    let service = service_fn(move |request| answer(state.clone(), request));
                    let mut server = http1::Builder::new();
                    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                    // A broken connection is the client's concern.
                    let serving = server.serve_connection(TokioIo::new(connection), service);
                    connections.spawn(async move { drop(serving.await) });
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    state: watch::Sender<AcceleratorState>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body, fault) = match call(&state, request).await {
        Ok(body) => (StatusCode::OK, body, None),
        Err(fault) => {
            let body = json!({ "__type": fault.name, "Message": fault.message });
            (StatusCode::BAD_REQUEST, body, Some(fault.name))
        }
    };
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Some(name) = fault {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(name));
    }
    Ok(response)
}

async fn call(state: &watch::Sender<AcceleratorState>, request: Request<Incoming>) -> Result<Value, ApiError> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix(SERVICE).ok_or_else(|| ApiError::unknown_operation(target))?.to_owned();
    let unreadable = || ApiError::new("SerializationException", "the body is not a JSON object");
    let body = Limited::new(request.into_body(), LARGEST_BODY).collect().await.map_err(|_| unreadable())?.to_bytes();
    let input = serde_json::from_slice(&body).map_err(|_| unreadable())?;
    let mut answer = Err(ApiError::new("InternalServiceErrorException", "the operation has not run"));
    state.send_modify(|state| answer = api::call(state, &operation, input));
    answer
}

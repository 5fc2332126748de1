//! Checks whether the process that serves on this machine is alive: for containers without a shell or other tools.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::tls::{self, Transport};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Maximum time for a response.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the process is not alive, as seen from outside.
#[derive(Debug, thiserror::Error)]
#[error("{address} is not alive: {reason}")]
pub struct NotAlive {
    address: SocketAddr,
    reason: String,
}

/// Reads the liveness of the process that listens on `listen`. Any certificate is accepted.
///
/// # Errors
/// If it does not answer 200 within two seconds.
pub async fn ask(listen: SocketAddr, transport: Transport) -> Result<(), NotAlive> {
    let address = on_this_machine(listen);
    let reason = match tokio::time::timeout(PATIENCE, liveness(address, transport)).await {
        Ok(Ok(StatusCode::OK)) => return Ok(()),
        Ok(Ok(status)) => format!("it responded with {status}"),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no response within {} s", PATIENCE.as_secs()),
    };
    Err(NotAlive { address, reason })
}

async fn liveness(address: SocketAddr, transport: Transport) -> Result<StatusCode, Box<dyn Error>> {
    match transport {
        Transport::Plain => liveness_over(TcpStream::connect(address).await?, address).await,
        Transport::SelfSigned => liveness_over(tls::connect_on_this_machine(address).await?, address).await,
    }
}

async fn liveness_over<S>(stream: S, address: SocketAddr) -> Result<StatusCode, Box<dyn Error>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/liveness").header(HOST, address.to_string()).body(String::new())?;
    Ok(sender.send_request(request).await?.status())
}

/// A process that listens on all interfaces is called over the loopback one.
fn on_this_machine(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(host, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn who_listens_on_all_interfaces_is_asked_over_the_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:81", "127.0.0.1:81"),
            ("[::]:81", "[::1]:81"),
            ("127.0.0.2:81", "127.0.0.2:81"),
            ("10.0.0.7:81", "10.0.0.7:81"),
        ] {
            assert_eq!(on_this_machine(listen.parse().unwrap()).to_string(), asked);
        }
    }

    #[tokio::test]
    async fn only_200_is_alive() {
        for (status, alive) in [("200 OK", true), ("204 No Content", false), ("503 Service Unavailable", false)] {
            let (listener, address) = listener().await;
            let answering = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream
            };
            let (asked, _stream) = tokio::join!(ask(address, Transport::Plain), answering);
            assert_eq!(asked.is_ok(), alive, "{status}: {asked:?}");
        }
    }

    #[tokio::test]
    async fn who_does_not_answer_in_time_is_not_alive() {
        let (listener, address) = listener().await;
        let reason = ask(address, Transport::Plain).await.unwrap_err().to_string();
        assert_eq!(reason, format!("{address} is not alive: no response within 2 s"));
        drop(listener);
        assert!(ask(address, Transport::Plain).await.is_err(), "nothing listens any more");
    }
}

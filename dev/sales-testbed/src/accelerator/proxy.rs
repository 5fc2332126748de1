//! Passing connections on, byte by byte.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait when no connection can be accepted, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections for ever, and passes each on to the first of its `route`'s addresses that takes it; those that
/// are open end with it.
pub(crate) async fn serve(listener: TcpListener, route: impl Fn() -> Vec<SocketAddr>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(pass_on(client, route()));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes one connection on until both sides have finished, each of which may finish sending before the other.
async fn pass_on(mut client: TcpStream, route: Vec<SocketAddr>) {
    match connect(&route).await {
        Some(mut server) => {
            // A side that breaks off takes the other with it, as it would without something in between.
            if without_delay(&client, &server).is_err() || copy_bidirectional(&mut client, &mut server).await.is_err() {
                reset(&client);
                reset(&server);
            }
        }
        None => reset(&client),
    }
}

/// The first of the addresses that takes the connection.
async fn connect(route: &[SocketAddr]) -> Option<TcpStream> {
    for address in route {
        if let Ok(Ok(server)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            return Some(server);
        }
    }
    None
}

fn without_delay(client: &TcpStream, server: &TcpStream) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)
}

/// Lets the connection end with a reset instead of a proper end, which a client could take for a whole answer.
fn reset(connection: &TcpStream) {
    // It fails only on a connection that has ended already.
    drop(connection.set_zero_linger());
}

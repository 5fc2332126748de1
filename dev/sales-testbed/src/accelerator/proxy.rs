//! Forwards connections, byte by byte.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause when no connection can be accepted, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections forever, and forwards each to the first of its `route`'s addresses that accepts it; open ones
/// end with it.
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

/// Forwards one connection until both sides have finished, in either order.
async fn pass_on(mut client: TcpStream, route: Vec<SocketAddr>) {
    match connect(&route).await {
        Some(mut server) => {
            // If one side breaks, so does the other, as without a proxy.
            if without_delay(&client, &server).is_err() || copy_bidirectional(&mut client, &mut server).await.is_err() {
                reset(&client);
                reset(&server);
            }
        }
        None => reset(&client),
    }
}

/// The first of the addresses that accepts a connection.
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

/// Ends the connection with a reset instead of a proper end, which a client could mistake for a complete response.
fn reset(connection: &TcpStream) {
    // This fails only on a closed connection.
    drop(connection.set_zero_linger());
}

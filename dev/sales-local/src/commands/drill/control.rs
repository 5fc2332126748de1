//! Control connection to a running instance: a line of JSON there, and a line back.

use std::net::SocketAddr;

use anyhow::{Context, anyhow};
use futures::{StreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::Change;
use crate::stack::Stack;

/// Longer than any line here.
const LONGEST_LINE: u64 = 4 * 1024;

/// Result of a change: what was done, or why it failed.
type Reply = Result<String, String>;

/// Takes changes forever.
pub(crate) async fn serve(listener: TcpListener, stack: &Stack) {
    let connections = stream::unfold(listener, async |listener| Some((listener.accept().await, listener)));
    connections
        .for_each_concurrent(None, async |accepted| {
            if let Ok((mut connection, _)) = accepted {
                // Some clients only check whether an instance runs, and some leave before the response.
                drop(answer(&mut connection, stack).await);
            }
        })
        .await;
}

async fn answer(connection: &mut TcpStream, stack: &Stack) -> anyhow::Result<()> {
    let change: Change = read(connection).await?;
    let outcome: Reply = change.carry_out(stack).await.map_err(|error| format!("{error:#}"));
    write(connection, &outcome).await
}

/// Sends this change to the instance at `address`, and returns its response.
pub(crate) async fn send(address: SocketAddr, change: Change) -> anyhow::Result<String> {
    let exchange = async {
        let mut connection = TcpStream::connect(address).await?;
        write(&mut connection, &change).await?;
        read::<Reply>(&mut connection).await
    };
    exchange.await.context("what runs here ended before it answered")?.map_err(|error| anyhow!(error))
}

async fn write(connection: &mut TcpStream, what: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    Ok(connection.write_all(&line).await?)
}

async fn read<T: DeserializeOwned>(connection: &mut TcpStream) -> anyhow::Result<T> {
    let mut line = String::new();
    BufReader::new(connection.take(LONGEST_LINE)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

//! How another command has a running instance do something: a line of JSON there, and a line back.

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

/// More than any line here.
const LONGEST_LINE: u64 = 4 * 1024;

/// What a change has led to: what was done, or why it was not.
type Reply = Result<String, String>;

/// Takes changes forever.
pub(crate) async fn serve(listener: TcpListener, stack: &Stack) {
    let connections = stream::unfold(listener, async |listener| Some((listener.accept().await, listener)));
    connections
        .for_each_concurrent(None, async |accepted| {
            if let Ok((mut connection, _)) = accepted {
                // Some only look whether somebody is here, and some leave before they are answered.
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

/// Has the instance that takes changes at `address` make this one, and returns what it says of that.
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

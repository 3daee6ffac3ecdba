//! One client's connection, from its acceptance to its end: its requests walk the way one after the other.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::listener::Endpoint;
use crate::h1::{Client, Io, Limits, Reuse};
use crate::house::House;
use crate::limits::HANDSHAKE_TIME;
use crate::upstream::Pool;
use crate::way::{self, Arrived, Peer, Wire};

/// Serves a connection until it ends.
pub(super) async fn serve(
    house: Arc<ArcSwap<House>>,
    pool: Arc<Pool>,
    stream: TcpStream,
    address: SocketAddr,
    endpoint: Endpoint,
    mut stop: watch::Receiver<bool>,
) {
    let peer = Peer { address, tls: endpoint.tls.is_some(), administration: endpoint.administration };
    let io = match endpoint.tls {
        None => Io::Plain(stream),
        Some(config) => {
            let shaken = tokio::time::timeout(HANDSHAKE_TIME, TlsAcceptor::from(config).accept(stream)).await;
            let Ok(Ok(stream)) = shaken else { return };
            Io::Tls(Box::new(stream.into()))
        }
    };
    let mut client = Client::new(io, Limits::default());
    client.stop_when(async move {
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut house = Cache::new(house);
    loop {
        match client.next().await {
            Ok(Some((head, body))) => {
                let arrived = Arrived { head, peer };
                let wire = Wire { client: &mut client, body, pool: &pool };
                if way::walk(house.load(), &arrived, wire).await == Reuse::Close {
                    break;
                }
            }
            Ok(None) => return,
            Err(fault) => {
                way::unreadable(house.load(), peer, fault, &mut client).await;
                break;
            }
        }
    }
    client.linger().await;
}

//! Servers on the loopback interface.

use crate::Error;
use axum::Router;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Binds a port on 127.0.0.1; 0 takes a free one.
pub async fn bind(port: u16, what: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(|error| {
        format!("Port {port} for {what} can't be used ({error}). Choose other ports with --port N, or --port 0 for free ones.").into()
    })
}

pub fn url(listener: &TcpListener) -> Result<String, Error> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// Serves until the set is dropped.
pub fn serve(tasks: &mut JoinSet<()>, listener: TcpListener, router: Router) {
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            eprintln!("A server of the local stack stopped: {error}");
        }
    });
}

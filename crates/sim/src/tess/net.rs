//! A listener whose port can be closed and opened again, and whose connections can be closed from outside.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::yield_now,
    time::sleep,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Connections that the system queues until they are accepted.
const BACKLOG: u32 = 1_024;

/// Pause before the listener is tried again after an error.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Yields after which a client on the same runtime has noticed that its idle connections are closed.
const YIELDS_TO_NOTICE: usize = 4;

/// Opens and closes the port.
pub(super) struct Gate {
    pub(super) addr: SocketAddr,
    wanted: watch::Sender<bool>,
    open: watch::Sender<bool>,
    /// Parent of the tokens of all connections.
    connections: Mutex<CancellationToken>,
    live: watch::Sender<usize>,
}

impl Gate {
    pub(super) async fn refuse(&self, refuse: bool) {
        self.wanted.send_replace(!refuse);
        // Ends with an error when the listener is gone; then there is nothing to wait for.
        let _ = self.open.subscribe().wait_for(|open| *open != refuse).await;
        if refuse {
            self.cut_all();
            let _ = self.live.subscribe().wait_for(|live| *live == 0).await;
            for _ in 0..YIELDS_TO_NOTICE {
                yield_now().await;
            }
        }
    }

    fn cut_all(&self) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *connections).cancel();
    }

    fn new_cut(&self) -> Cut {
        Cut(self.connections.lock().unwrap_or_else(PoisonError::into_inner).child_token())
    }
}

/// The listener of the server.
pub(super) struct Listener {
    gate: Arc<Gate>,
    wanted: watch::Receiver<bool>,
    port: Port,
}

enum Port {
    Open(TcpListener),
    /// Bound without listening: connections are refused, and no other process gets the port.
    Closed(TcpSocket),
    Lost,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.gate.cut_all();
    }
}

pub(super) async fn bind(port: u16) -> io::Result<(Listener, Arc<Gate>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let gate = Arc::new(Gate {
        addr: listener.local_addr()?,
        wanted: watch::Sender::new(true),
        open: watch::Sender::new(true),
        connections: Mutex::default(),
        live: watch::Sender::new(0),
    });
    Ok((Listener { wanted: gate.wanted.subscribe(), port: Port::Open(listener), gate: gate.clone() }, gate))
}

impl Listener {
    /// Opens or closes the port as wanted; false when that must be tried again.
    fn settle(&mut self) -> bool {
        let wanted = *self.wanted.borrow_and_update();
        self.port = match (std::mem::replace(&mut self.port, Port::Lost), wanted) {
            (Port::Closed(socket), true) => socket.listen(BACKLOG).map_or(Port::Lost, Port::Open),
            (Port::Lost, true) => self.bound().and_then(|socket| socket.listen(BACKLOG)).map_or(Port::Lost, Port::Open),
            (Port::Open(listener), false) => {
                drop(listener);
                self.bound().map_or(Port::Lost, Port::Closed)
            }
            (Port::Lost, false) => self.bound().map_or(Port::Lost, Port::Closed),
            (settled, _) => settled,
        };
        let settled = !matches!(self.port, Port::Lost);
        if settled {
            self.gate.open.send_replace(wanted);
        }
        settled
    }

    fn bound(&self) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.gate.addr)?;
        Ok(socket)
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            if !self.settle() {
                sleep(RETRY_AFTER).await;
                continue;
            }
            let Port::Open(listener) = &self.port else {
                let _ = self.wanted.changed().await;
                continue;
            };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, addr)) => {
                        return (Connection::new(stream, self.gate.clone()), addr);
                    }
                    Err(_) => sleep(RETRY_AFTER).await,
                },
                _ = self.wanted.changed() => {}
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.gate.addr)
    }
}

/// Closes one connection.
#[derive(Clone)]
pub(super) struct Cut(CancellationToken);

impl Cut {
    pub(super) fn cut(&self) {
        self.0.cancel();
    }
}

impl Connected<IncomingStream<'_, Listener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        stream.io().cut.clone()
    }
}

/// A connection that fails once its [`Cut`] was used.
pub(super) struct Connection {
    stream: TcpStream,
    gate: Arc<Gate>,
    cut: Cut,
    when_cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(stream: TcpStream, gate: Arc<Gate>) -> Self {
        // Nagle's algorithm would delay small responses, whose latency the benchmarks measure.
        let _ = stream.set_nodelay(true);
        let cut = gate.new_cut();
        let when_cut = Box::pin(cut.0.clone().cancelled_owned());
        gate.live.send_modify(|live| *live += 1);
        Self { stream, gate, cut, when_cut }
    }

    fn fails(&mut self, cx: &mut Context<'_>) -> bool {
        self.when_cut.as_mut().poll(cx).is_ready()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.gate.live.send_modify(|live| *live -= 1);
    }
}

fn reset<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.fails(cx) { reset() } else { Pin::new(&mut self.stream).poll_read(cx, buf) }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.fails(cx) { reset() } else { Pin::new(&mut self.stream).poll_write(cx, buf) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.fails(cx) { reset() } else { Pin::new(&mut self.stream).poll_flush(cx) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

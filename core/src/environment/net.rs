//! Byte streams between machines.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A future behind a pointer, so that the traits here can stand behind one too.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Both directions of a connection.
pub struct Stream {
    /// Bytes from the other side.
    pub reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    /// Bytes to the other side.
    pub writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    /// The other side's address.
    pub peer: SocketAddr,
    /// The certificate, DER, that the other side has proved to hold and has to fit; `None` where
    /// it need not have one.
    pub certificate: Option<Bytes>,
}

/// Opens connections and waits for them.
pub trait Net: Send + Sync + 'static {
    /// Connects to `host:port`.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>>;

    /// Listens on an address; port 0 takes a free one. `backlog` is how many connections may wait
    /// to be accepted.
    fn listen(&self, address: SocketAddr, backlog: i32) -> io::Result<Box<dyn Listener>>;
}

/// Waits for connections.
pub trait Listener: Send + Sync + 'static {
    /// The next connection.
    fn accept(&self) -> BoxFuture<'_, io::Result<Stream>>;

    /// The address it listens on, with the real port.
    fn address(&self) -> io::Result<SocketAddr>;
}

/// TCP without Nagle's delay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp {
    /// `clientTcpKeepAlive`: accepted sockets probe a silent peer.
    pub keep_alive: bool,
}

/// A port that belongs to this process although nobody listens on it: connections to it are
/// refused, nobody else is given it, and [`Net::listen`] may take it and give it back.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _socket: Socket,
}

impl ReservedPort {
    /// Reserves a port; 0 takes a free one.
    pub fn take(address: SocketAddr) -> io::Result<ReservedPort> {
        let socket = bind(address)?;
        let address = socket.local_addr()?.as_socket();
        Ok(ReservedPort {
            address: address.ok_or(io::ErrorKind::AddrNotAvailable)?,
            _socket: socket,
        })
    }

    /// The address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restarted server must not wait for its old connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

struct TcpAcceptor {
    listener: TcpListener,
    keep_alive: bool,
}

fn split(stream: TcpStream, peer: SocketAddr) -> io::Result<Stream> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok(Stream {
        reader: Box::new(reader),
        writer: Box::new(writer),
        peer,
        certificate: None,
    })
}

#[allow(clippy::disallowed_methods, reason = "the one room that opens sockets")]
impl Net for Tcp {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            let peer = stream.peer_addr()?;
            split(stream, peer)
        })
    }

    fn listen(&self, address: SocketAddr, backlog: i32) -> io::Result<Box<dyn Listener>> {
        let socket = bind(address)?;
        socket.listen(backlog)?;
        let listener = TcpListener::from_std(socket.into())?;
        Ok(Box::new(TcpAcceptor {
            listener,
            keep_alive: self.keep_alive,
        }))
    }
}

impl Listener for TcpAcceptor {
    fn accept(&self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            if self.keep_alive {
                socket2::SockRef::from(&stream).set_keepalive(true)?;
            }
            split(stream, peer)
        })
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

//! A connection's bytes: plain TCP or TLS over it, towards clients and backends alike.
//!
//! Must never be wrapped in anything that copies or spawns: one call here is one system call.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// One end of a connection.
pub(crate) enum Io {
    /// TCP.
    Plain(TcpStream),
    /// TLS, as a server (towards clients) or as a client (towards backends).
    Tls(Box<TlsStream<TcpStream>>),
    /// A pair within the process, so that tests can pause the clock.
    #[cfg(test)]
    Duplex(tokio::io::DuplexStream),
}

impl From<TcpStream> for Io {
    fn from(stream: TcpStream) -> Self {
        Self::Plain(stream)
    }
}

impl From<tokio_rustls::server::TlsStream<TcpStream>> for Io {
    fn from(stream: tokio_rustls::server::TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(stream.into()))
    }
}

impl From<tokio_rustls::client::TlsStream<TcpStream>> for Io {
    fn from(stream: tokio_rustls::client::TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(stream.into()))
    }
}

#[cfg(test)]
impl From<tokio::io::DuplexStream> for Io {
    fn from(stream: tokio::io::DuplexStream) -> Self {
        Self::Duplex(stream)
    }
}

/// Passes a call on to whichever stream it is.
macro_rules! on_stream {
    ($io:expr, $stream:ident => $call:expr) => {
        match $io.get_mut() {
            Io::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Io::Tls(stream) => {
                let $stream = Pin::new(stream.as_mut());
                $call
            }
            #[cfg(test)]
            Io::Duplex(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, stream => stream.poll_shutdown(context))
    }
}

impl Io {
    /// Reads once into the free room of `buffer`, which the caller has reserved. `Ok(0)`: the peer has
    /// closed.
    pub(crate) fn poll_fill(
        &mut self,
        buffer: &mut BytesMut,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        // The future holds nothing of its own; what it reads is in the buffer whether or not it is polled
        // again.
        pin!(self.read_buf(buffer)).poll(context)
    }

    /// Writes once. A peer that takes nothing is an error, not a reason to call again.
    pub(crate) fn poll_send(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match ready!(Pin::new(self).poll_write(context, bytes)) {
            Ok(0) if !bytes.is_empty() => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            result => Poll::Ready(result),
        }
    }

    /// Hands everything written to the kernel; TLS keeps a record back when the socket was full.
    pub(crate) fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            #[cfg(test)]
            Self::Duplex(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    /// Makes the close that follows a reset instead of an orderly end, so that the peer cannot take what it
    /// got for complete. Needed where the end of the connection is the end of the message.
    pub(crate) fn reset_on_close(&self) {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            #[cfg(test)]
            Self::Duplex(_) => return,
        };
        // A socket that refuses is already closed.
        let _ = stream.set_zero_linger();
    }
}

/// Makes room for at least `minimum` bytes before a read, `usual` bytes when the buffer has to be renewed
/// anyway.
pub(crate) fn make_room(buffer: &mut BytesMut, minimum: usize, usual: usize) {
    if buffer.capacity() - buffer.len() < minimum {
        buffer.reserve(usual);
    }
}

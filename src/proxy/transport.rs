//! What the proxy needs of a client's byte stream.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};

use crate::rt::{Bulk, Gathered, Stream};

/// A byte stream of one client. One reader and one sender at a time, both of the same task.
pub trait Transport {
    /// See [`Stream::poll_readable`].
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()>;
    /// See [`Stream::poll_receive`].
    fn poll_receive(&self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>>;
    /// See [`Stream::poll_receive_bulk`].
    fn poll_receive_bulk(&self, cx: &mut Context<'_>) -> Poll<io::Result<Bulk>>;
    /// See [`Stream::poll_closed`].
    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()>;
    /// See [`Stream::is_hung_up`].
    fn is_hung_up(&self) -> bool;
    /// See [`Stream::send`].
    fn send(&self, bytes: Vec<u8>) -> impl Future<Output = (io::Result<()>, Vec<u8>)>;
    /// See [`Stream::send_bulk`].
    fn send_bulk(&self, bulk: Bulk) -> impl Future<Output = io::Result<()>>;
    /// See [`Stream::send_gathered`].
    fn send_gathered(&self, gathered: Box<Gathered>) -> impl Future<Output = (io::Result<()>, (Vec<u8>, Vec<u8>))>;
    /// See [`Stream::close_write`].
    fn close_write(&self);
}

impl Transport for Stream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_readable(cx)
    }

    fn poll_receive(&self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        self.poll_receive(cx, into)
    }

    fn poll_receive_bulk(&self, cx: &mut Context<'_>) -> Poll<io::Result<Bulk>> {
        self.poll_receive_bulk(cx)
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_closed(cx)
    }

    fn is_hung_up(&self) -> bool {
        self.is_hung_up()
    }

    fn send(&self, bytes: Vec<u8>) -> impl Future<Output = (io::Result<()>, Vec<u8>)> {
        self.send(bytes)
    }

    fn send_bulk(&self, bulk: Bulk) -> impl Future<Output = io::Result<()>> {
        self.send_bulk(bulk)
    }

    fn send_gathered(&self, gathered: Box<Gathered>) -> impl Future<Output = (io::Result<()>, (Vec<u8>, Vec<u8>))> {
        self.send_gathered(gathered)
    }

    fn close_write(&self) {
        self.close_write();
    }
}

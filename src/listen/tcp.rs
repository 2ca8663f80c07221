//! TCP listeners: one socket per shard on one address, and nobody else on it.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;

use socket2::{Domain, Protocol, Socket, Type};

use super::{BACKLOG, ListenError};

/// Binds `count` listening sockets to `address` (`host:port`) and returns them with the address that was bound.
///
/// `SO_REUSEPORT` lets any process of the same user join, so the first socket is bound and listens without it: a
/// second sockguard fails there. Only then is it set, and the shards' other sockets join.
///
/// # Errors
/// Why it could not be bound.
pub fn bind_tcp(address: &str, count: usize) -> Result<(SocketAddr, Vec<OwnedFd>), ListenError> {
    let bind = |address: &dyn std::fmt::Display, cause| ListenError::Bind { address: address.to_string(), cause };
    let resolved = resolve(address)?;
    let first = open(resolved).map_err(|cause| bind(&resolved, cause))?;
    let listen = |socket: &Socket, at: SocketAddr| -> io::Result<()> {
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)
    };
    listen(&first, resolved).map_err(|cause| bind(&resolved, cause))?;
    first.set_reuse_port(true).map_err(|cause| bind(&resolved, cause))?;
    // The port that was chosen when 0 was asked for.
    let bound = first.local_addr().ok().and_then(|bound| bound.as_socket()).unwrap_or(resolved);
    let mut sockets = vec![first.into()];
    for _ in 1..count {
        let next = open(bound).and_then(|next| {
            next.set_reuse_port(true)?;
            listen(&next, bound)?;
            Ok(next)
        });
        sockets.push(next.map_err(|cause| bind(&bound, cause))?.into());
    }
    Ok((bound, sockets))
}

fn resolve(address: &str) -> Result<SocketAddr, ListenError> {
    // `:2375` means every address of the machine.
    let spelled = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
    let failed = |cause| ListenError::Address { address: address.to_owned(), cause };
    let mut found = spelled.to_socket_addrs().map_err(failed)?;
    found.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_share_an_address_and_nobody_else_does() {
        let (bound, sockets) = bind_tcp("127.0.0.1:0", 3).unwrap();
        assert_eq!(sockets.len(), 3);
        assert_ne!(bound.port(), 0);
        let again = bind_tcp(&bound.to_string(), 3);
        assert!(matches!(again, Err(ListenError::Bind { .. })), "a second process joined");
        drop(sockets);
        assert!(bind_tcp(&bound.to_string(), 2).is_ok(), "the address is free again");
    }

    #[test]
    fn addresses_that_mean_nothing_are_named() {
        for bad in ["", "nonsense", "127.0.0.1", "127.0.0.1:x", "256.1.1.1:1"] {
            let error = bind_tcp(bad, 1).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }
}

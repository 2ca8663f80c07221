//! The credentials of a unix peer, as the kernel recorded them when it connected.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Effective user and group, and the process: 0 when it lives in a process namespace that ours cannot see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Process id.
    pub pid: i32,
}

/// Reads `SO_PEERCRED`.
///
/// # Errors
/// The socket is not a connected unix socket.
pub fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<PeerCredentials> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the option writes at most `length` bytes into a structure of exactly that type.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(PeerCredentials { uid: credentials.uid, gid: credentials.gid, pid: credentials.pid })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn our_own_credentials_come_back() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let credentials = peer_credentials(ours.as_fd()).unwrap();
        assert_eq!(credentials.pid as u32, std::process::id());
        assert_eq!(credentials.uid, rustix::process::geteuid().as_raw());
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(peer_credentials(file.as_fd()).is_err());
    }
}

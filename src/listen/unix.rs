//! The unix socket: never wider than 0600, never stolen, removed at the end (spec 60 §6.2).

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, StatxFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::{BACKLOG, ListenError};
use crate::engine::reach::connect_blocking;

/// How long a socket that may be stale is given to answer.
const PROBE_LIMIT: Duration = Duration::from_millis(200);

/// A bound unix socket's path; [`UnixBinding::remove`] takes it away again.
#[derive(Debug)]
pub struct UnixBinding {
    path: PathBuf,
    file: SocketFile,
}

/// Which file is at a path. The time of birth tells it from a successor to which the file system gave the same number.
#[derive(Debug, PartialEq, Eq)]
struct SocketFile {
    device: (u32, u32),
    inode: u64,
    born: (i64, u32),
    is_socket: bool,
}

impl SocketFile {
    fn at(path: &Path) -> rustix::io::Result<SocketFile> {
        let wanted = StatxFlags::INO | StatxFlags::BTIME | StatxFlags::TYPE;
        let stat = rustix::fs::statx(rustix::fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW, wanted)?;
        Ok(SocketFile {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            born: (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec),
            is_socket: FileType::from_raw_mode(u32::from(stat.stx_mode)) == FileType::Socket,
        })
    }
}

impl UnixBinding {
    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the socket file if it is still the one that was bound.
    ///
    /// # Errors
    /// It is there and cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        match SocketFile::at(&self.path) {
            Ok(file) if file == self.file => match rustix::fs::unlink(&self.path) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            },
            Ok(_) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Binds a listening unix socket at `path`, mode 0600 from its first instant. The umask is the process's, so no other
/// thread may create files meanwhile: call it before there are any.
///
/// # Errors
/// Why it could not be bound. A socket that another process serves is left alone; a leftover is replaced.
pub fn bind_unix(path: &Path) -> Result<(UnixBinding, OwnedFd), ListenError> {
    let shown = || path.display().to_string();
    let failed = |cause: io::Error| ListenError::Bind { address: shown(), cause };
    let address = SocketAddrUnix::new(path).map_err(|error| failed(error.into()))?;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|error| failed(error.into()))?;
    match bind_private(&socket, &address) {
        Ok(()) => {}
        Err(rustix::io::Errno::ADDRINUSE) => {
            remove_stale(path)?;
            bind_private(&socket, &address).map_err(|error| failed(error.into()))?;
        }
        Err(error) => return Err(failed(error.into())),
    }
    let file = SocketFile::at(path).map_err(|error| failed(error.into()))?;
    let binding = UnixBinding { path: path.to_owned(), file };
    if let Err(error) = rustix::net::listen(&socket, BACKLOG) {
        let _ = binding.remove();
        return Err(failed(error.into()));
    }
    Ok((binding, socket))
}

fn bind_private(socket: &OwnedFd, address: &SocketAddrUnix) -> rustix::io::Result<()> {
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(socket, address);
    rustix::process::umask(before);
    bound
}

fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let shown = path.display().to_string();
    let look = || {
        SocketFile::at(path).map_err(|error| ListenError::Uninspectable { path: shown.clone(), cause: error.into() })
    };
    let before = look()?;
    if !before.is_socket {
        return Err(ListenError::NotASocket(shown));
    }
    match connect_blocking(path, PROBE_LIMIT) {
        Ok(()) => return Err(ListenError::Live(shown)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(cause) => return Err(ListenError::Ambiguous { path: shown, cause }),
    }
    if look()? != before {
        return Err(ListenError::Changed(shown));
    }
    match rustix::fs::unlink(path) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(ListenError::Stale(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn the_socket_is_private_and_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (binding, _socket) = bind_unix(&path).unwrap();
        assert_eq!(rustix::fs::lstat(&path).unwrap().st_mode & 0o777, 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        binding.remove().unwrap();
        assert!(!path.exists());
        binding.remove().unwrap();
    }

    #[test]
    fn a_leftover_is_replaced_and_a_live_socket_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        let (binding, socket) = bind_unix(&path).unwrap();
        assert!(matches!(bind_unix(&path), Err(ListenError::Live(_))));
        assert!(UnixStream::connect(&path).is_ok(), "the first one still serves");
        drop(socket);
        // A file system's clock is coarse: the successor starts later than the tick in which the first one did.
        let mut successor = bind_unix(&path).unwrap();
        while successor.0.file == binding.file {
            drop(successor);
            successor = bind_unix(&path).unwrap();
        }
        // The path now belongs to the successor: the first one's removal must not touch it.
        binding.remove().unwrap();
        assert!(path.exists());
    }

    #[test]
    fn other_files_are_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(bind_unix(&path), Err(ListenError::NotASocket(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(bind_unix(&link), Err(ListenError::NotASocket(_))));
        assert!(bind_unix(&folder.path().join("missing/s")).is_err());
        assert!(bind_unix(Path::new(&"x".repeat(200))).is_err());
    }
}

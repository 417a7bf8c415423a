//! The file of a Unix socket that we listen on: made at the start, removed when nobody listens.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket as Raw, Type};

/// A socket's file that is ours; removed when dropped.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// What tells our file from another one that took its path. A number of an inode is soon used
/// again, so the time belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    made: (i64, i64),
}

impl SocketFile {
    /// Listens on a new file with these permissions, or with what the umask leaves. A file that a
    /// broker left behind that is no more is replaced; anything else in the way is left alone.
    pub(super) fn bind(
        path: &Path,
        mode: Option<u32>,
        backlog: i32,
    ) -> io::Result<(UnixListener, Self)> {
        let socket = Raw::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let address = SockAddr::unix(path)?;
        match socket.bind(&address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                clear(path, &address)?;
                socket.bind(&address)?;
            }
            result => result?,
        }
        let file = Self { path: path.to_owned(), identity: Identity::of(path)? };
        // nobody gets in between: until we listen, every connect is refused
        if let Some(mode) = mode {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        socket.listen(backlog)?;
        Ok((socket.into(), file))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let removed = match Identity::of(&self.path) {
            Ok(identity) if identity == self.identity => fs::remove_file(&self.path),
            // somebody removed it, and may have made another
            Ok(_) => return,
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "cannot remove the socket's file");
            }
            _ => {}
        }
    }
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            made: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Removes what stands in the way if it is a socket on which nobody listens.
fn clear(path: &Path, address: &SockAddr) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    let probe = Raw::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        // not allowed to ask
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        // somebody listens, perhaps on another kind of socket or without time for us
        _ => Err(Errno::ADDRINUSE.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use tempfile::TempDir;

    use super::*;

    /// A folder that is removed when dropped, and where a socket's file in it is to be.
    fn place() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.sock");
        (folder, path)
    }

    fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
        SocketFile::bind(path, None, 16)
    }

    #[test]
    fn the_file_lives_as_long_as_it_is_held() {
        let (_folder, path) = place();
        let (_listener, file) = SocketFile::bind(&path, Some(0o620), 16).unwrap();
        UnixStream::connect(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o620);
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_broker_left_behind_is_replaced() {
        let (_folder, path) = place();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_listener, _file) = bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_live_socket_is_left_alone() {
        let (_folder, path) = place();
        let _live = UnixListener::bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_live_socket_of_another_kind_is_left_alone() {
        let (_folder, path) = place();
        let live = UnixDatagram::bind(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        UnixDatagram::unbound().unwrap().send_to(b"x", &path).unwrap();
        assert_eq!(live.recv(&mut [0]).unwrap(), 1);
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let (folder, path) = place();
        let elsewhere = folder.path().join("elsewhere");
        drop(UnixListener::bind(&elsewhere).unwrap());
        let make: [fn(&Path, &Path); 3] = [
            |path, _| fs::write(path, "precious").unwrap(),
            |path, _| fs::create_dir(path).unwrap(),
            // whoever made the link, it is not what a broker leaves behind
            |path, elsewhere| std::os::unix::fs::symlink(elsewhere, path).unwrap(),
        ];
        for make in make {
            make(&path, &elsewhere);
            let error = bind(&path).unwrap_err();
            assert_eq!(error.to_string(), "a file that is no socket is there");
            assert!(fs::symlink_metadata(&path).is_ok());
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
        }
    }

    #[test]
    fn a_file_that_another_broker_made_since_is_left_alone() {
        let (_folder, path) = place();
        let (listener, file) = bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let (_newer, _newer_file) = bind(&path).unwrap();
        drop((listener, file));
        UnixStream::connect(&path).unwrap();
    }
}

//! Tests of the socket directory on a real file system.

use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn directory() -> (tempfile::TempDir, SocketDirectory) {
    let temporary = tempfile::tempdir().unwrap();
    let sockets = SocketDirectory::open(&temporary.path().join("wsgi.1")).unwrap();
    (temporary, sockets)
}

fn name(slot: u32) -> String {
    spec::group::socket_file_name("site", slot)
}

#[test]
fn sk_1_socket_is_private_to_its_owner() {
    let (_temporary, sockets) = directory();
    let owner = if own_uid() == 0 { 33 } else { own_uid() };
    let _listener = sockets.bind(&name(0), owner, 5).unwrap();
    let found = std::fs::symlink_metadata(sockets.path().join(name(0))).unwrap();
    assert_eq!((found.uid(), found.permissions().mode() & 0o7777), (owner, 0o600));
    let directory = std::fs::metadata(sockets.path()).unwrap().permissions().mode() & 0o7777;
    assert_eq!(directory, if own_uid() == 0 { 0o711 } else { 0o700 });
    let private = std::fs::metadata(sockets.path().join(PRIVATE)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(private, 0o700);
    if own_uid() == 0 {
        UnixStream::connect(sockets.path().join(name(0))).unwrap();
    }
}

#[test]
fn sk_7_the_longest_possible_path_works_and_one_more_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let file = name(0);
    let room = spec::group::LONGEST_SOCKET_PATH - temporary.path().as_os_str().len() - file.len() - 2;
    let longest = temporary.path().join("d".repeat(room));
    let sockets = SocketDirectory::open(&longest).unwrap();
    let _listener = sockets.bind(&file, own_uid(), 5).unwrap();
    UnixStream::connect(longest.join(&file)).unwrap();
    for more in 1..4 {
        let sockets = SocketDirectory::open(&temporary.path().join("d".repeat(room + more))).unwrap();
        let error = sockets.bind(&file, own_uid(), 5).unwrap_err();
        assert!(error.to_string().contains("107 are possible"), "{error}");
    }
}

#[test]
fn sk_7_only_our_leftovers_of_dead_servers_go() {
    let temporary = tempfile::tempdir().unwrap();
    let at = |name: &str| temporary.path().join(name);
    // Above the largest possible pid, so dead for sure.
    let (dead, foreign) = (at("wsgi.2147483000"), at("wsgi.2147483001"));
    let alive = at(&format!("wsgi.{}", std::process::id()));
    for path in [&dead, &foreign, &alive] {
        SocketDirectory::open(path).unwrap().bind(&name(0), own_uid(), 5).unwrap();
    }
    std::fs::write(foreign.join("precious"), "x").unwrap();
    let other = at("other.2147483000");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(temporary.path(), at("wsgi.2147483002")).unwrap();
    let own = SocketDirectory::open(&at("wsgi.1")).unwrap();
    let _kept = own.bind(&name(0), own_uid(), 5).unwrap();
    let _former = UnixListener::bind(own.path().join(name(7))).unwrap();
    assert_eq!(own.remove_leftovers(), std::slice::from_ref(&foreign));
    assert!(own.path().join(name(0)).exists() && !own.path().join(name(7)).exists());
    assert!(!dead.exists() && foreign.join("precious").exists() && alive.exists() && other.exists());
}

#[test]
fn sk_7_directory_that_others_can_write_to_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("wsgi.1");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(SocketDirectory::open(&path), Err(SocketError::Unsafe { .. })));
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/tmp", &path).unwrap();
    assert!(matches!(SocketDirectory::open(&path), Err(SocketError::System { .. })));
    std::fs::remove_file(&path).unwrap();
    let nowhere = temporary.path().join("absent/wsgi.1");
    assert!(matches!(SocketDirectory::open(&nowhere), Err(SocketError::NotMade { .. })));
    std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(SocketDirectory::open(&path), Err(SocketError::Unsafe { .. })));
}

#[test]
fn ki_3_a_listener_is_adopted_only_if_it_is_the_right_one() {
    let (temporary, sockets) = directory();
    let listener = sockets.bind(&name(0), own_uid(), 5).unwrap();
    sockets.adopt(listener.as_fd(), &name(0), own_uid(), 9).unwrap();
    assert!(sockets.adopt(listener.as_fd(), &name(1), own_uid(), 9).is_err());
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(sockets.adopt(file.as_fd(), &name(0), own_uid(), 9).is_err());
    let other = UnixListener::bind(temporary.path().join("other")).unwrap();
    assert!(sockets.adopt(other.as_fd(), &name(0), own_uid(), 9).is_err());
    let (stream, _peer) = UnixStream::pair().unwrap();
    assert!(sockets.adopt(stream.as_fd(), &name(0), own_uid(), 9).is_err());
    sockets.unlink(&name(0));
    assert!(sockets.adopt(listener.as_fd(), &name(0), own_uid(), 9).is_err());
}

#[test]
fn the_directory_goes_with_its_sockets() {
    let (_temporary, sockets) = directory();
    let path = sockets.path().to_owned();
    let _listener = sockets.bind(&name(0), own_uid(), 5).unwrap();
    sockets.remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn ki_3_only_what_was_bound_or_adopted_here_is_removed() {
    let (temporary, sockets) = directory();
    let path = sockets.path().to_owned();
    let _first = sockets.bind(&name(0), own_uid(), 5).unwrap();
    let _second = sockets.bind(&name(1), own_uid(), 5).unwrap();
    // Another supervisor has put its own socket in the place of one.
    std::fs::remove_file(path.join(name(1))).unwrap();
    let _other = UnixListener::bind(path.join(name(1))).unwrap();
    sockets.unlink(&name(1));
    let error = sockets.remove().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::NOTEMPTY.raw_os_error()));
    assert!(!path.join(name(0)).exists() && path.join(name(1)).exists());
    // The whole directory was exchanged: the new one is not ours to remove.
    let sockets = SocketDirectory::open(&path).unwrap();
    assert!(sockets.is_in_place());
    std::fs::rename(&path, temporary.path().join("away")).unwrap();
    assert!(!sockets.is_in_place());
    std::fs::create_dir(&path).unwrap();
    assert!(!sockets.is_in_place());
    sockets.remove().unwrap();
    assert!(path.exists());
}

#[test]
fn ki_3_a_socket_file_that_was_exchanged_is_bound_anew() {
    let (_temporary, sockets) = directory();
    let listener = sockets.bind(&name(0), own_uid(), 5).unwrap();
    std::fs::remove_file(sockets.path().join(name(0))).unwrap();
    let _other = UnixListener::bind(sockets.path().join(name(0))).unwrap();
    let error = sockets.adopt(listener.as_fd(), &name(0), own_uid(), 5).unwrap_err();
    assert!(error.to_string().contains("another socket file"), "{error}");
}

#[test]
fn sk_6_a_directory_that_somebody_else_made_first_is_refused() {
    if own_uid() != 0 {
        println!("skipped: needs root");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    let path = temporary.path().join("wsgi.1");
    std::fs::create_dir(&path).unwrap();
    std::os::unix::fs::chown(&path, Some(61_999), None).unwrap();
    let error = SocketDirectory::open(&path).unwrap_err();
    assert!(error.to_string().contains("belongs to another user"), "{error}");
    std::fs::remove_dir(&path).unwrap();
    SocketDirectory::open(&path).unwrap();
}

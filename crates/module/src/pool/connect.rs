//! A new connection to a worker slot: patience while the worker is being replaced, and proof of who listens.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use spec::Transfer;
use unix::stream::BufferSizes;

use crate::groups::GroupHandle;
use crate::relay::Failure;

/// First and longest pause between two tries.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// Connects to a worker slot, numbered through all groups, within the group's connect-timeout.
pub(super) fn connect(group: &GroupHandle, slot: usize) -> Result<OwnedFd, Failure> {
    let slot = slot.saturating_sub(group.first_slot);
    let Some(path) = group.sockets.get(slot) else {
        let error = std::io::Error::new(ErrorKind::NotFound, "the group has no such worker");
        return Err(Failure::Connect { path: format!("worker {slot}"), error });
    };
    let connection = try_until(path, group.definition.timeouts.connect)?;
    // unix(7): a client sees the credentials that the listener had when it called listen.
    let failed = |error| Failure::Connect { path: path.display().to_string(), error };
    let uid = unix::peer::of(&connection).map_err(failed)?.uid;
    if uid != group.listener_uid {
        return Err(Failure::ForeignListener {
            path: path.display().to_string(),
            uid,
            expected: group.listener_uid,
        });
    }
    let Transfer { send_buffer, receive_buffer, .. } = group.definition.transfer;
    // It works with the system's sizes, too.
    let _ = BufferSizes { send: receive_buffer, receive: send_buffer }.set(&connection);
    Ok(connection)
}

fn try_until(path: &Path, patience: Duration) -> Result<OwnedFd, Failure> {
    let begin = Instant::now();
    let mut pause = PAUSE.0;
    loop {
        let error = match unix::stream::connect_to(path) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        // Nobody listens now, the backlog is full, or the path is missing between a supervisor that ended and its successor: all
        // pass. Anything else does not.
        let left = patience.saturating_sub(begin.elapsed());
        match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::WouldBlock if left.is_zero() => {
                return Err(Failure::ConnectTimeout(patience));
            }
            ErrorKind::NotFound if !left.is_zero() => {}
            ErrorKind::ConnectionRefused | ErrorKind::WouldBlock => {}
            _ => return Err(Failure::Connect { path: path.display().to_string(), error }),
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE.1);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use spec::{ProcessGroup, Timeouts, Timers};

    use super::*;

    /// A group of two threads whose second slot listens at `path`.
    pub fn group(path: &Path, listener_uid: u32) -> GroupHandle {
        let second = Duration::from_millis(200);
        let timeouts =
            Timeouts { shutdown: second, graceful: second, connect: second, socket: second, queue: None };
        let definition = ProcessGroup {
            name: "shop".into(),
            server: String::new(),
            account: None,
            processes: 1,
            multiprocess: false,
            threads: 2,
            stack_size: 8 << 20,
            python: "/usr/bin/python3".into(),
            python_path: Vec::new(),
            python_eggs: None,
            chroot: None,
            home: None,
            umask: None,
            lang: None,
            locale: None,
            display_name: "(wsgi:shop)".into(),
            environment: Default::default(),
            listen_backlog: 100,
            socket_uid: 0,
            cpu_priority: None,
            virtual_memory_limit: None,
            memory_limit: None,
            new_privileges: false,
            timeouts,
            timers: Timers::default(),
            transfer: spec::Transfer::default(),
            roots: Vec::new(),
            preload: Vec::new(),
            script_owner: None,
            python_settings: Default::default(),
        };
        GroupHandle {
            definition,
            sockets: vec![path.to_owned()],
            first_slot: 1,
            listener_uid,
            sole_application: true,
        }
    }

    fn directory() -> PathBuf {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wsgi-pool-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        path
    }

    fn own_uid() -> u32 {
        unix::peer::of(std::os::unix::net::UnixStream::pair().unwrap().0).unwrap().uid
    }

    #[test]
    fn sk_4_a_listener_of_somebody_else_gets_nothing() {
        let directory = directory();
        let path = directory.join("s");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(connect(&group(&path, own_uid()), 1).is_ok());
        let error = connect(&group(&path, own_uid() + 1), 1).unwrap_err();
        assert!(matches!(error, Failure::ForeignListener { expected, .. } if expected == own_uid() + 1));
        for _ in 0..2 {
            let (mut taken, _) = listener.accept().unwrap();
            assert_eq!(std::io::Read::read(&mut taken, &mut [0; 8]).unwrap(), 0);
        }
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_refused_connection_is_tried_again_until_the_timeout() {
        let directory = directory();
        let path = directory.join("s");
        drop(UnixListener::bind(&path).unwrap());
        let handle = group(&path, own_uid());
        assert!(matches!(connect(&handle, 1), Err(Failure::ConnectTimeout(_))));
        thread::scope(|scope| {
            let late = scope.spawn(|| connect(&handle, 1));
            thread::sleep(Duration::from_millis(20));
            let bound = path.with_extension("new");
            let _listener = UnixListener::bind(&bound).unwrap();
            std::fs::rename(&bound, &path).unwrap();
            assert!(late.join().unwrap().is_ok());
        });
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_missing_path_may_come_back_until_the_timeout() {
        let begin = Instant::now();
        let error = connect(&group(Path::new("/nowhere/s"), 0), 1).unwrap_err();
        assert!(matches!(error, Failure::Connect { error, .. } if error.kind() == ErrorKind::NotFound));
        assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
        let directory = directory();
        let path = directory.join("s");
        let handle = group(&path, own_uid());
        thread::scope(|scope| {
            let late = scope.spawn(|| connect(&handle, 1));
            thread::sleep(Duration::from_millis(20));
            let _listener = UnixListener::bind(&path).unwrap();
            assert!(late.join().unwrap().is_ok());
        });
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_path_through_a_file_is_final() {
        let error = connect(&group(Path::new("/etc/passwd/s"), 0), 1).unwrap_err();
        assert!(
            matches!(&error, Failure::Connect { error, .. } if error.kind() == ErrorKind::NotADirectory),
            "{error}"
        );
    }
}

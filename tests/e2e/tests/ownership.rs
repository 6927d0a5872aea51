//! script-user= and script-group=: EN-6. The rule itself is compared with mod_wsgi in the compliance tests.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use kit::{Apache, need, users};

use crate::ours_as_root;

fn script(word: &str) -> String {
    format!(
        "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{word}']\n"
    )
}

fn serve(apache: &Apache) -> String {
    let response = apache.get("/own");
    format!("{} {}", response.status, if response.status == 200 { response.text() } else { String::new() })
}

/// The file is exchanged by rename all the time, for one of another owner and back; what runs is never the other one's.
#[test]
fn en_6_a_script_of_somebody_else_is_never_run() {
    let setup = need!(ours_as_root());
    let (owner, other) = (need!(users::site('a')), need!(users::site('b')));
    let setup = setup
        .daemon("own", &format!("user={0} group={0} threads=4 script-user={0}", owner.name))
        .file("own/app.wsgi", &script("mine"))
        .config("WSGIScriptAlias /own @ROOT@/own/app.wsgi process-group=own")
        .expect_log("wsgi:error.*(WSGI016[0-9]|belongs to user|WSGI0126|WSGI0135)|WSGI\\d{4}");
    let folder = setup.root().join("own");
    give(&folder, owner.uid, 0o755);
    give(&folder.join("app.wsgi"), owner.uid, 0o644);
    let apache = setup.start();
    assert_eq!(serve(&apache), "200 mine");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            for round in 0..kit::repetitions(2000, 10_000) {
                let foreign = round % 2 == 0;
                let new = folder.join("new");
                fs::write(&new, script(if foreign { "foreign" } else { "mine" }))
                    .expect("the folder is ours");
                give(&new, if foreign { other.uid } else { owner.uid }, 0o644);
                fs::rename(&new, folder.join("app.wsgi")).expect("the folder is ours");
            }
            over.store(true, Ordering::Relaxed);
        });
        let mut served = 0;
        while !over.load(Ordering::Relaxed) {
            let answer = serve(&apache);
            assert!(!answer.contains("foreign"), "a script of another owner ran");
            served += u32::from(answer == "200 mine");
        }
        swapper.join().expect("the swapping went on to its end");
        assert!(served > 0, "nothing was served meanwhile");
    });
    // The last one is the owner's, whatever the worker had loaded before.
    kit::wait_until(kit::LIMIT, "the owner's script is served", || serve(&apache) == "200 mine");
    apache.finish();
}

fn give(path: &Path, uid: u32, mode: u32) {
    chown(path, Some(uid), None).expect("we are root");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("we are root");
}

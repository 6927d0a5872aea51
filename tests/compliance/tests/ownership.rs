//! script-user= and script-group= of WSGIDaemonProcess: whose scripts run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use kit::{Account, Setup, need, users};

const HELLO: &str =
    "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hello']\n";

/// Owner, group and mode of a script and of the folder it is in.
struct Case {
    name: &'static str,
    script: (u32, u32, u32),
    folder: (u32, u32, u32),
    status: u16,
}

fn give(path: &Path, (uid, gid, mode): (u32, u32, u32)) {
    chown(path, Some(uid), Some(gid)).expect("we are root");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("we are root");
}

fn run(option: &str, cases: &[Case]) {
    let mut setup = need!(Setup::new()).one_daemon(option);
    for case in cases {
        setup = setup.file(&format!("own/{}/app.wsgi", case.name), HELLO);
    }
    let setup = setup.config("WSGIScriptAliasMatch ^/own/([a-z_]+) @ROOT@/own/$1/app.wsgi");
    for case in cases {
        let folder = setup.root().join("own").join(case.name);
        give(&folder.join("app.wsgi"), case.script);
        give(&folder, case.folder);
    }
    let apache = setup.expect_log("WSGI01[567][0-9]").start();
    for case in cases {
        let response = apache.get(&format!("/own/{}", case.name));
        assert_eq!(response.status, case.status, "{option}, {}", case.name);
    }
    apache.finish();
}

fn accounts() -> Result<(Account, Account), String> {
    if !users::am_root() {
        return Err("needs root".to_owned());
    }
    Ok((users::site('a')?, users::site('b')?))
}

#[test]
fn en_6_script_user_wants_owner_and_modes() {
    let (a, b) = need!(accounts());
    let case = |name, script, folder, status| Case { name, script, folder, status };
    let (mine, fine) = ((a.uid, a.gid, 0o644), (a.uid, a.gid, 0o755));
    run(
        &format!("threads=2 script-user={}", a.name),
        &[
            case("fine", mine, fine, 200),
            case("group_of_another", (a.uid, b.gid, 0o644), fine, 200),
            case("another", (b.uid, a.gid, 0o644), fine, 403),
            case("root", (0, 0, 0o644), fine, 403),
            case("group_writable", (a.uid, a.gid, 0o664), fine, 403),
            case("world_writable", (a.uid, a.gid, 0o646), fine, 403),
            case("folder_of_another", mine, (b.uid, a.gid, 0o755), 403),
            case("folder_group_writable", mine, (a.uid, a.gid, 0o775), 403),
            case("folder_world_writable", mine, (a.uid, a.gid, 0o757), 403),
        ],
    );
}

#[test]
fn en_6_script_group_wants_group_and_modes() {
    let (a, b) = need!(accounts());
    let case = |name, script, folder, status| Case { name, script, folder, status };
    let (mine, fine) = ((b.uid, a.gid, 0o664), (b.uid, a.gid, 0o775));
    run(
        &format!("threads=2 script-group={}", a.name),
        &[
            case("fine", mine, fine, 200),
            case("another", (a.uid, b.gid, 0o644), fine, 403),
            case("world_writable", (a.uid, a.gid, 0o666), fine, 403),
            case("folder_of_another", mine, (a.uid, b.gid, 0o755), 403),
            case("folder_world_writable", mine, (a.uid, a.gid, 0o777), 403),
        ],
    );
}

#[test]
fn en_6_links_count_as_what_they_lead_to() {
    let (a, b) = need!(accounts());
    let setup = need!(Setup::new())
        .one_daemon(&format!("threads=2 script-user={}", a.name))
        .file("other/app.wsgi", HELLO)
        .file("other/mine.wsgi", HELLO)
        .file("own/x", "")
        .config("WSGIScriptAlias /soft @ROOT@/own/soft.wsgi\nWSGIScriptAlias /mine @ROOT@/own/mine.wsgi")
        .config("WSGIScriptAlias /hard @ROOT@/own/hard.wsgi\n<Directory @ROOT@>\nOptions FollowSymLinks\n</Directory>");
    let root = setup.root().to_owned();
    give(&root.join("other/app.wsgi"), (b.uid, b.gid, 0o644));
    give(&root.join("other/mine.wsgi"), (a.uid, a.gid, 0o644));
    symlink(root.join("other/app.wsgi"), root.join("own/soft.wsgi")).expect("the folder is ours");
    symlink(root.join("other/mine.wsgi"), root.join("own/mine.wsgi")).expect("the folder is ours");
    fs::hard_link(root.join("other/app.wsgi"), root.join("own/hard.wsgi")).expect("the folder is ours");
    give(&root.join("own"), (a.uid, a.gid, 0o755));
    let apache = setup.expect_log("WSGI0164").start();
    apache.get("/soft").expect_status(403);
    apache.get("/hard").expect_status(403);
    apache.get("/mine").expect_status(200);
    apache.finish();
}

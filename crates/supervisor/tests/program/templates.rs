//! Templates of `shared-imports=` that are not what they should be: they cost memory at most, and nobody else notices.

use std::time::Instant;

use crate::kit::{Place, READY, Supervisor, UNTIL_DRAINED, children, group, is_alive, wait_for};
use spec::ProcessGroup;

/// A group whose Python does `template` in place of a template, and is a good worker otherwise.
fn sharing(place: &Place, template: &str) -> ProcessGroup {
    // The arguments are -c, its text, the extension, and in a template a module.
    let text = format!("if [ -n \"$4\" ]; then\n{template}\nexit 1\nfi\n{READY}{UNTIL_DRAINED}");
    let python = place.script("python", &text);
    ProcessGroup { shared_imports: vec!["sys".to_owned()], ..group("site", &python) }
}

#[test]
fn sk_5_a_template_that_says_what_is_no_message_is_killed() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![sharing(&place, "printf garbage >&3; exec sleep 1000")]));
    supervisor.wait_for_log("the process for shared-imports= was ended by SIGKILL");
    supervisor.wait_for_log("WSGI1001");
}

#[test]
fn sk_5_a_template_that_never_stops_to_talk_is_killed() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    // Well-formed, about process 1.
    let flood = "while :; do printf '\\001\\000\\000\\000\\000\\000\\000\\000' >&3 || exit 0; done";
    supervisor.define(&place.definitions(vec![sharing(&place, flood)]));
    supervisor.wait_for_log("the process for shared-imports= was ended by SIGKILL");
    supervisor.wait_for_log("WSGI1001");
}

#[test]
fn a_template_that_ends_leaves_its_groups_to_start_without_it() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![sharing(&place, "exit 3")]);
    supervisor.define(&definitions);
    supervisor.wait_for_log(
        "WSGI1031: Process group 'site': the process for shared-imports= ended with exit status 3",
    );
    supervisor.wait_for_log("WSGI1001");
    // With the next configuration it is tried again.
    let ends = || supervisor.log().matches("WSGI1031").count();
    supervisor.define(&definitions);
    wait_for("another try", || ends() == 2);
    wait_for("workers again", || supervisor.log().matches("WSGI1001").count() == 2);
}

#[test]
fn ki_2_a_template_that_forks_nothing_does_not_outlive_the_supervisor() {
    let place = Place::new();
    let mut supervisor = Supervisor::start(&place);
    let stubborn = "trap '' TERM INT HUP USR1\nwhile :; do sleep 1; done";
    supervisor.define(&place.definitions(vec![sharing(&place, stubborn)]));
    wait_for("the template", || !children(supervisor.pid()).is_empty());
    let template = children(supervisor.pid())[0];
    let since = Instant::now();
    drop(supervisor.channel.take());
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(supervisor.pid()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(supervisor.wait().success());
    // Two seconds are the group's shutdown-timeout.
    assert!(since.elapsed().as_secs() < 20, "{:?}", since.elapsed());
    wait_for("its end", || !is_alive(template));
}

//! The goals about the memory of many sites.

use super::{Outcome, Verdict};
use crate::bench::memory::Memory;
use crate::bench::peers::Peer;
use crate::bench::plan::Sites;
use crate::bench::report::{Failure, INSTALLING};

/// Most memory of eight warm Django sites, as a part of another's.
const GOALS: [(Peer, f64); 2] = [(Peer::ModWsgi, 0.85), (Peer::ModPython, 0.1)];

/// Eight warm sites of a server.
fn eight(peer: Peer) -> Sites {
    Sites { peer, count: 8, warm: true }
}

/// Those about which something was to be measured.
pub fn verdicts(memory: &[Memory], failures: &[Failure]) -> Vec<Verdict> {
    let weighed = |sites: Sites| memory.iter().find(|one| one.sites() == sites);
    let failed = |sites: Sites| {
        let of = |failure: &&Failure| {
            failure.peer == sites.peer && (failure.doing == sites.doing() || failure.doing == INSTALLING)
        };
        failures.iter().find(of)
    };
    // A server that could not be installed says nothing about whether memory was to be weighed; another one does.
    let is_tried = |sites: Sites| {
        let doing = sites.doing();
        weighed(sites).is_some() || failures.iter().any(|one| one.peer == sites.peer && one.doing == doing)
    };
    let mut verdicts = Vec::new();
    for (peer, limit) in GOALS {
        let pair = [eight(Peer::Ours), eight(peer)];
        let promise = format!("eight Django sites: at most {limit:.2} times the memory of {}", peer.name());
        if let [Some(ours), Some(theirs)] = pair.map(weighed) {
            // Sizes of sites at rest hardly differ from run to run: one number is enough.
            let ratio = ours.total() / theirs.total();
            let seen = format!("**{ratio:.3}** ({:.0} and {:.0} MB)", ours.total(), theirs.total());
            let outcome = if ratio <= limit { Outcome::Met } else { Outcome::Missed };
            verdicts.push(Verdict { promise, seen, outcome });
        } else if pair.into_iter().any(is_tried)
            && pair.into_iter().all(|sites| weighed(sites).is_some() || failed(sites).is_some())
            && let Some(failure) = pair.into_iter().find_map(failed)
        {
            verdicts.push(Verdict::not_measured(promise, failure.peer, &failure.reason));
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: Peer, size: f64) -> Memory {
        let kinds = [("x".to_owned(), (1, size))].into();
        Memory { peer, sites: 8, warm: true, kinds }
    }

    fn failure(sites: Sites, doing: &str) -> Failure {
        Failure::new(sites.peer, doing, &anyhow::anyhow!("it ended\nat once"))
    }

    #[test]
    fn both_servers_have_their_limits() {
        let weighed = [of(Peer::Ours, 80.0), of(Peer::ModWsgi, 100.0), of(Peer::ModPython, 700.0)];
        let outcomes: Vec<_> = verdicts(&weighed, &[]).iter().map(|verdict| verdict.outcome).collect();
        assert_eq!(outcomes, [Outcome::Met, Outcome::Missed]);
    }

    #[test]
    fn what_could_not_be_installed_or_weighed_leaves_its_goal_open() {
        let ours = of(Peer::Ours, 80.0);
        let theirs = eight(Peer::ModWsgi);
        for doing in [INSTALLING.to_owned(), theirs.doing()] {
            let all = verdicts(std::slice::from_ref(&ours), &[failure(theirs, &doing)]);
            assert_eq!(
                (all[0].outcome, all[0].seen.as_str()),
                (Outcome::NotMeasured, "mod_wsgi has failed: it ended")
            );
        }
    }

    #[test]
    fn nothing_is_said_about_what_nobody_wanted_to_know() {
        let theirs = eight(Peer::ModWsgi);
        assert!(verdicts(&[], &[failure(theirs, INSTALLING)]).is_empty());
        let idle = Sites { count: 200, warm: false, ..theirs };
        assert!(verdicts(&[], &[failure(theirs, &idle.doing())]).is_empty());
        // mod_python takes no part in this run.
        let ours = eight(Peer::Ours);
        assert!(verdicts(&[], &[failure(ours, &ours.doing())]).is_empty());
    }
}

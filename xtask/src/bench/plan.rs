//! What a run measures: which cases with which servers, how often, and about how long that takes.

use std::fmt;
use std::time::Duration;

use super::cases::{Case, Stage, Work, is_meant};
use super::peers::Peer;
use super::syscalls;

/// Which of all combinations are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What something is promised about, against mod_wsgi and static files.
    Quick,
    /// Every kind of work and every transport once with all servers; other sizes with some.
    Usual,
    /// Every case with every server that can do it.
    Full,
}

/// How much is measured of each.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds.
    pub rounds: u32,
    /// Of each measurement.
    pub time: Duration,
    /// Latency at a fixed rate: of none, of the goals, or of all cases.
    pub latency: Share,
    /// System calls, which take strace, likewise.
    pub system_calls: Share,
}

impl Effort {
    /// Load on each server before the rounds of a case. wrk and h2load know whole seconds only.
    pub const WARM_UP: Duration = Duration::from_secs(1);
}

/// Of which cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Of none.
    None,
    /// Of those about which something is promised.
    Goals,
    /// Of all.
    All,
}

impl Share {
    fn has(self, case: &Case) -> bool {
        match self {
            Self::None => false,
            Self::Goals => case.is_goal(),
            Self::All => true,
        }
    }
}

/// One case and with whom it is measured.
#[derive(Debug)]
pub struct Planned {
    /// The case.
    pub case: Case,
    /// Those that can do it and are wanted for it.
    pub peers: Vec<Peer>,
    /// Whether latency at a fixed rate is measured.
    pub latency: bool,
    /// Whether system calls are counted.
    pub system_calls: bool,
}

/// Sites on one Apache whose memory is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sites {
    /// The server.
    pub peer: Peer,
    /// How many.
    pub count: u32,
    /// Whether every one has served its page.
    pub warm: bool,
}

impl fmt::Display for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} Django sites", self.count, if self.warm { "warm" } else { "idle" })
    }
}

/// All of a run.
#[derive(Debug)]
pub struct Plan {
    /// In the order of the report.
    pub cases: Vec<Planned>,
    /// Many sites.
    pub memory: Vec<Sites>,
    /// How much of each.
    pub effort: Effort,
}

/// Starting a server and waiting until it is at rest.
const START: Duration = Duration::from_millis(1500);
/// What comes to each measurement: a client starts, `/proc` is read.
const BESIDES: Duration = Duration::from_millis(120);
/// What comes to each round: a look whether the machine is quiet.
const ROUND: Duration = Duration::from_millis(120);

impl Plan {
    /// For these servers; `only` names parts of cases.
    pub fn new(scope: Scope, peers: &[Peer], only: &[String], memory: bool, effort: Effort) -> Self {
        let cases = match scope {
            _ if !only.is_empty() => Case::all(),
            Scope::Quick => Case::GOALS.to_vec(),
            Scope::Usual => Case::usual(),
            Scope::Full => Case::all(),
        };
        // In the order of the list of all.
        let cases = Case::all().into_iter().filter(|case| cases.contains(case));
        let is_small = scope == Scope::Usual && only.is_empty();
        let wanted = |peer: Peer, case: &Case| {
            peer.cannot(case).is_none()
                && !(is_small && Case::SIZES.contains(case) && !Peer::SOME.contains(&peer))
        };
        let planned = |case: Case| Planned {
            peers: peers.iter().copied().filter(|peer| wanted(*peer, &case)).collect(),
            latency: effort.latency.has(&case) && case.can_be_paced(),
            system_calls: effort.system_calls.has(&case) && case.work.transfer() == 0,
            case,
        };
        let cases = cases.filter(|case| is_meant(&case.to_string(), only)).map(planned).collect();
        Self { cases, memory: if memory { sites(peers) } else { Vec::new() }, effort }
    }

    /// What servers are started for, in the order of the cases.
    pub fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        for planned in &self.cases {
            if !stages.contains(&planned.case.stage()) {
                stages.push(planned.case.stage());
            }
        }
        stages
    }

    /// Who is needed for a stage.
    pub fn peers_of(&self, stage: Stage) -> Vec<Peer> {
        let mut peers: Vec<Peer> = self.of(stage).flat_map(|planned| planned.peers.iter().copied()).collect();
        peers.sort();
        peers.dedup();
        peers
    }

    /// The cases of a stage.
    pub fn of(&self, stage: Stage) -> impl Iterator<Item = &Planned> {
        self.cases.iter().filter(move |planned| planned.case.stage() == stage)
    }

    /// About how long all of it takes, without waiting for a quiet machine.
    pub fn estimate(&self) -> Duration {
        let starts =
            self.stages().iter().map(|stage| START * self.peers_of(*stage).len() as u32).sum::<Duration>();
        let cases = self.cases.iter().map(|planned| planned.estimate(&self.effort)).sum::<Duration>();
        let memory = self.memory.iter().map(Sites::estimate).sum::<Duration>();
        starts + cases + memory
    }

    /// Starting one server.
    pub fn start_estimate() -> Duration {
        START
    }

    /// One measurement of this length, with what comes to it.
    pub fn with_overhead(time: Duration) -> Duration {
        time + BESIDES
    }
}

impl Planned {
    fn estimate(&self, effort: &Effort) -> Duration {
        let peers = self.peers.len() as u32;
        let rounds = effort.rounds * (1 + u32::from(self.latency));
        let each = effort.time.max(self.least_time()) + BESIDES;
        let calls = if self.system_calls { syscalls::TIME + BESIDES * 2 } else { Duration::ZERO };
        peers * (Effort::WARM_UP.max(self.least_time()) + BESIDES + calls) + rounds * (peers * each + ROUND)
    }

    /// The last transfer is finished, however long it takes.
    fn least_time(&self) -> Duration {
        match self.case.work {
            Work::Upload(_) | Work::Generator(_) | Work::File(_) => Duration::from_millis(1100),
            _ => Duration::from_secs(1),
        }
    }
}

impl Sites {
    /// What is tried with them, where that fails.
    pub fn doing(&self) -> String {
        format!("weighing {self}")
    }

    /// From the start to the end of the server.
    pub fn estimate(&self) -> Duration {
        let each = Duration::from_millis(if self.warm { 2000 } else { 130 });
        Duration::from_secs(5) + each * self.count
    }
}

fn sites(peers: &[Peer]) -> Vec<Sites> {
    let of = |peers: &'static [Peer], count, warm| {
        peers.iter().map(move |peer| Sites { peer: *peer, count, warm })
    };
    let article = of(&[Peer::Ours, Peer::ModWsgi, Peer::ModWsgi4, Peer::ModPython], 8, true);
    let idle = [50, 200].into_iter().flat_map(|count| of(&[Peer::Ours, Peer::ModWsgi], count, false));
    article.chain(idle).filter(|sites| peers.contains(&sites.peer)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort(rounds: u32) -> Effort {
        Effort { rounds, time: Duration::from_secs(1), latency: Share::Goals, system_calls: Share::Goals }
    }

    #[test]
    fn the_quick_one_takes_less_than_three_minutes_and_the_usual_one_less_than_forty() {
        let quick = Plan::new(Scope::Quick, &Peer::QUICK, &[], false, effort(3));
        assert!(quick.estimate() < Duration::from_secs(170), "{:?}", quick.estimate());
        let usual = Plan::new(Scope::Usual, &Peer::ALL, &[], true, effort(5));
        let minutes = usual.estimate().as_secs() / 60;
        assert!((30..=40).contains(&minutes), "{minutes}");
        let of = |name: &str| usual.cases.iter().find(|planned| planned.case.to_string() == name).unwrap();
        assert_eq!(of("hello-c32-p1").peers, Peer::ALL);
        assert_eq!(of("hello-c256-p1").peers, Peer::SOME);
        let full = Plan::new(Scope::Full, &Peer::ALL, &[], true, effort(5));
        assert!(full.estimate() > usual.estimate());
    }

    #[test]
    fn a_case_is_only_planned_with_those_that_can_do_it() {
        let plan = Plan::new(Scope::Usual, &Peer::ALL, &["http2".to_owned()], false, effort(5));
        let [planned] = plan.cases.as_slice() else { panic!("{plan:?}") };
        assert!(planned.peers.contains(&Peer::Ours) && !planned.peers.contains(&Peer::Waitress));
        assert!(!planned.latency && !planned.system_calls && plan.memory.is_empty());
    }

    #[test]
    fn memory_is_that_of_servers_that_host_many_sites() {
        let plan =
            Plan::new(Scope::Quick, &[Peer::Ours, Peer::ModPython, Peer::Gunicorn], &[], true, effort(1));
        let names: Vec<String> =
            plan.memory.iter().map(|sites| format!("{} {sites}", sites.peer.name())).collect();
        let ours = |sites| format!("ours {sites} Django sites");
        let theirs = "mod_python 8 warm Django sites".to_owned();
        assert_eq!(names, [ours("8 warm"), theirs, ours("50 idle"), ours("200 idle")]);
    }
}

//! Whether the machine is quiet enough to tell anything: what others use of its processors, before and while something is measured,
//! and how long a fixed piece of work takes from time to time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::stats::Spread;
use super::{cpu, stop};

/// A machine of which others use no more than this part is quiet.
pub const QUIET: f64 = 0.1;
/// How long others are watched at a time.
const GLANCE: Duration = Duration::from_millis(100);
/// The longest wait for quiet before one round.
const LONGEST: Duration = Duration::from_secs(3);
/// The part of a run that may pass with waiting for quiet.
const WAITING: f64 = 0.05;
/// The machine is called uneven when a fixed piece of work takes this much longer at times.
const UNEVEN: f64 = 1.25;

/// What the processors have done since the start of the machine, in seconds of all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Running something, interrupts included.
    busy: f64,
    /// Running other guests of the same host although somebody here wanted to run: `steal`.
    stolen: f64,
    /// All of the time.
    total: f64,
}

impl Machine {
    /// As `/proc/stat` says it.
    pub fn now() -> Result<Self> {
        let text = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
        Self::parse(&text).context("/proc/stat does not begin with the times of the processors")
    }

    /// Reads user, nice, system, idle, iowait, irq, softirq, steal of the first line; see proc_stat(5).
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        // A tick is 1/100 s on every Linux that has this file.
        let numbers: Vec<f64> = line
            .split_ascii_whitespace()
            .map_while(|word| word.parse().ok())
            .map(|ticks: f64| ticks / 100.0)
            .collect();
        let [user, nice, system, idle, iowait, irq, softirq, stolen] = *numbers.first_chunk::<8>()?;
        let busy = user + nice + system + irq + softirq;
        Some(Self { busy, stolen, total: busy + idle + iowait + stolen })
    }

    /// The part of the processors' time since `before` that others than the measurement have had, which itself took `own`.
    pub fn others_since(self, before: Self, own: Duration) -> f64 {
        let (busy, stolen) = (self.busy - before.busy, self.stolen - before.stolen);
        let others = (busy - own.as_secs_f64()).max(0.0) + stolen;
        // Nothing is known of a time that is shorter than a tick.
        others / (self.total - before.total).max(0.01)
    }
}

/// Watches over a run.
#[derive(Debug)]
pub struct Noise {
    probes: Vec<f64>,
    /// What is left for waiting.
    patience: Duration,
    waited: Duration,
    /// Rounds that began although others were at work.
    disturbed: u32,
    rounds: u32,
}

impl Noise {
    /// For a run that takes about `estimate`.
    pub fn new(estimate: Duration) -> Self {
        let patience = estimate.mul_f64(WAITING);
        Self { probes: Vec::new(), patience, waited: Duration::ZERO, disturbed: 0, rounds: 0 }
    }

    /// Before a round, while no load is made: waits a little for others to finish, and sees how fast the machine is.
    pub fn before_round(&mut self) -> Result<()> {
        self.rounds += 1;
        self.wait_for_quiet(&mut glance)?;
        self.probes.push(probe());
        Ok(())
    }

    /// Waits until `look` sees a quiet machine. `look` takes its time and says what part of the machine was in use.
    fn wait_for_quiet(&mut self, look: &mut dyn FnMut() -> Result<f64>) -> Result<()> {
        let start = Instant::now();
        loop {
            if look()? <= QUIET {
                break;
            }
            if start.elapsed() >= LONGEST.min(self.patience) {
                self.disturbed += 1;
                break;
            }
            stop::check()?;
        }
        // The first look is taken on a quiet machine, too.
        let waited = start.elapsed().saturating_sub(GLANCE);
        self.patience = self.patience.saturating_sub(waited);
        self.waited += waited;
        Ok(())
    }

    /// What to know before believing the numbers. `others` is the part of the machine that others used, of each measurement.
    pub fn warnings(&self, others: Vec<f64>) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.disturbed > 0 {
            warnings.push(format!(
                "{} of {} rounds began while other programs used more than {:.0} % of the processors, after {:.0} s of waiting for quiet \
                 in all: close other programs and run it again",
                self.disturbed,
                self.rounds,
                QUIET * 100.0,
                self.waited.as_secs_f64()
            ));
        }
        if let Ok(spread) = Spread::of(others)
            && spread.median > QUIET
        {
            warnings.push(format!(
                "while it was measured, others (programs of this machine, and other guests of its host) used {:.0} % of the processors \
                 (median): the machine is too noisy to tell small differences",
                spread.median * 100.0
            ));
        }
        warnings.extend(self.unevenness());
        warnings
    }

    /// A tenth of the probes is left out at both ends: one hiccup in an hour is no news.
    fn unevenness(&self) -> Option<String> {
        let mut sorted = self.probes.clone();
        sorted.sort_by(f64::total_cmp);
        let out = sorted.len() / 10;
        let (fast, slow) = (*sorted.get(out)?, *sorted.get(sorted.len() - 1 - out)?);
        (slow / fast > UNEVEN).then(|| {
            format!(
                "the processors are uneven: a fixed piece of work took between {:.1} and {:.1} ms ({:.2} times as long); take the rates \
                 as rough, and trust the ratios more",
                fast * 1000.0,
                slow * 1000.0,
                slow / fast
            )
        })
    }
}

/// The part of the processors that is in use while nothing is measured. What this process and the idle servers use is not worth a
/// subtraction.
fn glance() -> Result<f64> {
    let before = Machine::now()?;
    std::thread::sleep(GLANCE);
    Ok(Machine::now()?.others_since(before, Duration::ZERO))
}

/// Does a fixed piece of work, about 10 ms, and says how many seconds it took.
fn probe() -> f64 {
    let start = Instant::now();
    let mut value = 1_u64;
    for step in 0..2_000_000_u64 {
        value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step));
    }
    std::hint::black_box(value);
    start.elapsed().as_secs_f64()
}

/// Measures what the clients, the server and all others use of the processors.
#[derive(Debug)]
pub struct Usage {
    machine: Machine,
    client: Duration,
    server: Duration,
    roots: Vec<u32>,
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// CPU time of the clients.
    pub client: Duration,
    /// CPU time of the server's processes.
    pub server: Duration,
    /// The part of the processors that others had.
    pub others: f64,
}

impl Usage {
    /// Begins, for a server of these processes.
    pub fn begin(roots: Vec<u32>) -> Result<Self> {
        Ok(Self {
            machine: Machine::now()?,
            client: cpu::of_clients()?,
            server: cpu::of_trees(&roots)?,
            roots,
        })
    }

    /// Ends.
    pub fn end(self) -> Result<Used> {
        let server = cpu::of_trees(&self.roots)?.saturating_sub(self.server);
        let client = cpu::of_clients()?.saturating_sub(self.client);
        Ok(Used { client, server, others: Machine::now()?.others_since(self.machine, client + server) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet_run() -> Noise {
        Noise::new(Duration::from_secs(60))
    }

    #[test]
    fn stolen_time_is_that_of_others() {
        let before = Machine::parse("cpu  100 0 100 1000 0 0 0 10 0 0\ncpu0 1\n").unwrap();
        let after = Machine::parse("cpu  150 10 120 1100 0 5 15 30 0 0\n").unwrap();
        // 1 s was used by all, 0.2 s were stolen, and 2.2 s have passed on all processors.
        let others = after.others_since(before, Duration::from_millis(560));
        assert!((others - (0.44 + 0.2) / 2.2).abs() < 1e-9, "{others}");
        // More than all is not possible, but clocks differ a little.
        let none = after.others_since(before, Duration::from_secs(2));
        assert!((none - 0.2 / 2.2).abs() < 1e-9, "{none}");
        assert_eq!(Machine::parse("cpu  1 2 3\n"), None);
    }

    #[test]
    fn a_round_waits_for_quiet_and_begins_when_it_comes() {
        let mut noise = quiet_run();
        let mut seen = [0.9, 0.5, 0.02].into_iter();
        noise.wait_for_quiet(&mut || Ok(seen.next().unwrap())).unwrap();
        assert_eq!((noise.disturbed, seen.next()), (0, None));
        assert!(noise.warnings(vec![0.01, 0.02]).is_empty());
    }

    #[test]
    fn a_round_that_waits_in_vain_is_told() {
        let mut noise = Noise::new(Duration::from_secs(2));
        let mut looks = 0;
        noise.rounds = 1;
        noise
            .wait_for_quiet(&mut || {
                looks += 1;
                std::thread::sleep(Duration::from_millis(60));
                Ok(0.5)
            })
            .unwrap();
        // The tenth of a second that there was is used up.
        assert!((2..=3).contains(&looks), "{looks}");
        let warnings = noise.warnings(Vec::new());
        assert!(warnings[0].starts_with("1 of 1 rounds began while other programs used"), "{warnings:?}");
    }

    #[test]
    fn noise_is_told_with_its_size() {
        let mut noise = quiet_run();
        noise.probes = vec![0.02, 0.021, 0.02, 0.022, 0.02];
        assert!(noise.warnings(vec![0.05; 5]).is_empty());
        noise.probes.extend([0.03, 0.03]);
        let warnings = noise.warnings(vec![0.05, 0.2, 0.3]).join("\n");
        assert!(warnings.contains("used 20 % of the processors"), "{warnings}");
        assert!(warnings.contains("between 20.0 and 30.0 ms (1.50 times"), "{warnings}");
        // One hiccup among many is no news.
        noise.probes = [vec![0.02; 20], vec![0.5]].concat();
        assert!(noise.warnings(Vec::new()).is_empty());
    }
}

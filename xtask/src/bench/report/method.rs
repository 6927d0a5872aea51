//! The sentences of the page that are the same in every run.

/// Before everything else.
pub const INTRODUCTION: &str = "\
# Benchmarks

Written by `cargo xtask bench`; a run of everything replaces it. `cargo xtask bench --quick` measures the goals of rates and times in under
three minutes, once what it needs is installed. Rates and times are medians of the rounds. A ratio is that of two measurements of the
same round; its median stands in bold, the interval in parentheses. A goal is *met* or *missed* when all of the interval is on one side of
the limit, *not told apart* when the limit is inside, and *not measured* when a server that it is about has failed. How it is measured,
and with which settings, stands at the end; the raw numbers are in `results.json`. Why goals are missed, and what was tried, is in
[limits.md](limits.md); where the instructions of a request go, in [instructions.md](instructions.md).

";

/// Above the table of memory.
pub const MEMORY: &str = "
## Memory of many sites

Small Django sites on one Apache with 16 prefork children, one process of 2 threads for each site (mod_python: an interpreter for each
site in every child). *Warm*: every site has served its page wherever it can be served; *idle*: no site has been asked. Proportional set
size (PSS) in MB, so that what processes share counts once; files that other programs of the machine use as well, such as Python's, count
a little less. All sites run as one user.

";

/// Below the table of who is missing.
pub const ABSENT: &str = "
NGINX Unit is not compared: neither Debian 12 nor PyPI has a package of it.
";

/// Above the settings.
pub const SETTINGS: &str = "
## Settings

What each server was started with for the first case it took part in. `$FOLDER` is its own folder; two processes, TLS and HTTP/2 change
only what they are about. No server writes an access log. Apache may use `sendfile` for files, which is off by default because of network
file systems.

";

/// At the end.
pub const METHOD: &str = "
## How it is measured

- **Rounds.** All servers of a stage (an application, a number of processes, a transport) are installed from Debian or PyPI (each of
  PyPI's in a virtual environment of its own), started, at rest, and loaded once before the rounds begin. In each round every server is
  loaded once while the others idle. Each round begins with another server, and every other one goes backwards. Before a round, the
  machine has to be quiet; a little patience is spent on that.
- **Cases.** Every kind of work and every transport is measured with all servers that can do it; cases that differ from these only in
  sizes or numbers are measured with one server of each kind, unless `--full` is given.
- **Ratios** compare measurements of the same round, because neighbours in time meet the same noise. The interval goes from the least to
  the largest ratio of up to seven rounds; of more rounds, so many are left out at both ends that it still holds the true median with
  90 %, whatever the distribution (as in the sign test).
- **Load** comes from the same machine: wrk with one thread for small answers, h2load for HTTP/2 with one stream at a time on each
  connection, an own client for large bodies and Django. Any wrong answer makes the server fail in that case. † marks servers with which
  the client used more than 90 % of the processor time that it could. Clients and servers share the cores: a server that takes less CPU
  leaves more to the client, as it leaves more to the application in real life.
- **CPU per answer** is the time that the scheduler has counted for all processes of the server (`/proc/PID/task/*/schedstat`, and
  `/proc/PID/stat` for what has ended), Apache included, divided by the answers.
- **Outside of the application.** Django's answers say in a header how much CPU time their thread took from the call of the application to
  the end of its body (`CLOCK_THREAD_CPUTIME_ID`). The sum of that is subtracted from the CPU time of the server's processes for the same
  answers, and all answers are waited for before it is read. Reading the clock and sending the header count as outside, for every server.
  The goal is judged at 4 connections, where the one process is always busy; with 1 connection the kernel's work of waking it comes to it.
- **Memory.** Sites are weighed when all their processes are there and their sum has changed by less than 0.2 % since the look before.
- **Latency** is measured at half the rate that mod_wsgi reaches, at most 5000 requests per second, on as many connections as the case
  has. Each request has its time in a plan that the server does not change, and is counted from then: a server that stalls cannot hide it
  (no coordinated omission). A server that answers less than 95 % of the plan in time is told to be too slow instead.
- **System calls** are counted by strace over all threads of the server during one second of load. The load is slower then, and who can do
  several things with one call finds less to do.
- **Noise.** A run warns when others used more than 10 % of the processors (other programs, and `steal`: other guests of the same host),
  before a round or while something was measured, when a fixed piece of work took very different times, and when ratios spread over more
  than half of their median. No goal is judged in a case during which others used more than 20 %, or with fewer than three rounds.
";

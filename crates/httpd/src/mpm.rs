//! What the MPM says about itself.

use crate::text;
use httpd_sys as sys;
use std::ffi::c_int;

/// The facts of the MPM that modules ask for. Final in `post_config` and later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mpm {
    /// `event`, `worker`, `prefork`.
    pub name: String,
    /// How many children there may be at a time (`MaxRequestWorkers` or `ServerLimit`).
    pub max_children: u32,
    /// How many threads serve in each child; 1 when children have no threads.
    pub threads_per_child: u32,
    /// Whether children have threads.
    pub is_threaded: bool,
}

impl Mpm {
    /// Asks the MPM.
    pub fn query() -> Mpm {
        // SAFETY: a static string of the MPM.
        let name = unsafe { text::bytes(sys::ap_show_mpm()) }.unwrap_or_default();
        let is_threaded = ask(sys::AP_MPMQ_IS_THREADED) != sys::AP_MPMQ_NOT_SUPPORTED;
        Mpm {
            name: String::from_utf8_lossy(name).into_owned(),
            max_children: count(sys::AP_MPMQ_MAX_DAEMONS),
            threads_per_child: if is_threaded { count(sys::AP_MPMQ_MAX_THREADS) } else { 1 },
            is_threaded,
        }
    }

    /// Whether the MPM was told to stop; children use it to end long waits.
    pub fn is_stopping() -> bool {
        ask(sys::AP_MPMQ_MPM_STATE) == sys::AP_MPMQ_STOPPING
    }
}

fn ask(what: c_int) -> c_int {
    let mut answer = 0;
    // SAFETY: the answer's place lives for the call; an MPM that does not know the question leaves it alone.
    unsafe { sys::ap_mpm_query(what, &raw mut answer) };
    answer
}

fn count(what: c_int) -> u32 {
    u32::try_from(ask(what)).unwrap_or(0).max(1)
}

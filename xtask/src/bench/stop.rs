//! Ctrl-C and its like: what is being measured at that moment is given up, the servers end, and what there is already is kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Signals come to the whole process, so there is one of it.
static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on these signals no longer end this process at once.
pub fn watch() -> Result<()> {
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&ASKED)).context("cannot wait for signals")?;
    }
    Ok(())
}

/// Whether somebody wants the end.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// An error when somebody wants the end: for loops that wait for something else.
pub fn check() -> Result<()> {
    if asked() {
        bail!("interrupted");
    }
    Ok(())
}

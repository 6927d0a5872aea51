//! Drives the real program with fake workers. One test program, so that its kit has no part that some of them do not use.

#[cfg(test)]
mod check;
#[cfg(test)]
mod control;
#[cfg(test)]
mod hostile_kernel;
#[cfg(test)]
mod hostile_worker;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod launch;
#[cfg(test)]
mod life;
#[cfg(test)]
mod rights;

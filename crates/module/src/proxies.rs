//! Trusted proxies: which peers may say where a request came from. What is configured is read here; `directives` stores it.

use std::net::IpAddr;

/// An address, or the addresses that share its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// Number of leading bits that count: at most 32 for IPv4, 128 for IPv6.
    pub bits: u8,
}

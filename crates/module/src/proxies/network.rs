//! Addresses and networks, as `WSGITrustedProxies` names them.

use std::net::{IpAddr, Ipv4Addr};

/// An address, or the addresses that share its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// Number of leading bits that count: at most 32 for IPv4, 128 for IPv6.
    pub bits: u8,
}

impl Network {
    /// Whether the address is in the network. An IPv4 address that came over IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros()
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differing >= u32::from(self.bits)
    }
}

/// Reads an address or network: `192.0.2.1`, `2001:db8::1`, either with `/` and a number of bits, IPv4 also with a mask
/// (`10.0.0.0/255.0.0.0`) or as the beginning of an address (`10.1`), which stands for all that begin so.
///
/// # Errors
/// A sentence with the value, what is wrong with it and what is allowed.
pub fn parse(text: &[u8]) -> Result<Network, String> {
    let refused = |reason: String| {
        format!(
            "Unable to parse trusted proxy IP address/subnet of \"{}\": {reason}: write an IPv4 or IPv6 address (192.0.2.1, 2001:db8::1), \
             a network with its number of bits (10.0.0.0/8, 2001:db8::/32) or with an IPv4 mask (10.0.0.0/255.0.0.0), or the beginning \
             of an IPv4 address (10.1)",
            text.escape_ascii()
        )
    };
    let plain = std::str::from_utf8(text).map_err(|_| refused("it is not ASCII".to_owned()))?;
    let (written, mask) =
        plain.split_once('/').map_or((plain, None), |(written, mask)| (written, Some(mask)));
    let Ok(address) = written.parse::<IpAddr>() else {
        let part = beginning(written).filter(|_| mask.is_none());
        return part.ok_or_else(|| refused(format!("\"{written}\" is no IP address")));
    };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let bits = mask.map_or(Ok(longest), |mask| bits(mask, longest)).map_err(refused)?;
    Ok(canonical(address, bits))
}

/// An IPv4 network that is written as IPv6 (`::ffff:10.0.0.0/104`) is the IPv4 network.
fn canonical(address: IpAddr, bits: u8) -> Network {
    const BEFORE_IPV4: u8 = 96;
    match (address, address.to_canonical(), bits.checked_sub(BEFORE_IPV4)) {
        (IpAddr::V6(_), shorter @ IpAddr::V4(_), Some(bits)) => Network { address: shorter, bits },
        _ => Network { address, bits },
    }
}

/// The number of bits behind the slash.
fn bits(mask: &str, longest: u8) -> Result<u8, String> {
    if !mask.is_empty() && mask.bytes().all(|byte| byte.is_ascii_digit()) {
        let bits = mask.parse().ok().filter(|bits| *bits <= longest);
        return bits.ok_or_else(|| format!("/{mask} is more than the {longest} bits of such an address"));
    }
    let sentence = || format!("\"{mask}\" is neither a number of bits nor a mask");
    let mask_bits = mask.parse::<Ipv4Addr>().ok().filter(|_| longest == 32).ok_or_else(sentence)?.to_bits();
    let ones = mask_bits.leading_ones();
    let rest_is_zero = mask_bits.checked_shl(ones).unwrap_or(0) == 0;
    let bits = u8::try_from(ones).ok().filter(|_| rest_is_zero);
    bits.ok_or_else(|| format!("the mask {mask} has ones behind zeros"))
}

/// The first one to three numbers of an IPv4 address, as httpd's `Require ip` takes them.
fn beginning(text: &str) -> Option<Network> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut octets = [0; 4];
    let mut known = 0;
    for (octet, word) in octets.iter_mut().zip(text.split('.')) {
        *octet = word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit()))?;
        known += 1;
    }
    let complete = text.split('.').count() == usize::from(known) && known < 4;
    complete.then(|| Network { address: Ipv4Addr::from(octets).into(), bits: known * 8 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        parse(text.as_bytes()).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_way_to_write_a_network_is_read() {
        for (text, of, bits) in [
            ("192.0.2.1", "192.0.2.1", 32),
            ("10.1.2.3/8", "10.1.2.3", 8),
            ("10.1.0.0/255.255.0.0", "10.1.0.0", 16),
            ("10.0.0.0/255.255.255.255", "10.0.0.0", 32),
            ("0.0.0.0/0", "0.0.0.0", 0),
            ("10.1", "10.1.0.0", 16),
            ("10.1.", "10.1.0.0", 16),
            ("10", "10.0.0.0", 8),
            ("2001:db8::1", "2001:db8::1", 128),
            ("2001:DB8::/32", "2001:db8::", 32),
            ("::/0", "::", 0),
            ("::ffff:10.0.0.0/104", "10.0.0.0", 8),
            ("::ffff:10.0.0.1", "10.0.0.1", 32),
        ] {
            assert_eq!(network(text), Network { address: address(of), bits }, "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_the_value_and_what_to_write() {
        for (text, part) in [
            ("", "no IP address"),
            ("proxy.example", "no IP address"),
            ("10.1.2.3.4", "no IP address"),
            ("10.1.2.3.", "no IP address"),
            ("300.1", "no IP address"),
            ("+1.2", "no IP address"),
            ("10.1/16", "\"10.1\" is no IP address"),
            ("::ffff:10.0.0.0/255.0.0.0", "neither"),
            ("10.0.0.0/", "neither a number of bits nor a mask"),
            ("10.0.0.0/33", "more than the 32 bits"),
            ("10.0.0.0/-1", "neither"),
            ("10.0.0.0/255.0.255.0", "ones behind zeros"),
            ("2001:db8::/129", "more than the 128 bits"),
            ("2001:db8::/255.0.0.0", "neither"),
            ("[2001:db8::1]", "no IP address"),
            ("10.0.0.1 ", "no IP address"),
            ("10.0.0.0/8/8", "neither"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            let named = format!("Unable to parse trusted proxy IP address/subnet of \"{text}\"");
            assert!(error.starts_with(&named) && error.contains(part), "{text}: {error}");
        }
        assert!(parse(b"10.0.0.\xff").unwrap_err().contains("\\xff"));
    }

    #[test]
    fn an_address_is_in_a_network_by_its_first_bits() {
        for (of, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.3/31", "10.0.0.2", "10.0.0.4"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::10.1.1.1"),
            ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
        ] {
            assert!(network(of).contains(address(inside)), "{of} {inside}");
            assert!(!network(of).contains(address(outside)), "{of} {outside}");
        }
    }

    proptest! {
        #[test]
        fn a_mask_and_its_number_of_bits_are_the_same(address: u32, bits in 0u32..=32, other: u32) {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            let (address, dotted) = (Ipv4Addr::from_bits(address), Ipv4Addr::from_bits(mask));
            let by_bits = network(&format!("{address}/{bits}"));
            prop_assert_eq!(by_bits, network(&format!("{address}/{dotted}")));
            let inside = address.to_bits() & mask == other & mask;
            prop_assert_eq!(by_bits.contains(IpAddr::V4(Ipv4Addr::from_bits(other))), inside);
        }

        #[test]
        fn no_text_makes_reading_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&text);
        }
    }
}

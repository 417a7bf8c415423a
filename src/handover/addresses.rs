//! How many connections each client address has, over all acceptors and shards.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ahash::RandomState;
use papaya::{Compute, HashMap, Operation};

use crate::refusal::Refusal;

/// What a provider gives to one customer, who may use every address in it.
const IPV6_PREFIX_BITS: u32 = 64;

/// The connections of each client, up to `--connections-per-ip`. An address without a connection
/// is not in it, so it is as large as there are connections.
#[derive(Debug)]
pub(super) struct Addresses {
    open: HashMap<Block, usize, RandomState>,
    max: usize,
}

/// One of the connections of a client; given back when dropped, on whatever thread.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    block: Block,
}

/// The addresses that are taken for one client: an IPv4 address, or an IPv6 /64 by its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Block(IpAddr);

impl Addresses {
    /// Nobody is connected; each client may have `max` connections.
    pub(super) fn new(max: usize) -> Self {
        Self { open: HashMap::with_hasher(RandomState::new()), max }
    }

    /// One more connection of this client, unless it has as many as it may.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Place, Refusal> {
        let block = Block::of(address);
        let open = self.open.pin();
        let one_more = open.compute(block, |found| match found {
            Some((_, open)) if *open >= self.max => Operation::Abort(()),
            Some((_, open)) => Operation::Insert(open + 1),
            None => Operation::Insert(1),
        });
        match one_more {
            Compute::Aborted(()) => Err(Refusal::address_full(block, self.max)),
            _ => Ok(Place { addresses: Arc::clone(self), block }),
        }
    }

    fn give(&self, block: Block) {
        self.open.pin().compute(block, |found| match found {
            Some((_, open @ 2..)) => Operation::Insert(open - 1),
            Some(_) => Operation::Remove,
            None => Operation::Abort(()),
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.addresses.give(self.block);
    }
}

impl Block {
    /// Whose address this is. One that IPv4 came by over an IPv6 socket is IPv4 (RFC 4291
    /// 2.5.5.2).
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let mask = u128::MAX << (Ipv6Addr::BITS - IPV6_PREFIX_BITS);
                Self(Ipv6Addr::from_bits(address.to_bits() & mask).into())
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/{IPV6_PREFIX_BITS}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_64() {
        let cases = [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
        ];
        for (text, block) in cases {
            assert_eq!(Block::of(address(text)).to_string(), block);
        }
    }

    #[test]
    fn each_client_has_its_own_and_gives_them_back() {
        let addresses = Arc::new(Addresses::new(2));
        let take = |text| addresses.take(address(text));
        let (fry, leela) = (take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap());
        let refusal = take("::ffff:192.0.2.1").unwrap_err();
        let message = "192.0.2.1 has as many open connections as --connections-per-ip allows, 2";
        assert_eq!((refusal.status(), &*refusal.message), (429, message));
        let zoidberg = take("192.0.2.2").unwrap();
        drop(fry);
        let amy = take("192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_err());
        assert_eq!(addresses.open.len(), 2);
        drop((leela, zoidberg, amy));
        assert!(addresses.open.is_empty());
    }

    #[test]
    fn the_count_is_exact_on_many_threads() {
        const MAX: usize = 3;
        let addresses = Arc::new(Addresses::new(MAX));
        thread::scope(|scope| {
            for thread in 0..8_u8 {
                let addresses = &addresses;
                scope.spawn(move || {
                    let mut held = vec![];
                    for step in 0..5000_u32 {
                        let address = IpAddr::from([192, 0, 2, u8::try_from(step % 2).unwrap()]);
                        held.extend(addresses.take(address).ok());
                        assert!(held.len() <= 2 * MAX);
                        if (step + u32::from(thread)).is_multiple_of(3) {
                            held.pop();
                        }
                    }
                });
            }
        });
        assert!(addresses.open.is_empty());
        let all: Vec<_> = (0..MAX).map(|_| addresses.take(address("192.0.2.0"))).collect();
        assert!(all.iter().all(Result::is_ok));
        assert!(addresses.take(address("192.0.2.0")).is_err());
    }
}

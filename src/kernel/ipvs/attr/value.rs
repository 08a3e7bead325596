//! The shapes an attribute's value can have. The type says width and byte order; nothing else reads raw bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A value that knows its own bytes.
pub trait Value<'a>: Sized {
    /// What a value of this type takes, for the message about one that does not fit: `4`, `4 or 16`.
    const EXPECTED: &'static str;

    fn size(&self) -> usize;

    /// Fills `out`, which is exactly [`Value::size`] long.
    fn put(&self, out: &mut [u8]);

    /// `None` when the length (or, for text, the bytes) cannot be.
    fn get(bytes: &'a [u8]) -> Option<Self>;
}

/// Numbers in host order.
macro_rules! host_order {
    ($($number:ty = $expected:literal),*) => {$(
        impl Value<'_> for $number {
            const EXPECTED: &'static str = $expected;

            #[inline]
            fn size(&self) -> usize {
                size_of::<$number>()
            }

            #[inline]
            fn put(&self, out: &mut [u8]) {
                out.copy_from_slice(&self.to_ne_bytes());
            }

            fn get(bytes: &[u8]) -> Option<$number> {
                bytes.try_into().ok().map(<$number>::from_ne_bytes)
            }
        }
    )*};
}

host_order!(u8 = "1", u16 = "2", u32 = "4");

/// A port in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BePort(pub u16);

impl Value<'_> for BePort {
    const EXPECTED: &'static str = "2";

    #[inline]
    fn size(&self) -> usize {
        2
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0.to_be_bytes());
    }

    fn get(bytes: &[u8]) -> Option<BePort> {
        bytes.try_into().ok().map(|bytes| BePort(u16::from_be_bytes(bytes)))
    }
}

/// Four bytes whose meaning another attribute decides (the netmask).
impl Value<'_> for [u8; 4] {
    const EXPECTED: &'static str = "4";

    #[inline]
    fn size(&self) -> usize {
        4
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        out.copy_from_slice(self);
    }

    fn get(bytes: &[u8]) -> Option<[u8; 4]> {
        bytes.try_into().ok()
    }
}

/// `union nf_inet_addr`: sixteen bytes, of which IPv4 uses the first four. Which it is, another attribute says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnionAddr(pub [u8; 16]);

impl UnionAddr {
    pub fn v4(self) -> Ipv4Addr {
        let [a, b, c, d, ..] = self.0;
        Ipv4Addr::new(a, b, c, d)
    }

    pub fn v6(self) -> Ipv6Addr {
        Ipv6Addr::from(self.0)
    }
}

impl From<std::net::IpAddr> for UnionAddr {
    fn from(addr: std::net::IpAddr) -> UnionAddr {
        match addr {
            std::net::IpAddr::V4(addr) => {
                let [a, b, c, d] = addr.octets();
                UnionAddr([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
            std::net::IpAddr::V6(addr) => UnionAddr(addr.octets()),
        }
    }
}

impl Value<'_> for UnionAddr {
    const EXPECTED: &'static str = "4 or 16";

    #[inline]
    fn size(&self) -> usize {
        16
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }

    fn get(bytes: &[u8]) -> Option<UnionAddr> {
        match <[u8; 4]>::try_from(bytes) {
            Ok(v4) => Some(UnionAddr::from(std::net::IpAddr::from(v4))),
            Err(_) => bytes.try_into().ok().map(UnionAddr),
        }
    }
}

impl Value<'_> for Ipv4Addr {
    const EXPECTED: &'static str = "4";

    #[inline]
    fn size(&self) -> usize {
        4
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.octets());
    }

    fn get(bytes: &[u8]) -> Option<Ipv4Addr> {
        <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
    }
}

impl Value<'_> for Ipv6Addr {
    const EXPECTED: &'static str = "16";

    #[inline]
    fn size(&self) -> usize {
        16
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.octets());
    }

    fn get(bytes: &[u8]) -> Option<Ipv6Addr> {
        <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from)
    }
}

/// `struct ip_vs_flags` (`linux/ip_vs.h:296`): the kernel keeps the bits outside `mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagBits {
    pub flags: u32,
    pub mask: u32,
}

impl Value<'_> for FlagBits {
    const EXPECTED: &'static str = "8";

    #[inline]
    fn size(&self) -> usize {
        8
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        let (flags, mask) = out.split_at_mut(4);
        flags.copy_from_slice(&self.flags.to_ne_bytes());
        mask.copy_from_slice(&self.mask.to_ne_bytes());
    }

    fn get(bytes: &[u8]) -> Option<FlagBits> {
        let (flags, mask) = bytes.split_first_chunk::<4>()?;
        let mask = <[u8; 4]>::try_from(mask).ok()?;
        Some(FlagBits { flags: u32::from_ne_bytes(*flags), mask: u32::from_ne_bytes(mask) })
    }
}

/// A counter: 32 bits in most of `*_STATS`, 64 in its bytes and in all of `*_STATS64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Narrow(u32),
    Wide(u64),
}

impl Count {
    pub fn get(self) -> u64 {
        match self {
            Count::Narrow(number) => u64::from(number),
            Count::Wide(number) => number,
        }
    }
}

impl Value<'_> for Count {
    const EXPECTED: &'static str = "4 or 8";

    #[inline]
    fn size(&self) -> usize {
        match self {
            Count::Narrow(_) => 4,
            Count::Wide(_) => 8,
        }
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        match self {
            Count::Narrow(number) => out.copy_from_slice(&number.to_ne_bytes()),
            Count::Wide(number) => out.copy_from_slice(&number.to_ne_bytes()),
        }
    }

    fn get(bytes: &[u8]) -> Option<Count> {
        match <[u8; 8]>::try_from(bytes) {
            Ok(wide) => Some(Count::Wide(u64::from_ne_bytes(wide))),
            Err(_) => bytes.try_into().ok().map(|narrow| Count::Narrow(u32::from_ne_bytes(narrow))),
        }
    }
}

/// A string; a NUL is written behind it, and what follows a NUL is not read.
impl<'a> Value<'a> for &'a str {
    const EXPECTED: &'static str = "text";

    #[inline]
    fn size(&self) -> usize {
        self.len() + 1
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        for (to, from) in out.iter_mut().zip(self.bytes().chain(std::iter::once(0))) {
            *to = from;
        }
    }

    fn get(bytes: &'a [u8]) -> Option<&'a str> {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).ok()
    }
}

/// Attributes within an attribute, still encoded; [`super::read`] walks them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nested<'a>(pub &'a [u8]);

impl<'a> Value<'a> for Nested<'a> {
    const EXPECTED: &'static str = "attributes";

    #[inline]
    fn size(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn put(&self, out: &mut [u8]) {
        out.copy_from_slice(self.0);
    }

    fn get(bytes: &'a [u8]) -> Option<Nested<'a>> {
        Some(Nested(bytes))
    }
}

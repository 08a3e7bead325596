//! Attributes, typed. One row per attribute says its name here, its constant and the shape of its value; writing and
//! reading both come from that row, so they cannot drift apart.
//!
//! A typed attribute borrows from the message it was read from: walking a dump allocates nothing.

mod daemon;
mod dest;
mod service;
mod stats;
mod top;
mod value;

pub use daemon::DaemonAttr;
pub use dest::DestAttr;
pub use service::ServiceAttr;
pub use stats::StatsAttr;
pub use top::{CmdAttr, InfoAttr};
pub use value::{BePort, Count, FlagBits, Nested, UnionAddr, Value};

use std::marker::PhantomData;

use netlink_packet_core::{NLA_ALIGNTO, NLA_F_NESTED, NLA_HEADER_SIZE, Nla, NlaBuffer};

/// What is wrong with bytes that should be attributes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("{attr}: {got} bytes, expected {expected}")]
    Length { attr: &'static str, got: usize, expected: &'static str },
    #[error("{0}: missing")]
    Missing(&'static str),
    #[error("{attr}: {why}")]
    Value { attr: &'static str, why: String },
    /// The frame around attributes or messages does not hold.
    #[error("{0}")]
    Frame(String),
}

impl From<Malformed> for netlink_packet_core::DecodeError {
    fn from(error: Malformed) -> Self {
        error.to_string().into()
    }
}

/// One set of attributes (`IPVS_SVC_ATTR_*`, …).
pub trait Attribute<'a>: Nla + Sized {
    /// From the type, its flags included, and the value of one attribute.
    fn read(kind: u16, value: &'a [u8]) -> Result<Self, Malformed>;
}

/// Defines a set: `Variant(type of the value) = CONSTANT,` per attribute. What the kernel adds later is `Other`.
macro_rules! attributes {
    ($(#[$doc:meta])* $life:lifetime $set:ident $(<$own:lifetime>)? {
        $($variant:ident($value:ty) = $constant:ident,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $set $(<$own>)? {
            $(#[doc = concat!("`", stringify!($constant), "`")] $variant($value),)*
            /// Not known here; kept as it is.
            Other(netlink_packet_core::DefaultNla),
        }

        impl<$life> netlink_packet_core::Nla for $set $(<$own>)? {
            #[inline(always)]
            fn value_len(&self) -> usize {
                match self {
                    $(Self::$variant(value) => $crate::kernel::ipvs::attr::Value::size(value),)*
                    Self::Other(nla) => nla.value_len(),
                }
            }

            #[inline(always)]
            fn kind(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $constant,)*
                    Self::Other(nla) => nla.kind(),
                }
            }

            #[inline(always)]
            fn emit_value(&self, out: &mut [u8]) {
                match self {
                    $(Self::$variant(value) => $crate::kernel::ipvs::attr::Value::put(value, out),)*
                    Self::Other(nla) => nla.emit_value(out),
                }
            }
        }

        impl<$life> $crate::kernel::ipvs::attr::Attribute<$life> for $set $(<$own>)? {
            #[inline]
            fn read(kind: u16, bytes: &$life [u8]) -> Result<Self, $crate::kernel::ipvs::attr::Malformed> {
                match kind & netlink_packet_core::NLA_TYPE_MASK {
                    $($constant => match <$value as $crate::kernel::ipvs::attr::Value>::get(bytes) {
                        Some(value) => Ok(Self::$variant(value)),
                        None => Err($crate::kernel::ipvs::attr::Malformed::Length {
                            attr: stringify!($constant),
                            got: bytes.len(),
                            expected: <$value as $crate::kernel::ipvs::attr::Value>::EXPECTED,
                        }),
                    },)*
                    _ => Ok(Self::Other($crate::kernel::ipvs::attr::other(kind, bytes))),
                }
            }
        }
    };
}
use attributes;

/// The value of an attribute that an `NlasIterator` has checked; empty if its length cannot be.
///
/// `NlaBuffer::value` borrows from the `NlaBuffer`; this borrows from the message.
pub(crate) fn value_of(nla: NlaBuffer<&[u8]>) -> &[u8] {
    let length = usize::from(nla.length());
    nla.into_inner().get(NLA_HEADER_SIZE..length).unwrap_or_default()
}

/// An attribute without a row. Out of line: it never happens on the way of a dump.
#[cold]
pub(crate) fn other(kind: u16, bytes: &[u8]) -> netlink_packet_core::DefaultNla {
    netlink_packet_core::DefaultNla::new(kind, bytes.to_vec())
}

/// Walks encoded attributes; ends at the first that does not hold.
pub fn read<'a, A: Attribute<'a>>(bytes: &'a [u8]) -> Attributes<'a, A> {
    Attributes { rest: bytes, set: PhantomData }
}

/// See [`read`].
///
/// Not a [`netlink_packet_core::NlasIterator`]: a dump of ten thousand servers is four hundred thousand attributes, and this walk is one
/// look at each header.
pub struct Attributes<'a, A> {
    rest: &'a [u8],
    set: PhantomData<A>,
}

impl<'a, A: Attribute<'a>> Iterator for Attributes<'a, A> {
    type Item = Result<A, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let Some((head, _)) = rest.split_first_chunk::<NLA_HEADER_SIZE>() else {
            return Some(Err(broken(rest.len(), NLA_HEADER_SIZE)));
        };
        let [a, b, c, d] = *head;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let Some(value) = rest.get(NLA_HEADER_SIZE..length) else {
            return Some(Err(broken(rest.len(), length)));
        };
        // The last attribute may come without its padding.
        self.rest = rest.get(length.next_multiple_of(NLA_ALIGNTO)..).unwrap_or_default();
        Some(A::read(u16::from_ne_bytes([c, d]), value))
    }
}

#[cold]
fn broken(got: usize, length: usize) -> Malformed {
    Malformed::Frame(format!("an attribute of {length} bytes where {got} are left"))
}

/// Appends one attribute with its padding. Where it is called the attribute is known, and inlined nothing is asked of
/// it: a director's plan is a hundred thousand of them.
#[inline(always)]
pub fn put(out: &mut Vec<u8>, attr: &impl Nla) {
    let length = NLA_HEADER_SIZE + attr.value_len();
    let padded = length.next_multiple_of(NLA_ALIGNTO);
    // An address is the longest of what is in every message.
    let mut short = [0; NLA_HEADER_SIZE + 16];
    if let Some(room) = short.get_mut(..padded) {
        fill(room, length, attr);
        return out.extend_from_slice(room);
    }
    let start = out.len();
    out.resize(start + padded, 0);
    fill(out.get_mut(start..).unwrap_or_default(), length, attr);
}

#[inline(always)]
fn fill(room: &mut [u8], length: usize, attr: &impl Nla) {
    set_header(room, 0, length, attr.kind());
    attr.emit_value(room.get_mut(NLA_HEADER_SIZE..length).unwrap_or_default());
}

/// Appends an attribute whose value is the attributes that `fill` appends.
#[inline]
pub fn put_nested(out: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; NLA_HEADER_SIZE]);
    fill(out);
    let length = out.len() - start;
    set_header(out, start, length, kind | NLA_F_NESTED);
}

/// Fills in the header of the attribute that begins at `start`.
#[inline]
fn set_header(out: &mut [u8], start: usize, length: usize, kind: u16) {
    // Our nests are some hundred bytes; one that does not fit is refused by the kernel as a broken frame.
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    if let Some((head, _)) = out.get_mut(start..).and_then(|attr| attr.split_first_chunk_mut::<4>()) {
        let ([a, b], [c, d]) = (length.to_ne_bytes(), kind.to_ne_bytes());
        *head = [a, b, c, d];
    }
}

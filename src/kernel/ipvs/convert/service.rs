//! Services ⇄ attributes.

use std::net::Ipv4Addr;

use super::{address, af_number, bad, family, need, read_stats};
use crate::kernel::ipvs::attr::{self, BePort, FlagBits, Malformed, Nested, ServiceAttr, UnionAddr, put};
use crate::kernel::ipvs::consts::{IP_VS_SVC_F_HASHED, IP_VS_SVC_F_PERSISTENT};
use crate::model::{
    Family, Flags, Fwmark, Netmask, PeName, Persistence, Port, Protocol, Scheduler, Service, ServiceKey,
    Stats,
};

/// What identifies a service: all that `DEL_SERVICE`, `GET_SERVICE` and the server commands read of it.
pub fn put_service_key(out: &mut Vec<u8>, key: &ServiceKey) {
    put(out, &ServiceAttr::Af(af_number(key.family())));
    match *key {
        ServiceKey::Mark { mark, .. } => put(out, &ServiceAttr::Fwmark(mark.get())),
        ServiceKey::Address { protocol, addr, port } => {
            put(out, &ServiceAttr::Protocol(u16::from(protocol.number())));
            put(out, &ServiceAttr::Addr(UnionAddr::from(addr)));
            put(out, &ServiceAttr::Port(BePort(port.0)));
        }
    }
}

/// A whole service. The kernel replaces the whole record, so nothing is left out: NETMASK is demanded even of a
/// service that is not persistent, and the mask of FLAGS covers every bit but the kernel's own.
pub fn put_service(out: &mut Vec<u8>, key: &ServiceKey, service: &Service) {
    let (sticky, timeout, netmask) = match service.persistence {
        Some(Persistence { timeout, netmask }) => (IP_VS_SVC_F_PERSISTENT, timeout, netmask),
        None => (0, 0, Netmask::host(key.family())),
    };
    put_service_key(out, key);
    put(out, &ServiceAttr::SchedName(service.scheduler.name()));
    let flags = FlagBits { flags: service.flags.bits() | sticky, mask: !IP_VS_SVC_F_HASHED };
    put(out, &ServiceAttr::Flags(flags));
    put(out, &ServiceAttr::Timeout(timeout));
    put(out, &ServiceAttr::Netmask(netmask_bytes(netmask)));
    if let Some(pe) = &service.pe {
        put(out, &ServiceAttr::PeName(pe.name()));
    }
}

/// A whole service, as the kernel answers and as [`put_service`] writes.
pub fn read_service(nest: Nested<'_>) -> Result<(ServiceKey, Service, Stats), Malformed> {
    let found = Found::in_nest(nest)?;
    let key = found.key()?;
    let flags = found.flags.unwrap_or(0);
    let persistence = match (flags & IP_VS_SVC_F_PERSISTENT != 0, found.netmask) {
        (false, _) => None,
        (true, None) => return Err(Malformed::Missing("IPVS_SVC_ATTR_NETMASK")),
        (true, Some(bytes)) => Some(Persistence {
            timeout: need("IPVS_SVC_ATTR_TIMEOUT", found.timeout)?,
            netmask: netmask(key.family(), bytes)?,
        }),
    };
    let scheduler = need("IPVS_SVC_ATTR_SCHED_NAME", found.scheduler)?;
    let service = Service {
        scheduler: Scheduler::new(scheduler).map_err(bad("IPVS_SVC_ATTR_SCHED_NAME"))?,
        flags: Flags::from_bits(flags),
        persistence,
        pe: match found.pe {
            None | Some("") => None,
            Some(name) => Some(PeName::new(name).map_err(bad("IPVS_SVC_ATTR_PE_NAME"))?),
        },
    };
    let stats = found.stats64.or(found.stats).map(read_stats).transpose()?.unwrap_or_default();
    Ok((key, service, stats))
}

/// The key alone, from a request as much as from an answer.
pub fn read_service_key(nest: Nested<'_>) -> Result<ServiceKey, Malformed> {
    Found::in_nest(nest)?.key()
}

/// What a nest holds, before it is known whether that is enough.
#[derive(Default)]
struct Found<'a> {
    af: Option<u16>,
    protocol: Option<u16>,
    addr: Option<UnionAddr>,
    port: Option<u16>,
    mark: Option<u32>,
    scheduler: Option<&'a str>,
    flags: Option<u32>,
    timeout: Option<u32>,
    netmask: Option<[u8; 4]>,
    pe: Option<&'a str>,
    stats: Option<Nested<'a>>,
    stats64: Option<Nested<'a>>,
}

impl<'a> Found<'a> {
    fn in_nest(nest: Nested<'a>) -> Result<Found<'a>, Malformed> {
        let mut found = Found::default();
        for attr in attr::read::<ServiceAttr<'a>>(nest.0) {
            match attr? {
                ServiceAttr::Af(number) => found.af = Some(number),
                ServiceAttr::Protocol(number) => found.protocol = Some(number),
                ServiceAttr::Addr(addr) => found.addr = Some(addr),
                ServiceAttr::Port(port) => found.port = Some(port.0),
                ServiceAttr::Fwmark(mark) => found.mark = Some(mark),
                ServiceAttr::SchedName(name) => found.scheduler = Some(name),
                ServiceAttr::Flags(bits) => found.flags = Some(bits.flags),
                ServiceAttr::Timeout(seconds) => found.timeout = Some(seconds),
                ServiceAttr::Netmask(bytes) => found.netmask = Some(bytes),
                ServiceAttr::PeName(name) => found.pe = Some(name),
                ServiceAttr::Stats(nest) => found.stats = Some(nest),
                ServiceAttr::Stats64(nest) => found.stats64 = Some(nest),
                ServiceAttr::Other(_) => {}
            }
        }
        Ok(found)
    }

    fn key(&self) -> Result<ServiceKey, Malformed> {
        let family = family("IPVS_SVC_ATTR_AF", need("IPVS_SVC_ATTR_AF", self.af)?)?;
        if let Some(mark) = self.mark {
            let mark = Fwmark::new(mark).map_err(bad("IPVS_SVC_ATTR_FWMARK"))?;
            return Ok(ServiceKey::Mark { family, mark });
        }
        let protocol = need("IPVS_SVC_ATTR_PROTOCOL", self.protocol)?;
        let number = u8::try_from(protocol).map_err(|_| Malformed::Value {
            attr: "IPVS_SVC_ATTR_PROTOCOL",
            why: format!("{protocol} is above 255"),
        })?;
        Ok(ServiceKey::Address {
            protocol: Protocol::from_number(number),
            addr: address(family, need("IPVS_SVC_ATTR_ADDR", self.addr)?),
            port: Port(need("IPVS_SVC_ATTR_PORT", self.port)?),
        })
    }
}

/// IPv4: the mask itself. IPv6: the prefix length as a number in host order.
fn netmask_bytes(netmask: Netmask) -> [u8; 4] {
    match netmask {
        Netmask::V4(mask) => mask.octets(),
        Netmask::V6(length) => u32::from(length).to_ne_bytes(),
    }
}

fn netmask(family: Family, bytes: [u8; 4]) -> Result<Netmask, Malformed> {
    match family {
        Family::Ipv4 => Ok(Netmask::V4(Ipv4Addr::from(bytes))),
        Family::Ipv6 => {
            let length = u32::from_ne_bytes(bytes);
            let fits = u8::try_from(length).map_err(|_| format!("prefix length {length} is not in 1..128"));
            fits.and_then(|length| Netmask::prefix(length, family)).map_err(bad("IPVS_SVC_ATTR_NETMASK"))
        }
    }
}

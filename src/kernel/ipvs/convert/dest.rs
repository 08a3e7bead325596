//! Servers ⇄ attributes.

use super::{address, af_number, bad, family, need, read_stats};
use crate::kernel::ipvs::attr::{self, BePort, DestAttr, Malformed, Nested, UnionAddr, put};
use crate::model::{Family, Forwarding, Port, Server, ServerKey, ServerLive, Tunnel, TunnelKind, Weight};

/// What identifies a server within its service. Kernels before 3.18 skip ADDR_FAMILY and take the service's.
pub fn put_server_key(out: &mut Vec<u8>, key: &ServerKey) {
    put(out, &DestAttr::Addr(UnionAddr::from(key.addr)));
    put(out, &DestAttr::Port(BePort(key.port.0)));
    put(out, &DestAttr::AddrFamily(af_number(key.family())));
}

/// A whole server. The kernel replaces the whole record and takes ipip, no port and no flags where the tunnel's
/// attributes are missing; so they are written only where they say something else, which old kernels need.
pub fn put_server(out: &mut Vec<u8>, key: &ServerKey, server: &Server) {
    put_server_key(out, key);
    put(out, &DestAttr::FwdMethod(server.method.number()));
    put(out, &DestAttr::Weight(server.weight.get()));
    put(out, &DestAttr::UpperThreshold(server.upper));
    put(out, &DestAttr::LowerThreshold(server.lower));
    if server.tunnel != Tunnel::default() {
        put(out, &DestAttr::TunType(server.tunnel.kind.number()));
        put(out, &DestAttr::TunPort(BePort(server.tunnel.port.0)));
        put(out, &DestAttr::TunFlags(server.tunnel.flags));
    }
}

/// A whole server. `service` is the family of its service, which is the server's too where it does not say.
pub fn read_server(nest: Nested<'_>, service: Family) -> Result<(ServerKey, Server, ServerLive), Malformed> {
    let (mut addr, mut port, mut own_family) = (None, None, None);
    let (mut method, mut weight) = (None, None);
    let (mut server, mut live) = (Server::default(), ServerLive::default());
    let (mut stats, mut stats64) = (None, None);
    for attr in attr::read::<DestAttr<'_>>(nest.0) {
        match attr? {
            DestAttr::Addr(bytes) => addr = Some(bytes),
            DestAttr::Port(number) => port = Some(Port(number.0)),
            DestAttr::FwdMethod(number) => method = Some(Forwarding::from_number(number)),
            DestAttr::Weight(number) => weight = Some(number),
            DestAttr::UpperThreshold(number) => server.upper = number,
            DestAttr::LowerThreshold(number) => server.lower = number,
            DestAttr::ActiveConns(number) => live.active = number,
            DestAttr::InactConns(number) => live.inactive = number,
            DestAttr::PersistConns(number) => live.persist = number,
            DestAttr::Stats(nest) => stats = Some(nest),
            DestAttr::AddrFamily(number) => own_family = Some(number),
            DestAttr::Stats64(nest) => stats64 = Some(nest),
            DestAttr::TunType(number) => server.tunnel.kind = TunnelKind::from_number(number),
            DestAttr::TunPort(number) => server.tunnel.port = Port(number.0),
            DestAttr::TunFlags(bits) => server.tunnel.flags = bits,
            DestAttr::Other(_) => {}
        }
    }
    let family = match own_family {
        Some(number) => family("IPVS_DEST_ATTR_ADDR_FAMILY", number)?,
        None => service,
    };
    let key = ServerKey {
        addr: address(family, need("IPVS_DEST_ATTR_ADDR", addr)?),
        port: need("IPVS_DEST_ATTR_PORT", port)?,
    };
    server.method = need("IPVS_DEST_ATTR_FWD_METHOD", method)?;
    let weight = need("IPVS_DEST_ATTR_WEIGHT", weight)?;
    server.weight = Weight::new(weight).map_err(bad("IPVS_DEST_ATTR_WEIGHT"))?;
    if let Some(nest) = stats64.or(stats) {
        live.stats = read_stats(nest)?;
    }
    Ok((key, server, live))
}

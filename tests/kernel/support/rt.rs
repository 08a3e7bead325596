//! The few rtnetlink requests that a topology needs. A program start costs 60 ms in the lab; one of these, less than
//! one.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::net::if_::if_nametoindex;
use std::{
    io,
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd},
};

const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// Belongs to the network namespace in which it was opened.
pub struct Rt {
    socket: Socket,
    sequence: u32,
}

impl Rt {
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_ROUTE)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    fn ask(&mut self, what: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence += 1;
        let mut message = NetlinkMessage::from(what);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let (bytes, _) = self.socket.recv_from_full()?;
        let reply = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).map_err(io::Error::other)?;
        match reply.payload {
            NetlinkPayload::Error(e) if e.code.is_some() => Err(e.to_io()),
            NetlinkPayload::Error(_) => Ok(()),
            other => Err(io::Error::other(format!("no acknowledgement: {other:?}"))),
        }
    }

    pub fn up(&mut self, device: &str) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = if_nametoindex(device)?;
        raise(&mut link);
        self.ask(RouteNetlinkMessage::SetLink(link), 0)
    }

    /// A bridge that forwards at once and keeps no multicast state of its own.
    pub fn bridge(&mut self, name: &str, index: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        raise(&mut link);
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
        ]));
        self.ask(RouteNetlinkMessage::NewLink(link), NEW)
    }

    /// A veth pair: this end a port of the bridge, the other end `device` in another namespace, which
    /// has to raise it: a pair cannot be made with that end up.
    pub fn port(
        &mut self,
        port: (&str, u32),
        bridge: u32,
        device: (&str, u32),
        to: BorrowedFd,
    ) -> io::Result<()> {
        let mut far = LinkMessage::default();
        far.header.index = device.1;
        far.attributes.push(LinkAttribute::IfName(device.0.to_owned()));
        far.attributes.push(LinkAttribute::NetNsFd(to.as_raw_fd()));
        let mut near = LinkMessage::default();
        near.header.index = port.1;
        raise(&mut near);
        near.attributes.push(LinkAttribute::IfName(port.0.to_owned()));
        near.attributes.push(LinkAttribute::Controller(bridge));
        near.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))),
        ]));
        self.ask(RouteNetlinkMessage::NewLink(near), NEW)
    }

    /// A device that its kind alone describes: dummy, ipip, ….
    pub fn device(&mut self, name: &str, kind: InfoKind) -> io::Result<()> {
        let mut link = LinkMessage::default();
        raise(&mut link);
        link.attributes.push(LinkAttribute::IfName(name.to_owned()));
        link.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]));
        self.ask(RouteNetlinkMessage::NewLink(link), NEW)
    }

    fn address(device: &str, address: IpAddr, prefix: u8) -> io::Result<AddressMessage> {
        let mut message = AddressMessage::default();
        message.header.family = family(address);
        message.header.prefix_len = prefix;
        message.header.index = if_nametoindex(device)?;
        // Without the second in which an IPv6 address is only tentative.
        if address.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        message.attributes.push(AddressAttribute::Address(address));
        message.attributes.push(AddressAttribute::Local(address));
        Ok(message)
    }

    pub fn add_address(&mut self, device: &str, address: IpAddr, prefix: u8) -> io::Result<()> {
        let message = Self::address(device, address, prefix)?;
        self.ask(RouteNetlinkMessage::NewAddress(message), NEW)
    }

    pub fn remove_address(&mut self, device: &str, address: IpAddr, prefix: u8) -> io::Result<()> {
        let message = Self::address(device, address, prefix)?;
        self.ask(RouteNetlinkMessage::DelAddress(message), 0)
    }

    /// The default route of the gateway's family, in place of the one before.
    pub fn default_route(&mut self, gateway: IpAddr) -> io::Result<()> {
        self.route(gateway, None)
    }

    /// The way to a network, in place of the one before; without a network it is the default route.
    pub fn route(&mut self, gateway: IpAddr, to: Option<(IpAddr, u8)>) -> io::Result<()> {
        let mut route = RouteMessage::default();
        route.header.address_family = family(gateway);
        if let Some((net, prefix)) = to {
            route.header.destination_prefix_length = prefix;
            route.attributes.push(RouteAttribute::Destination(RouteAddress::from(net)));
        }
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.protocol = RouteProtocol::Static;
        route.header.scope = RouteScope::Universe;
        route.header.kind = RouteType::Unicast;
        let via = RouteAttribute::Gateway(RouteAddress::from(gateway));
        route.attributes.push(via);
        self.ask(RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_REPLACE)
    }
}

fn raise(link: &mut LinkMessage) {
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

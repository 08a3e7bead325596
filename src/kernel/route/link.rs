//! Devices that unpack tunnelled packets: `ip link add … type ipip external`.

use std::collections::BTreeMap;

use netlink_packet_route::link::{
    GreIOFlags, InfoData, InfoGre, InfoGre6, InfoIpTunnel, InfoKind, Ip6TunnelFlags, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use rtnetlink::Handle;

use super::super::sysctl;
use super::{Errno, collect, errno_of};
use crate::model::{DeviceKind, IfName, SysctlName, TunnelDevice};

type Result<T> = std::result::Result<T, Errno>;

/// All devices of the kinds that unpack, whoever made them.
pub async fn tunnels(handle: &Handle) -> Result<BTreeMap<IfName, TunnelDevice>> {
    let all = collect(handle.link().get().execute()).await?;
    Ok(all.iter().filter_map(tunnel_of).collect())
}

fn tunnel_of(message: &LinkMessage) -> Option<(IfName, TunnelDevice)> {
    let (mut name, mut alias, mut info) = ("", "", None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = text,
            LinkAttribute::IfAlias(text) => alias = text,
            LinkAttribute::LinkInfo(parts) => info = Some(parts),
            _ => {}
        }
    }
    let (mut kind, mut from_anyone, mut checksum) = (None, false, false);
    for part in info? {
        match part {
            LinkInfo::Kind(found) => kind = kind_of(found),
            LinkInfo::Data(data) => (from_anyone, checksum) = (takes_all(data), is_summed(data)),
            _ => {}
        }
    }
    let dev = IfName::new(name).ok()?;
    let check = sysctl::read(&filter_of(&dev)?).ok().flatten();
    let tunnel = TunnelDevice {
        kind: kind?,
        from_anyone,
        checksum,
        up: message.header.flags.contains(LinkFlags::Up),
        rp_filter: check.and_then(|value| value.parse().ok()).unwrap_or(0),
        alias: alias.to_string(),
    };
    Some((dev, tunnel))
}

fn kind_of(kind: &InfoKind) -> Option<DeviceKind> {
    Some(match kind {
        InfoKind::IpIp => DeviceKind::Ipip,
        InfoKind::SitTun => DeviceKind::Sit,
        InfoKind::Ip6Tnl => DeviceKind::Ip6tnl,
        InfoKind::GreTun => DeviceKind::Gre,
        InfoKind::GreTun6 => DeviceKind::Ip6gre,
        _ => return None,
    })
}

/// Whether it was made as [`data_for`] says. A `sit0`, which belongs to no device, was not.
fn takes_all(data: &InfoData) -> bool {
    match data {
        InfoData::IpTunnel(parts) => {
            let ends = parts.iter().any(|part| match part {
                InfoIpTunnel::Local(addr) | InfoIpTunnel::Remote(addr) => !addr.is_unspecified(),
                _ => false,
            });
            let on_device = |part: &InfoIpTunnel| matches!(part, InfoIpTunnel::Link(index) if *index != 0);
            parts.contains(&InfoIpTunnel::CollectMetadata) || !ends && parts.iter().any(on_device)
        }
        InfoData::GreTun(parts) => parts.contains(&InfoGre::CollectMetadata),
        InfoData::GreTun6(parts) => parts.contains(&InfoGre6::CollectMetadata),
        _ => false,
    }
}

/// Whether it takes only GRE with a checksum (`icsum`).
fn is_summed(data: &InfoData) -> bool {
    match data {
        InfoData::GreTun(parts) => parts.contains(&InfoGre::IFlags(GreIOFlags::Checksum)),
        InfoData::GreTun6(parts) => parts.contains(&InfoGre6::IFlags(GreIOFlags::Checksum)),
        _ => false,
    }
}

/// Takes the packets of every sender. `external` does (`IFLA_IPTUN_COLLECT_METADATA`): what no other device matches
/// goes to the one that has it. `sit` lacks it, but looks no further than at the youngest device without ends
/// (`ipip6_tunnel_lookup`, net/ipv6/sit.c); its being bound to `lo` (index 1 in every namespace) is only what makes
/// it another than `sit0`, nothing is ever sent through it.
fn data_for(kind: DeviceKind, checksum: bool) -> (InfoKind, InfoData) {
    const LO: u32 = 1;
    let flags = if checksum { GreIOFlags::Checksum } else { GreIOFlags::empty() };
    match kind {
        DeviceKind::Ipip => (InfoKind::IpIp, InfoData::IpTunnel(vec![InfoIpTunnel::CollectMetadata])),
        DeviceKind::Sit => (InfoKind::SitTun, InfoData::IpTunnel(vec![InfoIpTunnel::Link(LO)])),
        DeviceKind::Ip6tnl => {
            // A director may send with the virtual address as its own, which is an address of this machine, too
            // (`ip6_tnl_rcv_ctl`, net/ipv6/ip6_tunnel.c). ip-link(8) has a word for this, but not beside `external`.
            let local_senders = InfoIpTunnel::Ipv6Flags(Ip6TunnelFlags::AllowLocalRemote);
            let parts = vec![InfoIpTunnel::CollectMetadata, local_senders];
            (InfoKind::Ip6Tnl, InfoData::IpTunnel(parts))
        }
        DeviceKind::Gre => {
            (InfoKind::GreTun, InfoData::GreTun(vec![InfoGre::CollectMetadata, InfoGre::IFlags(flags)]))
        }
        DeviceKind::Ip6gre => {
            (InfoKind::GreTun6, InfoData::GreTun6(vec![InfoGre6::CollectMetadata, InfoGre6::IFlags(flags)]))
        }
    }
}

/// Makes the device, and only then raises it: no packet comes out of it that its settings do not hold for. The kernel
/// loads the module by the kind.
pub async fn add(handle: &Handle, dev: &IfName, tunnel: &TunnelDevice) -> Result<()> {
    if !tunnel.from_anyone {
        // One between two hosts is somebody else's; it is never taken away, so it need not be made again.
        return Err(libc::EOPNOTSUPP);
    }
    let (kind, data) = data_for(tunnel.kind, tunnel.checksum);
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(dev.name().to_string()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]),
    ];
    handle.link().add(message).execute().await.map_err(errno_of)?;
    let done = set(handle, dev, tunnel).await;
    if done.is_err() {
        // Half of it is nothing; the error that led here says more than one of this would.
        let _ = del(handle, dev).await;
    }
    done
}

/// Everything but what it was made as.
pub async fn set(handle: &Handle, dev: &IfName, tunnel: &TunnelDevice) -> Result<()> {
    if let Some(name) = filter_of(dev) {
        // A device that is not there has no settings.
        let gone = |errno| if errno == libc::ENOENT { libc::ENODEV } else { errno };
        sysctl::write(&name, &tunnel.rp_filter.to_string()).map_err(gone)?;
    }
    let mut message = LinkMessage::default();
    message.header.change_mask = LinkFlags::Up;
    if tunnel.up {
        message.header.flags = LinkFlags::Up;
    }
    message.attributes =
        vec![LinkAttribute::IfName(dev.name().to_string()), LinkAttribute::IfAlias(tunnel.alias.clone())];
    handle.link().set(message).execute().await.map_err(errno_of)
}

/// `ip link del lvsh-ipip`
pub async fn del(handle: &Handle, dev: &IfName) -> Result<()> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(dev.name().to_string()));
    handle.link().del_with_message(message).execute().await.map_err(errno_of)
}

/// With slashes: a device's name may have dots.
fn filter_of(dev: &IfName) -> Option<SysctlName> {
    SysctlName::new(&format!("net/ipv4/conf/{dev}/rp_filter")).ok()
}

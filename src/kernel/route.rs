//! Addresses, rules, local routes and tunnel devices of the namespace, through rtnetlink.

mod link;
mod path;

use std::collections::BTreeMap;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;

use futures_util::{Stream, StreamExt};
use ipnet::IpNet;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, CacheInfo};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{AddressMessageBuilder, Handle};
use tokio::runtime::{self, Runtime};

use super::announce;
use super::promote::Promotion;
use crate::backend::Outcome;
use crate::error::{Error, Kind, Result};
use crate::model::{IfName, Installed, RouteKey, RuleKey, TunnelDevice, Vip, VipKey};
use crate::plan::{Step, refusal};

/// The errno of a failure.
type Errno = i32;

/// Addresses of the network namespace that the thread was in at the first use.
#[derive(Default)]
pub struct Route {
    connection: Option<Connection>,
    notes: Vec<String>,
}

/// What an announcement needs to know of a device.
#[derive(Clone, Debug)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub mac: Vec<u8>,
    pub flags: LinkFlags,
}

impl Route {
    /// Opens nothing yet.
    pub fn new() -> Route {
        Route::default()
    }

    /// All addresses with their devices, whoever added them.
    pub fn vips(&mut self) -> Result<BTreeMap<VipKey, Vip>> {
        let failed = |errno| Error::system(Kind::Io, "read", "addresses", errno);
        let connection = self.connection().map_err(failed)?;
        let read = async |handle: Handle| Ok((links(&handle).await?, addresses(&handle).await?));
        let (links, addresses) = connection.run(read).map_err(failed)?;
        let vip = |message: &AddressMessage| {
            let link = links.iter().find(|link| link.index == message.header.index)?;
            let dev = IfName::new(&link.name).ok()?;
            Some((VipKey { addr: net_of(message)?, dev }, Vip { proto: proto_of(message) }))
        };
        Ok(addresses.iter().filter_map(vip).collect())
    }

    /// Rules that send a mark to a table, and local default routes, whoever added them.
    pub fn paths(&mut self) -> Result<(BTreeMap<RuleKey, Installed>, BTreeMap<RouteKey, Installed>)> {
        let failed = |errno| Error::system(Kind::Io, "read", "rules and routes", errno);
        let connection = self.connection().map_err(failed)?;
        let read = async |handle: Handle| {
            let links = links(&handle).await?;
            Ok((path::rules(&handle).await?, path::routes(&handle, &links).await?))
        };
        connection.run(read).map_err(failed)
    }

    /// Devices of the kinds that unpack, whoever made them.
    pub fn tunnels(&mut self) -> Result<BTreeMap<IfName, TunnelDevice>> {
        let failed = |errno| Error::system(Kind::Io, "read", "devices", errno);
        let connection = self.connection().map_err(failed)?;
        connection.run(async |handle| link::tunnels(&handle).await).map_err(failed)
    }

    /// Makes the changes one after the other, up to the first that fails, and announces what was added.
    pub fn apply(&mut self, steps: &[&Step]) -> Vec<Outcome> {
        self.notes.clear();
        let connection = match self.connection() {
            Ok(connection) => connection,
            Err(errno) => return first_failed(steps, errno),
        };
        let (outcomes, added) = connection.run(async |handle| change(&handle, steps).await);
        self.notes = added.iter().filter_map(|(link, addr)| announce::announce(link, *addr).err()).collect();
        outcomes
    }

    /// Addresses of the last change that could not be announced, and why; one line each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn connection(&mut self) -> std::result::Result<&Connection, Errno> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            empty => Ok(empty.insert(Connection::open()?)),
        }
    }
}

/// A socket with the small runtime that rtnetlink wants.
struct Connection {
    runtime: ManuallyDrop<Runtime>,
    handle: Handle,
}

impl Connection {
    fn open() -> std::result::Result<Connection, Errno> {
        let failed = |error: std::io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        let runtime = runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let inside = runtime.enter();
        // Strict, so that what a question does not want is left out by the kernel; before 4.20 all of it comes.
        let opened = rtnetlink::new_connection_with_strict_check().or_else(|_| rtnetlink::new_connection());
        let (connection, handle, _) = opened.map_err(failed)?;
        drop(inside);
        runtime.spawn(connection);
        Ok(Connection { runtime: ManuallyDrop::new(runtime), handle })
    }

    /// Runs to the end, also from inside another runtime (which forbids waiting on its own thread).
    fn run<T: Send, F: Future<Output = T>>(&self, work: impl FnOnce(Handle) -> F + Send) -> T {
        let run = || self.runtime.block_on(work(self.handle.clone()));
        if runtime::Handle::try_current().is_err() {
            return run();
        }
        std::thread::scope(|scope| match scope.spawn(run).join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Connection {
    /// An ordinary end waits for the runtime's threads, which another runtime forbids; this one has none.
    fn drop(&mut self) {
        // SAFETY: taken once, here, and never used again.
        unsafe { ManuallyDrop::take(&mut self.runtime) }.shutdown_background();
    }
}

/// Takes the steps in order; says what became of each, and what is to be announced.
async fn change(handle: &Handle, steps: &[&Step]) -> (Vec<Outcome>, Vec<(Link, IpAddr)>) {
    let links = match links(handle).await {
        Ok(links) => links,
        Err(errno) => return (first_failed(steps, errno), Vec::new()),
    };
    let (mut outcomes, mut added) = (Vec::new(), Vec::new());
    for step in steps {
        match one(handle, &links, step).await {
            Ok(announce) => added.extend(announce),
            Err(errno) => {
                outcomes.push(Outcome::Failed(refusal(step, errno)));
                break;
            }
        }
        outcomes.push(Outcome::Done);
    }
    outcomes.resize(steps.len(), Outcome::NotSent);
    (outcomes, added)
}

async fn one(
    handle: &Handle,
    links: &[Link],
    step: &Step,
) -> std::result::Result<Option<(Link, IpAddr)>, Errno> {
    let found = |dev: &IfName| links.iter().find(|link| link.name == dev.name()).ok_or(libc::ENODEV);
    let done = match step {
        Step::AddVip { key, vip } => {
            let link = found(&key.dev)?;
            add(handle, link, key, *vip).await?;
            return Ok(Some((link.clone(), key.addr.addr())));
        }
        Step::SetVip { key, to, .. } => set(handle, found(&key.dev)?, key, *to).await,
        Step::DelVip { key, .. } => del(handle, found(&key.dev)?, key).await,
        Step::AddRule { key, rule } => path::add_rule(handle, key, *rule).await,
        Step::DelRule { key, rule } => path::del_rule(handle, key, *rule).await,
        Step::AddRoute { key, route } => path::add_route(handle, links, key, *route).await,
        Step::DelRoute { key, route } => path::del_route(handle, links, key, *route).await,
        Step::AddTunnel { dev, tunnel } => link::add(handle, dev, tunnel).await,
        Step::SetTunnel { dev, to, .. } => link::set(handle, dev, to).await,
        Step::DelTunnel { dev, .. } => link::del(handle, dev).await,
        _ => Err(libc::EINVAL),
    };
    done.map(|()| None)
}

/// `ip address add 192.0.2.1/32 dev eth0 proto 76`, and `nodad` for IPv6: the address is then usable at once,
/// where duplicate address detection would hold it back for a second. An IPv6 address of a host is also deprecated
/// (`preferred_lft 0`), so that the machine does not choose it for what it sends itself: the real servers have it, too,
/// and would take checks and tunnelled packets from it for their own. IPv4 chooses the address of the network.
async fn add(handle: &Handle, link: &Link, key: &VipKey, vip: Vip) -> std::result::Result<(), Errno> {
    let mut request = handle.address().add(link.index, key.addr.addr(), key.addr.prefix_len());
    let attributes = &mut request.message_mut().attributes;
    if vip.proto != 0 {
        attributes.push(AddressAttribute::Protocol(vip.proto.into()));
    }
    if key.addr.addr().is_ipv6() {
        attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    if key.addr.addr().is_ipv6() && key.addr.prefix_len() == key.addr.max_prefix_len() {
        let mut times = CacheInfo::default();
        (times.ifa_preferred, times.ifa_valid) = (0, u32::MAX);
        attributes.push(AddressAttribute::CacheInfo(times));
    }
    request.execute().await.map_err(errno_of)
}

/// Sends the address back as the kernel showed it but for the tag: what is left out (lifetimes, `noprefixroute`)
/// would be set to its default.
async fn set(handle: &Handle, link: &Link, key: &VipKey, vip: Vip) -> std::result::Result<(), Errno> {
    let all = addresses(handle).await?;
    let is_it = |one: &AddressMessage| one.header.index == link.index && net_of(one) == Some(key.addr);
    let mut message = all.into_iter().find(is_it).ok_or(libc::EADDRNOTAVAIL)?;
    message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Protocol(_)));
    message.attributes.push(AddressAttribute::Protocol(vip.proto.into()));
    let mut request = handle.address().add(link.index, key.addr.addr(), key.addr.prefix_len()).replace();
    *request.message_mut() = message;
    request.execute().await.map_err(errno_of)
}

/// `ip address del 192.0.2.1/24 dev eth0`, and nothing but that address.
async fn del(handle: &Handle, link: &Link, key: &VipKey) -> std::result::Result<(), Errno> {
    let shares_subnet = |one: &AddressMessage| {
        let net = net_of(one).filter(|net| *net != key.addr && one.header.index == link.index);
        net.is_some_and(|net| net.trunc() == key.addr.trunc())
    };
    let may_take_others = key.addr.addr().is_ipv4() && key.addr.prefix_len() < 32;
    let others = may_take_others && addresses(handle).await?.iter().any(shares_subnet);
    let _promotion = if others { Promotion::allow(&link.name) } else { None };
    handle.address().del(message(link, key)).execute().await.map_err(errno_of)
}

fn message(link: &Link, key: &VipKey) -> AddressMessage {
    let prefix = key.addr.prefix_len();
    match key.addr.addr() {
        IpAddr::V4(addr) => {
            AddressMessageBuilder::<Ipv4Addr>::new().index(link.index).address(addr, prefix).build()
        }
        IpAddr::V6(addr) => {
            AddressMessageBuilder::<Ipv6Addr>::new().index(link.index).address(addr, prefix).build()
        }
    }
}

async fn links(handle: &Handle) -> std::result::Result<Vec<Link>, Errno> {
    let link = |message: LinkMessage| {
        let (mut name, mut mac) = (String::new(), Vec::new());
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = text,
                LinkAttribute::Address(bytes) => mac = bytes,
                _ => {}
            }
        }
        Link { index: message.header.index, name, mac, flags: message.header.flags }
    };
    Ok(collect(handle.link().get().execute()).await?.into_iter().map(link).collect())
}

async fn addresses(handle: &Handle) -> std::result::Result<Vec<AddressMessage>, Errno> {
    collect(handle.address().get().execute()).await
}

async fn collect<T>(
    stream: impl Stream<Item = std::result::Result<T, rtnetlink::Error>>,
) -> std::result::Result<Vec<T>, Errno> {
    let mut stream = pin!(stream);
    let mut list = Vec::new();
    while let Some(item) = stream.next().await {
        list.push(item.map_err(errno_of)?);
    }
    Ok(list)
}

/// Waits for the acknowledgement of a change.
async fn answered(
    mut answers: impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>> + Unpin,
) -> std::result::Result<(), Errno> {
    while let Some(answer) = answers.next().await {
        if let NetlinkPayload::Error(message) = answer.payload
            && message.raw_code() != 0
        {
            return Err(-message.raw_code());
        }
    }
    Ok(())
}

/// The address itself is `IFA_LOCAL`; `IFA_ADDRESS` is the other end on a point-to-point device, and the address
/// where there is no other (linux/if_addr.h).
fn net_of(message: &AddressMessage) -> Option<IpNet> {
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(addr) => local = Some(*addr),
            AddressAttribute::Address(addr) => address = Some(*addr),
            _ => {}
        }
    }
    IpNet::new(local.or(address)?, message.header.prefix_len).ok()
}

/// `IFA_PROTO`; kernels before 5.18 do not have it.
fn proto_of(message: &AddressMessage) -> u8 {
    let proto = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Protocol(proto) => Some(u8::from(*proto)),
        _ => None,
    };
    message.attributes.iter().find_map(proto).unwrap_or(0)
}

fn errno_of(error: rtnetlink::Error) -> Errno {
    match error {
        rtnetlink::Error::NetlinkError(message) => -message.raw_code(),
        _ => libc::EIO,
    }
}

fn first_failed(steps: &[&Step], errno: Errno) -> Vec<Outcome> {
    let outcome = |(place, step): (usize, &&Step)| match place {
        0 => Outcome::Failed(refusal(step, errno)),
        _ => Outcome::NotSent,
    };
    steps.iter().enumerate().map(outcome).collect()
}

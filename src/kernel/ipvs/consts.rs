//! The numbers of `linux/ip_vs.h`, in its order, each with its line there (the header of Linux 6.1; 7.2 has the same).
//!
//! "host" is the machine's own byte order, "network" is big endian. Attributes are padded to four bytes; the length
//! in their header is the value's own plus four.

// Service flags, first word of IPVS_SVC_ATTR_FLAGS.

/// Clients stick to their server. (`linux/ip_vs.h:21`)
pub const IP_VS_SVC_F_PERSISTENT: u32 = 0x1;
/// The kernel's own: set in every reply, never the user's. (`linux/ip_vs.h:22`)
pub const IP_VS_SVC_F_HASHED: u32 = 0x2;
/// Every datagram is scheduled by itself. (`linux/ip_vs.h:23`)
pub const IP_VS_SVC_F_ONEPACKET: u32 = 0x4;
/// Flag 1 of the scheduler. (`linux/ip_vs.h:24`)
pub const IP_VS_SVC_F_SCHED1: u32 = 0x8;
/// Flag 2 of the scheduler. (`linux/ip_vs.h:25`)
pub const IP_VS_SVC_F_SCHED2: u32 = 0x10;
/// Flag 3 of the scheduler. (`linux/ip_vs.h:26`)
pub const IP_VS_SVC_F_SCHED3: u32 = 0x20;

// States of a sync daemon, IPVS_DAEMON_ATTR_STATE.

/// Sends connections. (`linux/ip_vs.h:35`)
pub const IP_VS_STATE_MASTER: u32 = 1;
/// Receives them. (`linux/ip_vs.h:36`)
pub const IP_VS_STATE_BACKUP: u32 = 2;

// Forwarding, IPVS_DEST_ATTR_FWD_METHOD.

/// The bits that are the method. (`linux/ip_vs.h:76`)
pub const IP_VS_CONN_F_FWD_MASK: u32 = 0x7;
/// NAT. (`linux/ip_vs.h:77`)
pub const IP_VS_CONN_F_MASQ: u32 = 0;
/// The director itself; decided by the kernel when it transmits. (`linux/ip_vs.h:78`)
pub const IP_VS_CONN_F_LOCALNODE: u32 = 1;
/// Encapsulated. (`linux/ip_vs.h:79`)
pub const IP_VS_CONN_F_TUNNEL: u32 = 2;
/// Direct routing. (`linux/ip_vs.h:80`)
pub const IP_VS_CONN_F_DROUTE: u32 = 3;
/// Past a cache, to the origin. (`linux/ip_vs.h:81`)
pub const IP_VS_CONN_F_BYPASS: u32 = 4;

// The old interface, getsockopt at level IPPROTO_IP.

/// `struct ip_vs_getinfo`. (`linux/ip_vs.h:63`)
pub const IP_VS_SO_GET_INFO: i32 = 1153;
/// `struct ip_vs_get_services`. (`linux/ip_vs.h:64`)
pub const IP_VS_SO_GET_SERVICES: i32 = 1154;
/// `struct ip_vs_get_dests`. (`linux/ip_vs.h:65`)
pub const IP_VS_SO_GET_DESTS: i32 = 1156;

// Lengths, the closing NUL included.

/// Scheduler. (`linux/ip_vs.h:115`)
pub const IP_VS_SCHEDNAME_MAXLEN: usize = 16;
/// Persistence engine. (`linux/ip_vs.h:116`)
pub const IP_VS_PENAME_MAXLEN: usize = 16;
/// Device of a sync daemon. (`linux/ip_vs.h:117`)
pub const IP_VS_IFNAME_MAXLEN: usize = 16;

// Tunnels, IPVS_DEST_ATTR_TUN_TYPE and IPVS_DEST_ATTR_TUN_FLAGS.

/// IP in IP. (`linux/ip_vs.h:123`)
pub const IP_VS_CONN_F_TUNNEL_TYPE_IPIP: u8 = 0;
/// Generic UDP encapsulation, Linux 5.2. (`linux/ip_vs.h:124`)
pub const IP_VS_CONN_F_TUNNEL_TYPE_GUE: u8 = 1;
/// GRE, Linux 5.3. (`linux/ip_vs.h:125`)
pub const IP_VS_CONN_F_TUNNEL_TYPE_GRE: u8 = 2;
/// No checksum. (`linux/ip_vs.h:130`)
pub const IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM: u16 = 0;
/// Checksum. (`linux/ip_vs.h:131`)
pub const IP_VS_TUNNEL_ENCAP_FLAG_CSUM: u16 = 1;
/// Remote checksum offload. (`linux/ip_vs.h:132`)
pub const IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM: u16 = 2;

// The family.

/// Its name for the generic netlink controller. (`linux/ip_vs.h:293`)
pub const IPVS_GENL_NAME: &str = "IPVS";
/// Version in the generic header. (`linux/ip_vs.h:294`)
pub const IPVS_GENL_VERSION: u8 = 1;

// Commands, `cmd` of the generic header.

/// SERVICE, whole: add. (`linux/ip_vs.h:305`)
pub const IPVS_CMD_NEW_SERVICE: u8 = 1;
/// SERVICE, whole: replace. (`linux/ip_vs.h:306`)
pub const IPVS_CMD_SET_SERVICE: u8 = 2;
/// SERVICE, its key: delete with its servers. (`linux/ip_vs.h:307`)
pub const IPVS_CMD_DEL_SERVICE: u8 = 3;
/// SERVICE, its key; or a dump of all: answers are NEW_SERVICE. (`linux/ip_vs.h:308`)
pub const IPVS_CMD_GET_SERVICE: u8 = 4;
/// SERVICE key and DEST, whole: add. (`linux/ip_vs.h:310`)
pub const IPVS_CMD_NEW_DEST: u8 = 5;
/// SERVICE key and DEST, whole: replace. (`linux/ip_vs.h:311`)
pub const IPVS_CMD_SET_DEST: u8 = 6;
/// SERVICE key and DEST key: delete. (`linux/ip_vs.h:312`)
pub const IPVS_CMD_DEL_DEST: u8 = 7;
/// SERVICE key, dump only: answers are NEW_DEST. (`linux/ip_vs.h:313`)
pub const IPVS_CMD_GET_DEST: u8 = 8;
/// DAEMON, whole: start. (`linux/ip_vs.h:315`)
pub const IPVS_CMD_NEW_DAEMON: u8 = 9;
/// DAEMON, its state: stop. (`linux/ip_vs.h:316`)
pub const IPVS_CMD_DEL_DAEMON: u8 = 10;
/// Dump only: answers are NEW_DAEMON. (`linux/ip_vs.h:317`)
pub const IPVS_CMD_GET_DAEMON: u8 = 11;
/// TIMEOUT_*; 0 or absent keeps. (`linux/ip_vs.h:319`)
pub const IPVS_CMD_SET_CONFIG: u8 = 12;
/// Nothing: the answer is SET_CONFIG. (`linux/ip_vs.h:320`)
pub const IPVS_CMD_GET_CONFIG: u8 = 13;
/// Answer only. (`linux/ip_vs.h:322`)
pub const IPVS_CMD_SET_INFO: u8 = 14;
/// Nothing: the answer is SET_INFO. (`linux/ip_vs.h:323`)
pub const IPVS_CMD_GET_INFO: u8 = 15;
/// Nothing: all counters; or SERVICE, its key. (`linux/ip_vs.h:325`)
pub const IPVS_CMD_ZERO: u8 = 16;
/// Nothing: delete all services. (`linux/ip_vs.h:326`)
pub const IPVS_CMD_FLUSH: u8 = 17;

// Attributes of a message.

/// Nested IPVS_SVC_ATTR_*. (`linux/ip_vs.h:336`)
pub const IPVS_CMD_ATTR_SERVICE: u16 = 1;
/// Nested IPVS_DEST_ATTR_*. (`linux/ip_vs.h:337`)
pub const IPVS_CMD_ATTR_DEST: u16 = 2;
/// Nested IPVS_DAEMON_ATTR_*. (`linux/ip_vs.h:338`)
pub const IPVS_CMD_ATTR_DAEMON: u16 = 3;
/// u32 host, seconds. (`linux/ip_vs.h:339`)
pub const IPVS_CMD_ATTR_TIMEOUT_TCP: u16 = 4;
/// u32 host, seconds. (`linux/ip_vs.h:340`)
pub const IPVS_CMD_ATTR_TIMEOUT_TCP_FIN: u16 = 5;
/// u32 host, seconds. (`linux/ip_vs.h:341`)
pub const IPVS_CMD_ATTR_TIMEOUT_UDP: u16 = 6;

// Attributes of a service.

/// u16 host, AF_INET or AF_INET6; needed with a mark too. (`linux/ip_vs.h:354`)
pub const IPVS_SVC_ATTR_AF: u16 = 1;
/// u16 host, IANA number, not validated. (`linux/ip_vs.h:355`)
pub const IPVS_SVC_ATTR_PROTOCOL: u16 = 2;
/// 4 or 16 bytes network; answers have 16, IPv4 padded with zeros behind. (`linux/ip_vs.h:356`)
pub const IPVS_SVC_ATTR_ADDR: u16 = 3;
/// u16 network; 0 is every port. (`linux/ip_vs.h:357`)
pub const IPVS_SVC_ATTR_PORT: u16 = 4;
/// u32 host; instead of PROTOCOL, ADDR and PORT. (`linux/ip_vs.h:358`)
pub const IPVS_SVC_ATTR_FWMARK: u16 = 5;
/// String with NUL, at most 15 bytes before it. (`linux/ip_vs.h:360`)
pub const IPVS_SVC_ATTR_SCHED_NAME: u16 = 6;
/// Two u32 host: flags, and the mask of those meant. (`linux/ip_vs.h:361`)
pub const IPVS_SVC_ATTR_FLAGS: u16 = 7;
/// u32 host, seconds of persistence. (`linux/ip_vs.h:362`)
pub const IPVS_SVC_ATTR_TIMEOUT: u16 = 8;
/// IPv4: u32 network, a mask. IPv6: u32 host, a prefix length 1..128. Needed always. (`linux/ip_vs.h:363`)
pub const IPVS_SVC_ATTR_NETMASK: u16 = 9;
/// Nested IPVS_STATS_ATTR_*, 32 bits but for bytes; answer only. (`linux/ip_vs.h:365`)
pub const IPVS_SVC_ATTR_STATS: u16 = 10;
/// String with NUL, at most 15 bytes before it; absent when there is none. (`linux/ip_vs.h:367`)
pub const IPVS_SVC_ATTR_PE_NAME: u16 = 11;
/// Nested IPVS_STATS_ATTR_*, all 64 bits; answer only, Linux 4.1. (`linux/ip_vs.h:369`)
pub const IPVS_SVC_ATTR_STATS64: u16 = 12;

// Attributes of a server.

/// 4 or 16 bytes network; answers have 16. (`linux/ip_vs.h:383`)
pub const IPVS_DEST_ATTR_ADDR: u16 = 1;
/// u16 network. (`linux/ip_vs.h:384`)
pub const IPVS_DEST_ATTR_PORT: u16 = 2;
/// u32 host, IP_VS_CONN_F_FWD_MASK of it. (`linux/ip_vs.h:386`)
pub const IPVS_DEST_ATTR_FWD_METHOD: u16 = 3;
/// u32 host, 0..2^31-1. (`linux/ip_vs.h:387`)
pub const IPVS_DEST_ATTR_WEIGHT: u16 = 4;
/// u32 host, connections; 0 is no limit. (`linux/ip_vs.h:389`)
pub const IPVS_DEST_ATTR_U_THRESH: u16 = 5;
/// u32 host, connections, at most U_THRESH. (`linux/ip_vs.h:390`)
pub const IPVS_DEST_ATTR_L_THRESH: u16 = 6;
/// u32 host, live; answer only. (`linux/ip_vs.h:392`)
pub const IPVS_DEST_ATTR_ACTIVE_CONNS: u16 = 7;
/// u32 host, live; answer only. (`linux/ip_vs.h:393`)
pub const IPVS_DEST_ATTR_INACT_CONNS: u16 = 8;
/// u32 host, live; answer only. (`linux/ip_vs.h:394`)
pub const IPVS_DEST_ATTR_PERSIST_CONNS: u16 = 9;
/// Nested IPVS_STATS_ATTR_*; answer only. (`linux/ip_vs.h:396`)
pub const IPVS_DEST_ATTR_STATS: u16 = 10;
/// u16 host, the service's when absent; Linux 3.18. (`linux/ip_vs.h:398`)
pub const IPVS_DEST_ATTR_ADDR_FAMILY: u16 = 11;
/// Nested IPVS_STATS_ATTR_*; answer only. (`linux/ip_vs.h:400`)
pub const IPVS_DEST_ATTR_STATS64: u16 = 12;
/// u8, Linux 5.2. (`linux/ip_vs.h:402`)
pub const IPVS_DEST_ATTR_TUN_TYPE: u16 = 13;
/// u16 network, GUE needs one. (`linux/ip_vs.h:404`)
pub const IPVS_DEST_ATTR_TUN_PORT: u16 = 14;
/// u16 host, IP_VS_TUNNEL_ENCAP_FLAG_*, Linux 5.3. (`linux/ip_vs.h:406`)
pub const IPVS_DEST_ATTR_TUN_FLAGS: u16 = 15;

// Attributes of a sync daemon.

/// u32 host, IP_VS_STATE_*. (`linux/ip_vs.h:420`)
pub const IPVS_DAEMON_ATTR_STATE: u16 = 1;
/// String with NUL, at most 15 bytes before it. (`linux/ip_vs.h:421`)
pub const IPVS_DAEMON_ATTR_MCAST_IFN: u16 = 2;
/// u32 host. (`linux/ip_vs.h:422`)
pub const IPVS_DAEMON_ATTR_SYNC_ID: u16 = 3;
/// u16 host, bytes of payload; 0 lets the kernel choose. This and the rest since Linux 4.3. (`linux/ip_vs.h:423`)
pub const IPVS_DAEMON_ATTR_SYNC_MAXLEN: u16 = 4;
/// 4 bytes network. (`linux/ip_vs.h:424`)
pub const IPVS_DAEMON_ATTR_MCAST_GROUP: u16 = 5;
/// 16 bytes network. (`linux/ip_vs.h:425`)
pub const IPVS_DAEMON_ATTR_MCAST_GROUP6: u16 = 6;
/// u16 **host**, unlike every other port here. (`linux/ip_vs.h:426`)
pub const IPVS_DAEMON_ATTR_MCAST_PORT: u16 = 7;
/// u8. (`linux/ip_vs.h:427`)
pub const IPVS_DAEMON_ATTR_MCAST_TTL: u16 = 8;

// Counters and rates. In *_STATS bytes are u64 host and the rest u32 host, in *_STATS64 all are u64 host.

/// Connections. (`linux/ip_vs.h:441`)
pub const IPVS_STATS_ATTR_CONNS: u16 = 1;
/// Packets in. (`linux/ip_vs.h:442`)
pub const IPVS_STATS_ATTR_INPKTS: u16 = 2;
/// Packets out. (`linux/ip_vs.h:443`)
pub const IPVS_STATS_ATTR_OUTPKTS: u16 = 3;
/// Bytes in. (`linux/ip_vs.h:444`)
pub const IPVS_STATS_ATTR_INBYTES: u16 = 4;
/// Bytes out. (`linux/ip_vs.h:445`)
pub const IPVS_STATS_ATTR_OUTBYTES: u16 = 5;
/// Connections per second. (`linux/ip_vs.h:447`)
pub const IPVS_STATS_ATTR_CPS: u16 = 6;
/// Packets in per second. (`linux/ip_vs.h:448`)
pub const IPVS_STATS_ATTR_INPPS: u16 = 7;
/// Packets out per second. (`linux/ip_vs.h:449`)
pub const IPVS_STATS_ATTR_OUTPPS: u16 = 8;
/// **Bytes** in per second. (`linux/ip_vs.h:450`)
pub const IPVS_STATS_ATTR_INBPS: u16 = 9;
/// **Bytes** out per second. (`linux/ip_vs.h:451`)
pub const IPVS_STATS_ATTR_OUTBPS: u16 = 10;
/// Nothing: aligns the next one on some machines. (`linux/ip_vs.h:452`)
pub const IPVS_STATS_ATTR_PAD: u16 = 11;

// Answer of GET_INFO.

/// u32 host, 0x010201 is 1.2.1. (`linux/ip_vs.h:461`)
pub const IPVS_INFO_ATTR_VERSION: u16 = 1;
/// u32 host, slots; 0 before the first service on Linux 7. (`linux/ip_vs.h:462`)
pub const IPVS_INFO_ATTR_CONN_TAB_SIZE: u16 = 2;

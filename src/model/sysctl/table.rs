//! The settings themselves. Sources: Documentation/networking/ipvs-sysctl.rst and ip-sysctl.rst, and `vs_vars` in
//! net/netfilter/ipvs/ip_vs_ctl.c, of Linux 6.1 to 7.2.

use super::Sysctl;
use super::Values::{self, Switch};

const fn of(
    name: &'static str,
    values: Values,
    default: &'static str,
    unit: &'static str,
    doc: &'static str,
    cost: &'static str,
) -> Sysctl {
    Sysctl { name, values, default, unit, since: "", doc, cost }
}

const fn since(mut sysctl: Sysctl, release: &'static str) -> Sysctl {
    sysctl.since = release;
    sysctl
}

const COUNT: Values = Values::Range(0, i32::MAX as i64);
const LEVEL: Values = Values::Range(0, 3);

/// All of `net.ipv4.vs.*`, then those of IPv4 that decide whether direct routing and marks work; sorted within both.
pub static SYSCTLS: &[Sysctl] = &[
    of(
        "am_droprate",
        COUNT,
        "10",
        "packets",
        "In mode 3 of drop_packet: one of so many packets is dropped.",
        "Smaller drops more.",
    ),
    of(
        "amemthresh",
        COUNT,
        "1024",
        "pages",
        "Free memory below which modes 1 and 2 of drop_entry, drop_packet and secure_tcp begin to defend.",
        "Too high and a healthy director drops connections; too low and it defends too late.",
    ),
    of(
        "backup_only",
        Switch,
        "0",
        "",
        "1: while only a backup sync daemon runs, this director schedules nothing, so that it can be a real server of the \
         other one.",
        "With 1 a backup whose peer died passes packets to its own sockets until the daemon is stopped.",
    ),
    of(
        "cache_bypass",
        Switch,
        "0",
        "",
        "1: packets that no server can take are sent on to their own destination, for transparent caches.",
        "Clients then bypass the service instead of being refused.",
    ),
    since(
        of(
            "conn_lfactor",
            Values::Range(-8, 8),
            "-4",
            "powers of 2",
            "How full the connection table gets before it grows.",
            "Lower is faster to look up and takes more memory.",
        ),
        "7.2",
    ),
    since(
        of(
            "conn_max",
            COUNT,
            "",
            "connections",
            "Most entries of the connection table.",
            "At the limit new connections are dropped; each entry takes about 300 bytes.",
        ),
        "7.2",
    ),
    of(
        "conn_reuse_mode",
        Values::Range(0, 3),
        "1",
        "",
        "When a client uses a port again: 0 keeps the old entry and its server; bit 1 schedules anew where the old \
         connection is over (TIME_WAIT, CLOSE); bit 2 in FIN_WAIT too, where those of direct routing and tunnels are for \
         two minutes.",
        "0 sends clients with few ports to a drained or removed server for as long as they go on; 1 cost a second per \
         reused port together with conntrack before Linux 5.9.",
    ),
    of(
        "conntrack",
        Switch,
        "0",
        "",
        "1: packets of IPVS have entries of nf_conntrack too, so that filters and NAT rules see them.",
        "Needed for NAT behind one interface; each packet costs more, and a second table has to be large enough.",
    ),
    of(
        "debug_level",
        Values::Range(0, 12),
        "0",
        "",
        "How much the kernel logs; only in kernels built with IP_VS_DEBUG.",
        "Above 0 packets are logged, which is slow.",
    ),
    of(
        "drop_entry",
        LEVEL,
        "0",
        "mode",
        "Drops half-open connections at random: 0 never, 1 while memory is short, 2 the same and running now, 3 always.",
        "Against SYN floods; some of those who are dropped are clients.",
    ),
    of(
        "drop_packet",
        LEVEL,
        "0",
        "mode",
        "Drops one of several packets: 0 never, 1 while memory is short, 2 the same and running now, 3 always (am_droprate).",
        "Every client sees the loss.",
    ),
    since(
        of(
            "est_cpulist",
            Values::Processors,
            "",
            "",
            "Processors that add up the counters.",
            "Few processors with many servers: counters and rates come late.",
        ),
        "6.2",
    ),
    since(
        of(
            "est_nice",
            Values::Range(-20, 19),
            "0",
            "nice",
            "Priority of the threads that add up the counters.",
            "Higher numbers leave more for packets, and counters come later under load.",
        ),
        "6.2",
    ),
    of(
        "expire_nodest_conn",
        Switch,
        "0",
        "",
        "1: when a server is removed its connections and templates end at once; 0: their packets are dropped without a word \
         until the timer ends, and go on if the server comes back.",
        "1 resets clients of a server that is removed by mistake or for a moment; 0 lets them hang.",
    ),
    of(
        "expire_quiescent_template",
        Switch,
        "0",
        "",
        "1: a client whose persistent server has weight 0 is scheduled anew at its next connection.",
        "With 0 known clients keep coming to a server that is drained, as long as their persistence lasts; with 1 they \
         lose what their session had there.",
    ),
    of(
        "ignore_tunneled",
        Switch,
        "0",
        "",
        "1: packets that came out of a tunnel are not scheduled.",
        "Needed where directors send to each other by tunnel; services behind a tunnel are not reached then.",
    ),
    of(
        "nat_icmp_send",
        Switch,
        "0",
        "",
        "1: packets of a NAT server that belong to no connection are answered with ICMP.",
        "The server gives up sooner; a scanner learns more.",
    ),
    of(
        "pmtu_disc",
        Switch,
        "1",
        "",
        "1: packets too long for a tunnel are answered with ICMP; 0: they are fragmented.",
        "0 hides broken path MTU discovery and costs fragments.",
    ),
    of(
        "run_estimation",
        Switch,
        "1",
        "",
        "0: counters and rates stand still; active and inactive connections go on.",
        "0 saves a timer over all servers; lvsh stats and schedulers by traffic see nothing new.",
    ),
    of(
        "schedule_icmp",
        Switch,
        "0",
        "",
        "1: ICMP errors without a connection are scheduled too, for directors in a row.",
        "Only useful behind another balancer (ECMP, DSR).",
    ),
    of(
        "secure_tcp",
        LEVEL,
        "0",
        "mode",
        "Shorter TCP timeouts: 0 never, 1 while memory is short, 2 the same and running now, 3 always.",
        "Slow clients lose their connections.",
    ),
    of(
        "sloppy_sctp",
        Switch,
        "0",
        "",
        "1: any SCTP packet makes an entry, not only the first of a connection.",
        "As sloppy_tcp.",
    ),
    of(
        "sloppy_tcp",
        Switch,
        "0",
        "",
        "1: any TCP packet makes an entry, not only SYN: a second director takes over connections it never saw.",
        "Only with a scheduler that chooses the same server (sh, mh); else connections break, and stray packets make \
         entries.",
    ),
    of(
        "snat_reroute",
        Switch,
        "1",
        "",
        "1: answers of NAT servers are routed again, as sent from the virtual address.",
        "0 saves a look-up per packet where routing does not depend on the source.",
    ),
    since(
        of(
            "svc_lfactor",
            Values::Range(-8, 8),
            "-3",
            "powers of 2",
            "How full the service table gets before it grows.",
            "Lower is faster to look up and takes more memory.",
        ),
        "7.2",
    ),
    of(
        "sync_persist_mode",
        Switch,
        "0",
        "",
        "1: only templates are sent to the backup, not the connections they decide.",
        "Far less to send; at a takeover clients keep their server and lose their connections.",
    ),
    of(
        "sync_ports",
        Values::Power(1, 64),
        "1",
        "threads",
        "Sockets and threads of a sync daemon, from its port on; both sides alike.",
        "More carry more connections per second and take a thread each.",
    ),
    of(
        "sync_qlen_max",
        COUNT,
        "",
        "messages",
        "Messages a master keeps before it drops some.",
        "Larger rides out bursts and takes memory; smaller loses entries on the backup.",
    ),
    of(
        "sync_refresh_period",
        COUNT,
        "0",
        "seconds",
        "An entry is sent again only when its timer changed by this much; 0: by packets (sync_threshold).",
        "Longer sends less, and the backup's entries may end too early.",
    ),
    of(
        "sync_retries",
        LEVEL,
        "0",
        "times",
        "How often an entry is sent again within sync_refresh_period.",
        "Against loss; sends more.",
    ),
    of(
        "sync_sock_size",
        COUNT,
        "0",
        "bytes",
        "Socket buffer of a sync daemon; 0 is the system's default.",
        "Too small loses messages in bursts.",
    ),
    of(
        "sync_threshold",
        Values::Pair,
        "3 50",
        "packets",
        "A connection is sent after the first number of packets, and after every second number then.",
        "Lower sends short connections too; higher and a takeover breaks more of them.",
    ),
    of(
        "sync_version",
        Values::Range(0, 1),
        "1",
        "",
        "Format of messages: 0 is that of Linux before 2.6.39, without IPv6 and the rest.",
        "0 only while an old backup listens.",
    ),
    of(
        "net.ipv4.conf.*.accept_local",
        Switch,
        "0",
        "",
        "1: packets may come from an address that is this machine's own too.",
        "A director that has the address itself needs 1 to hear the answers of direct routing, as checks with via = \"vip\" do; \
         1 lets in forged packets from its own addresses.",
    ),
    of(
        "net.ipv4.conf.*.arp_announce",
        Values::Range(0, 2),
        "0",
        "",
        "Which address a machine names as its own when it asks: 2 only one of the device.",
        "A real server with the virtual address on lo needs 2, or it draws the clients away from the director.",
    ),
    of(
        "net.ipv4.conf.*.arp_ignore",
        Values::Range(0, 8),
        "0",
        "",
        "Which questions for an address are answered: 1 only for addresses of the device that is asked.",
        "A real server with the virtual address on lo needs 1, or clients reach it past the director.",
    ),
    of(
        "net.ipv4.conf.*.rp_filter",
        Values::Range(0, 2),
        "0",
        "",
        "Whether packets must come by the way their answers go: 1 strictly, 2 by any device, 0 no.",
        "1 drops packets of tunnels and of marks that change the route; 0 lets forged sources in. The larger of 'all' and \
         the device counts.",
    ),
    of(
        "net.ipv4.conf.*.send_redirects",
        Switch,
        "1",
        "",
        "1: tells senders of a shorter way.",
        "On a NAT director with one interface 1 makes servers answer past it.",
    ),
    of(
        "net.ipv4.ip_forward",
        Switch,
        "0",
        "",
        "1: packets between other machines are passed on.",
        "NAT needs it for answers, direct routing does not; 1 makes the director a router for everyone.",
    ),
    of(
        "net.ipv4.ip_nonlocal_bind",
        Switch,
        "0",
        "",
        "1: programs may bind addresses that the machine does not have, as on a standby director.",
        "Mistyped addresses are no error then.",
    ),
];

//! Random command lines, good and bad: few services and servers, so that they meet; every option, and wrong values.

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const SERVICES: &[&str] = &[
    "-t 10.0.0.1:80",
    "-t 10.0.0.1:http",
    "-t10.0.0.1:443",
    "-t 10.0.0.3",
    "-u 10.0.0.1:53",
    "-u=10.0.0.1:domain",
    "--udp-service=10.0.0.2:0",
    "--sctp-service 10.0.0.2:9",
    "--tcp-service [fd00::1]:80",
    "-t [fd00::1]:80",
    "-t fd00::2",
    "-f 3",
    "-f 3 -6",
    "-f 4294967295",
    "-f 2147483648 -6",
];
const BAD_SERVICES: &[&str] = &[
    "-t 10.0.0.1:70000",
    "-t 10.0.0.300:80",
    "-t 80",
    "-t [fd00::1]",
    "-t [fd00::1:80",
    "-t [10.0.0.1]:80",
    "-t 10.1:80",
    "-t 0x0a000001:80",
    "-t 10.0.0.1:nosuch",
    "-t 10.0.0.1:",
    "-t :80",
    "-t fd00::1:80",
    "-f 0",
    "-f -3",
    "-f 0x3",
    "-f 4294967296",
    "-6 -f 3",
    "-t 10.0.0.1:80 -6",
    "-t 10.0.0.1:80 -u 10.0.0.1:53",
    "--sctp-service 10.0.0.1:http",
    "-t",
    "",
];
const OF_SERVICE: &[&str] = &[
    "-s rr",
    "-s wrr",
    "-swlc",
    "--scheduler=sh",
    "-s sh -b sh-fallback",
    "-s sh -b sh-port,flag-3",
    "-s mh -b mh-port",
    "-b flag-1,flag-2",
    "-b flag-3",
    "-p",
    "-p 50",
    "-p=600",
    "--persistent 2678400",
    "-M 255.255.255.0",
    "-M 64",
    "-M 255.0.255.0",
    "-o",
    "--ops",
    "--pe sip",
    "-p 30 -M 255.255.0.0",
];
const BAD_OF_SERVICE: &[&str] = &[
    "-s",
    "-s=",
    "-b sh-fallback",
    "-b nosuch",
    "-b mh-port -s sh",
    "-p 0",
    "-p 2678401",
    "-p x",
    "-p -5",
    "-M 0",
    "-M 129",
    "-M 300.1.1.1",
    "-w 1",
    "-r 10.1.0.1",
    "-n",
    "--pe",
    "-m",
    "-p 5 -p 6",
    "-s rr -s rr",
    "extra",
    "--sched rr",
    "-A",
    "-L",
    "--tun-type gue",
    "--ops=1",
    "-o=",
    "--rate",
    "-x 5",
];
const SERVERS: &[&str] = &[
    "-r 10.1.0.1",
    "-r 10.1.0.1:80",
    "-r 10.1.0.1:8080",
    "-r10.1.0.2:http",
    "-r 10.1.0.2:0",
    "-r [fd00::9]:80",
    "-r fd00::9",
    "--real-server=10.1.0.3:443",
    "-r 127.0.0.1",
];
const BAD_SERVERS: &[&str] = &[
    "-r 0.0.0.0",
    "-r 224.0.0.1",
    "-r 255.255.255.255",
    "-r [fd00::9]",
    "-r [fe80::1]:80",
    "-r 80",
    "-r",
    "",
    "-r 10.1.0.1:x",
    "-r ff02::1",
    "-r 10.1.0.1:65536",
];
const OF_SERVER: &[&str] = &[
    "-g",
    "-m",
    "-i",
    "-gw5",
    "--masquerading",
    "--ipip",
    "-w 0",
    "-w 100",
    "-w=65536",
    "--weight 7",
    "-x 100 -y 50",
    "-x 100",
    "-x 2147483647",
    "-i --tun-type ipip",
    "-i --tun-type gue --tun-port 6080",
    "-i --tun-type gue --tun-port 6080 --tun-csum",
    "-i --tun-type gue --tun-port 1 --tun-remcsum",
    "-i --tun-type gre --tun-csum",
    "-i --tun-type gre",
    "-i --tun-type=gre --tun-nocsum",
];
const BAD_OF_SERVER: &[&str] = &[
    "-w 2147483648",
    "-w -1",
    "-w x",
    "-w",
    "-y 50",
    "-x 5 -y 6",
    "-x -1",
    "-x 2147483648",
    "--tun-type gue -i",
    "--tun-type gre --tun-port 5 -i",
    "--tun-type vxlan -i",
    "--tun-port 0 -i",
    "--tun-csum",
    "-g -m",
    "-m -m",
    "--tun-type gre -i --tun-csum --tun-nocsum",
    "-s rr",
    "-p",
    "-n",
    "--tun-type gre --tun-remcsum -i",
    "--wieght 5",
    "-i --tun-type ipip --tun-csum",
];
const SETTINGS: &[&str] = &[
    "--set 600 60 120",
    "--set 0 0 0",
    "--set 0 5 0",
    "--set 1 2",
    "--set 1 2 3 4",
    "--set a 2 3",
    "--set 2678401 1 1",
    "--set -1 2 3",
    "--set= 1 2 3",
    "--set 1 2 3 -n",
    "--start-daemon master --mcast-interface d0",
    "--start-daemon backup --mcast-interface d0 --syncid 7",
    "--start-daemon=master --mcast-interface d0 --syncid 255 --mcast-group 224.0.0.99 --mcast-port 9000 --mcast-ttl 2",
    "--start-daemon backup --mcast-interface d0 --sync-maxlen 1400",
    "--start-daemon master",
    "--start-daemon slave",
    "--start-daemon",
    "--start-daemon master --syncid 256",
    "--start-daemon master --mcast-group 10.0.0.1",
    "--start-daemon master --mcast-port 0",
    "--start-daemon master --mcast-ttl 256",
    "--start-daemon master --sync-maxlen 65508",
    "--start-daemon master --mcast-interface nosuch",
    "--stop-daemon master",
    "--stop-daemon backup",
    "--stop-daemon both",
    "--stop-daemon master --syncid 7",
    "--stop-daemon master --mcast-interface d0",
];
const LISTS: &[&str] = &[
    "-Ln",
    "-L -n",
    "-ln",
    "-Sn",
    "--save --numeric",
    "--list -n --sort",
    "-Ln --stats",
    "-Ln --rate",
    "-Ln --exact --stats",
    "-Ln --thresholds",
    "-Ln --persistent-conn",
    "-Ln --tun-info",
    "-LnX --rate",
    "-Lnc",
    "-Lnc --persistent-conn",
    "-L --timeout",
    "-L --daemon",
    "-v",
    "-h",
    "-L",
    "-S",
    "-L -n --syncid 5",
    "-L --timeout --daemon",
    "-Lc --stats",
    "-L --daemon --persistent-conn",
    "-L -s rr",
    "-Sn --exact",
    "-L -n -n",
    "-L extra",
    "-L -t 10.0.0.1:80 -n -c",
];
const NONSENSE: &[&str] = &[
    "",
    "foo",
    "-",
    "--",
    "-n",
    "-z",
    "--nosuch",
    "-t 10.0.0.1:80",
    "-C -n",
    "-C extra",
    "-R extra",
    "-D",
    "-Z -n",
    "-d",
    "-AD -t 10.0.0.1:80",
    "--add-service",
    "--add",
    "-C -C",
    "-CZ",
    "-Z -f 3 -6 -6",
    "-c -L",
    "-6",
    "-C --",
    "-C=1",
    "--clear=1",
    "-Z -t 0.0.0.0",
    "-Z -t [::]:0",
];

/// What a sequence is about: three services, and whether a line was meant to make them.
struct Focus<'a>([(&'a str, bool); 3]);

/// The command lines of a sequence: most of its services are there after a few.
pub fn sequence(random: &mut Random, length: usize) -> Vec<Vec<String>> {
    let mut focus = Focus([(); 3].map(|()| (random.pick(SERVICES), false)));
    (0..length).map(|place| command(random, &mut focus, place < 4)).collect()
}

fn command(random: &mut Random, focus: &mut Focus<'_>, begin: bool) -> Vec<String> {
    let bad = random.one_in(6);
    let verb = random.below(if begin { 31 } else { 100 });
    // Servers mostly where there is a service.
    let made = (31..80).contains(&verb) && !random.one_in(8);
    let places: Vec<usize> = (0..3).filter(|place| !made || focus.0[*place].1).collect();
    let place = places.get(random.below(places.len().max(1))).copied().unwrap_or(0);
    let (service, there) = &mut focus.0[place];
    let service = if bad && random.one_in(3) { random.pick(BAD_SERVICES) } else { *service };
    let line = match verb {
        0..31 => {
            let edit = *there != random.one_in(8);
            let verb = random.pick(if edit {
                &["-E", "-E", "--edit-service"]
            } else {
                &["-A", "-A", "--add-service"]
            });
            *there |= !bad;
            let mut parts = vec![service];
            for _ in 0..random.below(3) {
                parts.push(random.pick(OF_SERVICE));
            }
            if bad {
                parts.push(random.pick(BAD_OF_SERVICE));
            }
            joined(random, verb, parts)
        }
        31..74 => {
            let verb = random.pick(&["-a", "-a", "-a", "--add-server", "-e", "-e", "--edit-server"]);
            let server =
                if bad && random.one_in(2) { random.pick(BAD_SERVERS) } else { random.pick(SERVERS) };
            let mut parts = vec![service, server];
            for _ in 0..random.below(3) {
                parts.push(random.pick(OF_SERVER));
            }
            if bad && random.one_in(2) {
                parts.push(random.pick(BAD_OF_SERVER));
            }
            joined(random, verb, parts)
        }
        74..80 => joined(random, "-d", vec![service, random_server(bad)]),
        80..84 => {
            *there = false;
            format!("-D {service}")
        }
        84..86 => {
            focus.0.iter_mut().for_each(|(_, there)| *there = false);
            "-C".to_string()
        }
        86..88 => format!("-Z {service}"),
        88..92 => random.pick(SETTINGS).to_string(),
        92..94 => format!("-Ln {service}"),
        94..97 => random.pick(LISTS).to_string(),
        97..99 => random.pick(NONSENSE).to_string(),
        // Each of these has the kernel start modprobe, which is slow.
        _ if random.one_in(4) => format!("-A {service} {}", random.pick(&["-s nosuch", "--pe nosuch"])),
        _ => "-Z".to_string(),
    };
    line.split(' ').filter(|word| !word.is_empty()).map(str::to_string).collect()
}

fn random_server(bad: bool) -> &'static str {
    if bad { "-r 10.1.0.9" } else { "-r 10.1.0.1" }
}

/// Mostly in the usual order, sometimes in any.
fn joined(random: &mut Random, verb: &str, mut parts: Vec<&str>) -> String {
    if random.one_in(8) {
        for index in (1..parts.len()).rev() {
            parts.swap(index, random.below(index + 1));
        }
    }
    format!("{verb} {}", parts.join(" "))
}

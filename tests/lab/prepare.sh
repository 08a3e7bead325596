# Sourced by tests/run, tests/bench/run and examples/demo: what the lab needs on this machine is installed.

say() { echo "== $*" >&2; }

# Debian packages, each with a program of it.
packages=(
    qemu-system-x86:qemu-system-x86_64 busybox-static:busybox kmod:modprobe xz-utils:xz zstd:zstd binutils:strip
    iproute2:ip nftables:nft iptables:iptables ipvsadm:ipvsadm procps:sysctl curl:curl
    build-essential:cc groff-base:groff zsh:zsh fish:fish
)
missing=()
for entry in "${packages[@]}"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${entry#*:}" > /dev/null || missing+=("${entry%:*}")
done
if ((${#missing[@]})); then
    if ((EUID)); then
        echo "$0: install these first: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    say "installing ${missing[*]}"
    # Nothing of it is to start here.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get -qq update
    apt-get -qq install --no-install-recommends "${missing[@]}" > /dev/null
fi

[[ -f ${CARGO_HOME:-$HOME/.cargo}/env ]] && . "${CARGO_HOME:-$HOME/.cargo}/env"
if ! command -v cargo > /dev/null; then
    echo "$0: no cargo. Install Rust (https://rustup.rs), then run this again" >&2
    exit 1
fi

#!/usr/bin/env bash
# Checks that this machine has what Weir is built and tested with, and installs what is missing.
#
#   scripts/setup.sh              the compiler, the libraries, the tools that tests call
#   scripts/setup.sh build        the compiler and the libraries: all that building and running want
#   scripts/setup.sh libraries    the libraries only, for an image that brings the compiler
#
# With nothing missing it says nothing and is done in a few milliseconds, so every make target can call it.
set -euo pipefail

# What the product is linked against. Package.swift names the same libraries; docs/dependencies.md says what each is for.
libraries=(
    g++ pkg-config tzdata
    librdkafka-dev libsqlite3-dev libyaml-dev libmicrohttpd-dev libsimdjson-dev libzstd-dev zlib1g-dev
)
# What tests and counts call beside the product: promtool, valgrind, strip, sqlite3, zstd.
test_tools=(prometheus valgrind binutils sqlite3 zstd)

least_swift=6.2

say() { printf 'setup: %s\n' "$*"; }
complain() { printf 'setup: %s\n' "$*" >&2; }

check_swift() {
    local version
    if ! command -v swift >/dev/null; then
        complain "there is no Swift compiler on the PATH; Weir needs $least_swift or newer: https://www.swift.org/install"
        return 1
    fi
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    if [[ -z $version ]]; then
        complain "'swift --version' does not answer; Weir needs Swift $least_swift or newer: https://www.swift.org/install"
        return 1
    fi
    if [[ $(printf '%s\n' "$least_swift" "$version" | sort -V | head -n 1) != "$least_swift" ]]; then
        complain "Swift $version is too old; Weir needs $least_swift or newer: https://www.swift.org/install"
        return 1
    fi
}

# Without dpkg nothing can be installed here, but the libraries can still be looked for.
check_other_system() {
    local module absent=()
    for module in rdkafka sqlite3 yaml-0.1 libmicrohttpd libzstd zlib simdjson; do
        pkg-config --exists "$module" 2>/dev/null || absent+=("$module")
    done
    ((${#absent[@]} == 0)) && return 0
    complain "this is not a Debian system, and pkg-config does not find: ${absent[*]}"
    complain "install the development packages of these libraries (on Debian: ${libraries[*]})"
    return 1
}

missing_packages() {
    local wanted=("${libraries[@]}")
    if [[ $1 == all ]]; then
        wanted+=("${test_tools[@]}")
        # The test broker is a Java program; without one beside the package there is nothing to run Java for.
        if [[ -x ../shared/kafka/kafka ]] && ! command -v java >/dev/null; then
            wanted+=(default-jre-headless)
        fi
    fi
    # Newer releases provide some of these under another name, so what a package provides counts as well.
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
        awk -v wanted="${wanted[*]}" '
            $1 == "installed" { gsub(/,|\([^)]*\)/, " "); for (i = 2; i <= NF; i++) here[$i] = 1 }
            END { n = split(wanted, w, " "); for (i = 1; i <= n; i++) if (!(w[i] in here)) printf "%s ", w[i] }'
}

install_packages() {
    local missing=("$@") had_prometheus=no
    if ((EUID != 0)); then
        complain "these Debian packages are missing: ${missing[*]}"
        complain "run this once, then try again:"
        complain "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
        return 1
    fi
    [[ -x /usr/bin/promtool ]] && had_prometheus=yes
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    local install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
    if compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
        "${install[@]}" || { apt-get update -q && "${install[@]}"; }
    else
        apt-get update -q
        "${install[@]}"
    fi
    # Only promtool is wanted: a monitoring service that nobody asked for should not stay running.
    if [[ $had_prometheus == no && -d /run/systemd/system && " ${missing[*]} " == *" prometheus "* ]]; then
        systemctl disable --now prometheus.service && say "switched the prometheus service off again; tests call promtool only"
    fi
    say "installed ${missing[*]}"
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
part=${1:-all}
status=0
case $part in
all | build | libraries) ;;
*)
    complain "there is no part '$part'; known are all, build, libraries"
    exit 2
    ;;
esac
[[ $part == libraries ]] || check_swift || status=1
if command -v dpkg-query >/dev/null; then
    read -r -a missing <<<"$(missing_packages "$part")"
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}" || status=1
else
    check_other_system || status=1
fi
exit "$status"

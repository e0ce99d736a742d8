#!/usr/bin/env bash
# Weir as it was built here, with Debian 13's libraries: librdkafka 2.8, SQLite 3.46, glibc 2.41. They are put into a folder of their
# own (debootstrap, 250 MB), beside them what Debian 13 lacks (libsimdjson14) and what tests need of this machine (Swift's libraries, Java,
# the test broker), and whatever runs there sees that folder as its root. The folder and everything that was started in it are gone at the end.
#
#   scripts/other-librdkafka.sh                    the tests of the client, of whole runs and of kills, with it
#   scripts/other-librdkafka.sh COMMAND [ARG…]     any command, in the package's folder: .build/release/weir-bench group
#
# WEIR_OTHER_TESTS=REGEX   other tests than those
# WEIR_OTHER_ROOT=FOLDER   use this folder, fill it if it is empty, and keep it
# WEIR_OTHER_MIRROR=URL    another mirror than the first that apt uses here
# WEIR_TEST_LIMIT_SECONDS  the longest that the tests may take (3600)
#
# Where something is missing it says what and ends with 0: nothing was tested then, and nothing is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

release=trixie
packages=(
    librdkafka1 libsqlite3-0 libyaml-0-2 libmicrohttpd12t64 libzstd1 zlib1g libstdc++6 tzdata ca-certificates
    openssl libxml2 sqlite3 zstd
)
simdjson=libsimdjson.so.14
tests=${WEIR_OTHER_TESTS:-'KafkaTests|EndToEndTests|ChaosTests\.(VerifierTests|ScenarioTests)'}

skip() {
    echo "other-librdkafka: skipped: $*"
    exit 0
}
say() { echo "other-librdkafka: $*"; }

[[ $(uname -m) == x86_64 ]] || skip "it is written for x86_64"
((EUID == 0)) || skip "making a root and mounting into it wants to be root"
command -v debootstrap >/dev/null || skip "there is no debootstrap (apt-get install debootstrap)"
command -v java >/dev/null || skip "there is no java for the test broker (apt-get install default-jre-headless)"
command -v swift >/dev/null || skip "there is no swift on the PATH"
unshare --mount --pid --fork true 2>/dev/null || skip "the system does not give namespaces for mounts and processes"
json=$(ldconfig -p | awk -v name="$simdjson" '$1 == name && !found++ { print $NF }')
[[ -n $json ]] || skip "$simdjson is not installed here, and Debian 13 has no such version"
# The test broker lies beside the package or beside a folder above it.
beside=$PWD
until [[ -x $beside/shared/kafka/kafka ]]; do
    [[ $beside != / ]] || skip "there is no test broker at ../shared/kafka/kafka"
    beside=$(dirname "$beside")
done
mirror=${WEIR_OTHER_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | awk 'NR == 1')}
[[ -n $mirror ]] || skip "apt has no mirror (WEIR_OTHER_MIRROR=URL names one)"

root=${WEIR_OTHER_ROOT:-}
if [[ -z $root ]]; then
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/weir-$release-XXXXXX")
    trap 'rm -rf --one-file-system "$root" "$root.log"' EXIT
fi
mkdir -p "$root"
root=$(cd "$root" && pwd)
if [[ ! -e $root/usr/lib/x86_64-linux-gnu/librdkafka.so.1 ]]; then
    say "making a root of Debian $release in $root"
    included=$(IFS=,; echo "${packages[*]}")
    if ! debootstrap --variant=minbase --include="$included" "$release" "$root" "$mirror" >"$root.log" 2>&1; then
        tail -n 5 "$root.log" >&2
        rm -f "$root.log"
        skip "debootstrap got no $release from $mirror"
    fi
    rm -f "$root.log"
    cp "$json" "$root/usr/lib/x86_64-linux-gnu/$simdjson"
fi

swift_libraries=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")/lib/swift
JAVA=$(readlink -f "$(command -v java)")
java_home=$(dirname "$(dirname "$JAVA")")
export JAVA
shown=("$PWD" "$beside/shared" "$swift_libraries" "$java_home")
for folder in /etc/java-*-openjdk; do [[ ! -d $folder ]] || shown+=("$folder"); done

# inside COMMAND…: with a first process of its own, so that whatever it leaves running ends with it and what dies is buried.
inside() {
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -euc '
        root=$1 here=$2 count=$3
        shift 3
        show() { mkdir -p "$root$1" && mount --rbind "$1" "$root$1"; }
        show /dev
        mount -t proc proc "$root/proc"
        for ((; count > 0; count--)); do show "$1"; shift; done
        status=0
        chroot "$root" /bin/bash -c "cd \"\$0\" && exec \"\$@\"" "$here" "$@" || status=$?
        exit "$status"' inside "$root" "$PWD" "${#shown[@]}" "${shown[@]}" "$@"
}

if (($# > 0)); then
    inside "$@"
    exit
fi

swift build --build-tests
mkdir -p .build/tests
# Copies, so that whoever builds meanwhile changes nothing.
bundle=$root/opt/weir log=.build/tests/other-log.txt events=.build/tests/other-events.jsonl
mkdir -p "$bundle"
cp .build/debug/weir "$bundle/weir"
cp .build/debug/*PackageTests.xctest "$bundle/tests"
rm -f "$log" "$events"
say "$(inside /opt/weir/weir version)"
status=0
SWIFT_BACKTRACE=enable=no inside timeout --kill-after=10 "${WEIR_TEST_LIMIT_SECONDS:-3600}" /opt/weir/tests \
    --testing-library swift-testing --filter "$tests" --event-stream-output-path "$events" --event-stream-version 0 \
    >"$log" 2>&1 || status=$?
grep -E '^(✘|↳ )' "$log" || true
((status != 124 && status != 137)) || say "stopped: the tests ran for too long"
passed=0 failed=0 skipped=0
if [[ -s $events ]]; then
    while read -r kind a b c; do
        case $kind in
        lost) say "lost: $a $b: the process ended while it ran" ;;
        count) passed=$a failed=$b skipped=$c ;;
        esac
    done < <(awk -f scripts/count-tests.awk "$events")
fi
((status == 0 || failed > 0)) || failed=1
((passed + failed > 0)) || { say "no test ran"; failed=1; }
say "full output in $log"
if ((skipped > 0)); then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
((failed == 0))

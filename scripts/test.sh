#!/usr/bin/env bash
# Builds and runs the tests, and ends with one line: N passed, N failed[, N skipped].
#
#   scripts/test.sh [--filter StateTests]
#
# All tests run in two processes, side by side: those that mostly wait for brokers and processes, and those that compute. As many tests
# as there are cores run at once in each, and one that waits holds its place.
#
# The numbers come from swift-testing's event stream, not from its prose: a test in which the process died counts as
# failed, so do a build that fails and a run in which no test ran at all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

limit_seconds=${WEIR_TEST_LIMIT_SECONDS:-570}
out=.build/tests
mkdir -p "$out"
log=$out/log.txt events=$out/events.jsonl
rm -f "$events" "$events".*
: >"$log"
began=$EPOCHSECONDS

if ! swift build --build-tests; then
    echo "the tests do not build"
    echo "0 passed, 1 failed"
    exit 1
fi
built=$EPOCHSECONDS

# A crash is told with its stack, but the program that prints it must neither wait for a key nor outlive us.
export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-enable=yes,interactive=no,color=no,threads=crashed,images=none,registers=none,timeout=20s}

# part EVENTS ARGUMENTS: the built tests, or those that the arguments name.
part() {
    timeout --kill-after=10 "$limit_seconds" .build/debug/*PackageTests.xctest --testing-library swift-testing \
        --event-stream-output-path "$1" --event-stream-version 0 "${@:2}" &
}
all() {
    local code worst=0 run
    trap 'kill $(jobs -p) 2>/dev/null' TERM
    if (($# > 0)); then
        part "$events" "$@"
    else
        # Whole runs over files need no broker.
        files='(Command|Estimate|Files|HeldLog|Memory|Quarantine|Spill)Tests'
        waiting="^(KafkaTests\.|ChaosTests\.|EndToEndTests\.(?!$files))"
        part "$events.waiting" --filter "$waiting"
        part "$events.computing" --skip "$waiting"
    fi
    # That one was stopped for its time says more than that another found something.
    for run in $(jobs -p); do
        code=0
        wait "$run" || code=$?
        ((code <= worst)) || worst=$code
    done
    return "$worst"
}
# Into a file first: a crashed process's children may hold a pipe open for minutes.
all "$@" >>"$log" 2>&1 &
run=$!
trap 'kill "$run" 2>/dev/null || true' EXIT
# Shown: everything but the tests that start or pass. Such a message can go over several lines, if an argument does.
quieten() {
    local line inside=no
    while IFS= read -r line; do
        case $line in
        '◇'* | '✔'* | '['*/*'] '*) inside=yes ;;
        '✘'* | '➜'* | '━'* | '↳'* | '±'* | *'Fatal error'* | '*** '*) inside=no ;;
        esac
        if [[ $inside == yes ]]; then
            [[ $line != *. && $line != '['* ]] || inside=no
        else
            printf '%s\n' "$line"
        fi
    done
}
tail -n +1 -s 0.2 --pid="$run" -f "$log" | quieten || true
status=0
wait "$run" || status=$?
trap - EXIT
for half in "$events".*; do [[ ! -f $half ]] || cat "$half" >>"$events"; done

passed=0 failed=0 skipped=0
if [[ -s $events ]]; then
    while read -r kind a b c; do
        case $kind in
        slow) echo "slow: $a s  $b" ;;
        lost) echo "lost: $a $b: the process ended while it ran" ;;
        count) passed=$a failed=$b skipped=$c ;;
        esac
    done < <(awk -f scripts/count-tests.awk "$events")
fi
((status == 124 || status == 137)) && echo "stopped: the tests ran for more than $limit_seconds s"
if ((status != 0 && failed == 0)); then
    echo "the tests ended with $status without naming a failed test; its output is in $log"
    failed=1
elif ((passed + failed == 0)); then
    echo "no test ran"
    failed=1
fi
echo "built in $((built - began)) s, tests ran for $((EPOCHSECONDS - built)) s; full output in $log"
if ((skipped > 0)); then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
((failed == 0))

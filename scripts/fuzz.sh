#!/usr/bin/env bash
# Random input against what must hold for any input: conditions by Weir and by SQLite, bytes into the decoder, broken
# topology files. Ends at the first seed that fails, and names it.
#
#   scripts/fuzz.sh [--seconds N] [--from SEED]    rounds of 20 seeds until N seconds are over (60 unless given)
#   scripts/fuzz.sh --seeds FIRST[-LAST]           these seeds once
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    echo "fuzz: $1" >&2
    echo "usage: scripts/fuzz.sh [--seconds N] [--from SEED] | --seeds FIRST[-LAST] (1,000 seeds at most)" >&2
    exit 2
}
is_number() { [[ $1 =~ ^[0-9]{1,15}$ ]]; }

seconds=60 from='' seeds=''
while (($# > 0)); do
    (($# > 1)) || usage "$1 needs a value"
    case $1 in
    --seconds) is_number "$2" || usage "--seconds $2 is no number"; seconds=$2 ;;
    --from) is_number "$2" || usage "--from $2 is no number"; from=$2 ;;
    --seeds)
        [[ $2 =~ ^[0-9]{1,15}(-[0-9]{1,15})?$ ]] || usage "--seeds $2 is no range of seeds"
        seeds=$2
        ((10#${2#*-} >= 10#${2%-*} && 10#${2#*-} - 10#${2%-*} < 1000)) || usage "--seeds $2 is no range of 1 to 1,000 seeds"
        ;;
    *) usage "unknown argument $1" ;;
    esac
    shift 2
done

filter='DifferenceTests/everyDifferenceToSQLiteIsListed|DifferenceTests/aFileMeansWhatItsExpressionMeans'
filter+='|ValueTests|DecodeFuzzTests|MutationTests'
# A run without --from meets seeds that no run met before.
next=$((10#${from:-$EPOCHSECONDS}))
swift build --build-tests
log=.build/fuzz.log
rounds=0 began=$EPOCHSECONDS

round() {
    WEIR_FUZZ_SEEDS=$1 swift test --skip-build --disable-xctest --filter "$filter" >"$log" 2>&1 || {
        # A process that died has said so at the end.
        grep -vE '^(◇|✔)' "$log" | tail -n 60
        echo "fuzz: seeds $1 failed; again with: make fuzz ARGS='--seeds $1'; full output in $log"
        exit 1
    }
    grep -q 'with [1-9][0-9]* test' "$log" || { echo "fuzz: no test ran; see $log"; exit 1; }
    rounds=$((rounds + 1))
    echo "fuzz: seeds $1 passed, $((EPOCHSECONDS - began)) s"
}

if [[ -n $seeds ]]; then
    round "$seeds"
else
    while ((rounds == 0 || EPOCHSECONDS - began < seconds)); do
        round "$next-$((next + 19))"
        next=$((next + 20))
    done
fi
echo "fuzz: no finding; rounds: $rounds"

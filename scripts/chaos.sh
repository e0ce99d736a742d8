#!/usr/bin/env bash
# Everything that may die dies: kill -9 at random moments of long runs of the release binary from a broker and from files, then the
# tables of scenarios, crash points and deliberate mistakes on a cluster of three brokers. Rows and books must be exact in the end; the
# last lines are the table of figures. One failure ends nothing but its own scenario; the exit code tells of it in the end.
#
#   scripts/chaos.sh
#
# WEIR_CHAOS_ONLY=LIST    only scenarios and mutants whose names hold one of these texts, or are it (=NAME), with commas between
#                         them, and not the kills of single runs
# WEIR_CHAOS_SECONDS=N    another length of the scenarios
# WEIR_CHAOS_SEED=N       the seed that a table names, to repeat what happened
# WEIR_CHAOS_PARTS=LIST   of: single scenarios points mistakes (all unless said)
# WEIR_CHAOS_KEEP=FOLDER  logs and state of all instances are kept there
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

parts=" ${WEIR_CHAOS_PARTS:-single scenarios points mistakes} "
only=${WEIR_CHAOS_ONLY:-}
out=$PWD/.build/chaos
mkdir -p "$out"
table=$out/table.txt log=$out/log.txt
: >"$table"
: >"$log"
rm -f "$table".begun "$table".problems

# A binary that can be told to die or to be wrong must not be shipped.
release=${WEIR_BINARY:-$PWD/.build/release/weir}
for word in WEIR_CRASH_AT WEIR_MUTANT; do
    if grep -q "$word" "$release"; then
        echo "chaos: the release binary knows $word" >&2
        exit 1
    fi
done
swift build --build-tests
# Copies, so that whoever builds meanwhile changes nothing.
cp "$release" "$out/weir-release"
cp .build/debug/weir "$out/weir"
cp .build/debug/*PackageTests.xctest "$out/tests"
export WEIR_CHAOS=1 WEIR_CHAOS_GOES_ON=1 WEIR_CHAOS_TABLE=$table WEIR_BINARY=$out/weir-release WEIR_DEBUG_BINARY=$out/weir
[[ -z ${WEIR_CHAOS_KEEP:-} ]] || mkdir -p "$WEIR_CHAOS_KEEP"

status=0
began=$EPOCHSECONDS

# tests REGEX: runs tests; their words go to the log.
tests() {
    timeout --kill-after=10 "${WEIR_TEST_LIMIT_SECONDS:-14400}" "$out/tests" --testing-library swift-testing --filter "$1" >>"$log" 2>&1
}

# Scenarios, again with those that are left if the tests themselves die.
scenarios() {
    local turn name code
    for turn in {1..20}; do
        rm -f "$table.begun"
        code=0
        tests "$1" || code=$?
        ((code == 0)) && return
        status=1
        # 1 says that all have run.
        [[ $code -ne 1 && -f $table.begun ]] || return 0
        name=$(<"$table.begun")
        grep -q "^$name " "$table" && continue
        echo "$name  LOST: the tests ended while it ran" >>"$table"
        echo "chaos: the tests died in $name, turn $turn; going on" >&2
    done
}

[[ $parts != *" single "* || -n $only ]] || tests EndToEndTests.KillTests || status=1
[[ $parts != *" scenarios "* ]] || scenarios 'ChaosTests.ScenarioTests/rowsAndBooksAreExact\('
[[ $parts != *" points "* ]] || scenarios 'ChaosTests.ScenarioTests/aDeathAtAnyPointChangesNothing'
if [[ $parts == *" mistakes "* ]]; then
    scenarios 'ChaosTests.ScenarioTests/whatMustCatchMutantsIsExactWithoutThem'
    scenarios 'ChaosTests.ScenarioTests/everyMutantIsCaught'
    # Mistakes that tests without a broker catch.
    while read -r mutant suite; do
        [[ -z $only || $mutant == *"$only"* ]] || continue
        if WEIR_MUTANT=$mutant tests "$suite"; then
            echo "chaos: $suite passes with the mistake $mutant" >&2
            status=1
        else
            echo "mutant $mutant WRONG  caught by $suite" >>"$table"
        fi
    done <<'END'
state_past_end_kept StateTests.RestoreVerdictTests
hasty_replica PipelineTests.TimeLogTests
ends_ignored PipelineTests.MergeLaneTests
END
fi

echo
echo "scenario                        records    rows copies aborted kills pauses brokers starts rebal stall-ms  wall-s ends  result  seed"
grep -v '^mutant ' "$table" || true
awk '!/^mutant / { kills += $6; brokers += $8; aborted += $5; wrong += !/ exact /; runs++ }
    END { printf "%d scenarios, %d not exact, %d kills of instances, %d faults of brokers, %d aborted records\n", runs, wrong, kills, brokers, aborted }' "$table"
if grep -q '^mutant ' "$table"; then
    echo
    echo "mistakes, each of which has to be caught:"
    grep '^mutant ' "$table" | awk '{ caught += /WRONG/; name = $2; sub(/^.*  /, ""); printf "%-30s %s\n", name, $0 }
        END { printf "%d of %d caught\n", caught, NR }'
fi
if [[ -f $table.problems ]]; then
    echo
    cat "$table.problems"
fi
echo "took $((EPOCHSECONDS - began)) s; all words in $log"
if [[ $(wc -l <"$table") -eq 0 && $parts != " single " ]]; then
    echo "chaos: nothing ran" >&2
    status=1
fi
exit "$status"

#!/usr/bin/env bash
# Everything that may die dies: kill -9 at random moments of long runs of the release binary from a broker and from files, then the
# tables of scenarios, crash points and deliberate mistakes on a cluster of three brokers. Rows and books must be exact in the end; the
# last lines are the table of figures.
#
#   scripts/chaos.sh [arguments of swift test]
#
# WEIR_CHAOS_ONLY=TEXT    only scenarios and mutants whose names hold the text, and not the kills of single runs
# WEIR_CHAOS_SECONDS=N    another length of the scenarios
# WEIR_CHAOS_SEED=N       the seed that a table names, to repeat what happened
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p .build/tests
table=$PWD/.build/tests/chaos.txt
export WEIR_CHAOS=1 WEIR_BINARY="$PWD/.build/release/weir" WEIR_CHAOS_TABLE=$table
export WEIR_TEST_LIMIT_SECONDS=${WEIR_TEST_LIMIT_SECONDS:-10800}
: >"$table"

# A binary that can be told to die or to be wrong must not be shipped.
for word in WEIR_CRASH_AT WEIR_MUTANT; do
    if grep -q "$word" "$WEIR_BINARY"; then
        echo "chaos: the release binary knows $word" >&2
        exit 1
    fi
done

filters=(--filter ChaosTests)
[[ -n ${WEIR_CHAOS_ONLY:-} ]] || filters+=(--filter EndToEndTests.KillTests)
status=0
scripts/test.sh "${filters[@]}" "$@" || status=$?

# Mistakes that tests without a broker catch.
while read -r mutant suite; do
    [[ $mutant == *"${WEIR_CHAOS_ONLY:-}"* ]] || continue
    if WEIR_MUTANT=$mutant swift test --skip-build --disable-xctest --filter "$suite" >.build/tests/mutant.txt 2>&1; then
        echo "chaos: $suite passes with the mistake $mutant" >&2
        status=1
    else
        echo "mutant $mutant WRONG  caught by $suite" >>"$table"
    fi
done <<'END'
state_past_end_kept StateTests.RestoreVerdictTests
hasty_replica PipelineTests.TimeLogTests
END

echo
echo "scenario                        records    rows copies aborted kills pauses brokers starts rebal stall-ms  wall-s ends  result  seed"
grep -v '^mutant ' "$table" || true
awk '!/^mutant / { kills += $6; aborted += $5; wrong += /WRONG/; runs++ }
    END { printf "%d scenarios, %d not exact, %d kills, %d aborted records\n", runs, wrong, kills, aborted }' "$table"
if grep -q '^mutant ' "$table"; then
    echo
    echo "mistakes, each of which has to be caught:"
    grep '^mutant ' "$table" | awk '{ caught += /WRONG/; name = $2; sub(/^.*  /, ""); printf "%-30s %s\n", name, $0 }
        END { printf "%d of %d caught\n", caught, NR }'
fi
exit "$status"

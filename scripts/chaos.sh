#!/usr/bin/env bash
# kill -9 at random moments of long runs of the release binary, from a real broker and from files; tables and books must be
# exact in the end.
#
#   scripts/chaos.sh [arguments of swift test]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export WEIR_CHAOS=1 WEIR_BINARY="$PWD/.build/release/weir"
export WEIR_TEST_LIMIT_SECONDS=${WEIR_TEST_LIMIT_SECONDS:-1800}
exec scripts/test.sh --filter EndToEndTests.KillTests "$@"

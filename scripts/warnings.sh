#!/usr/bin/env bash
# Runs a command (a build) and fails if it fails or if anything in its output is a warning: the package's settings make
# Swift's own warnings errors, this catches those of the C++ compiler, the linker and the package manager.
set -euo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$@" 2>&1 | tee "$log"
if grep -n 'warning:' "$log" >&2; then
    printf '%s: the warnings above count as errors here\n' "$1" >&2
    exit 1
fi

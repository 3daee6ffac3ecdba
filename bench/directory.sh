#!/usr/bin/env bash
# Measures what a storm of log-ins through LDAP does to traffic, and writes bench/results/DATE-directory.md; then prints what a
# login costs the realm. Needs Debian's slapd and ldap-utils, util-linux (chrt, as root or with CAP_SYS_NICE), and a machine that
# does nothing else: the report tells what others took of the gateway's core, and has the slices without them by themselves. The
# data folder is in TMPDIR: on a disk each log-in waits for it, with TMPDIR=/dev/shm none does. Options go to `load directory`,
# e.g. bench/directory.sh --rounds 2 --logins 500.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release -p doorward -p load
cargo build --release -p realm-ldap --example cost
target="${CARGO_TARGET_DIR:-target}"
"$target/release/load" directory --doorward "$target/release/doorward" --rate 5000 --rounds 6 --seconds 3 "$@"
"$target/release/examples/cost" 10000

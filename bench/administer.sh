#!/usr/bin/env bash
# Measures decisions of the permissions and administration at a size (100,000 users, 1,000 roles, 1,000 keys, a million live
# sessions), and writes bench/results/DATE-decisions.md and DATE-administration.md. Nothing else should run meanwhile: the
# reports tell the load average. Options go to `load administer`, e.g. bench/administer.sh --rounds 2 --rate 5000.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release -p doorward -p load -p fill
target="${CARGO_TARGET_DIR:-target}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"$target/release/load" decide
"$target/release/fill" "$folder/data" "$folder/tokens" --sessions 1000000 --users 100000 --roles 1000 --keys 1000
"$target/release/load" administer --doorward "$target/release/doorward" \
    --data "$folder/data" --tokens "$folder/tokens" --users 100000 --rounds 4 --seconds 2 "$@"

#!/usr/bin/env bash
# Measures the gateway beside nginx and writes bench/results/DATE-*.md. Nothing else should run meanwhile: the
# reports show when something did ("waited for core"). Options go to `load compare`, e.g. bench/run.sh --rounds 4.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x /usr/sbin/nginx ]; then
    echo "install nginx: apt-get install nginx-light" >&2
    exit 1
fi
cargo build --release -p doorward -p load
target="${CARGO_TARGET_DIR:-target}"
"$target/release/load" compare --doorward "$target/release/doorward" "$@"
"$target/release/load" footprint --doorward "$target/release/doorward"

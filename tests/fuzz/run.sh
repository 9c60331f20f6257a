#!/usr/bin/env bash
# Runs fuzz targets over their kept corpus: run.sh FOLDER_OF_TARGETS [TARGET|all] [SECONDS EACH]
# What is found on the way stays in build/fuzz-found/TARGET; the kept corpus (tests/fuzz/corpus/TARGET) is read only.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
folder=$1
which=${2:-all}
seconds=${3:-60}
if [[ $which == --help || $which == -h ]]; then
    echo "usage: ./dev fuzz [TARGET|all] [SECONDS EACH]   targets: $(cd "$folder" && printf '%s ' fuzz_* | sed 's/fuzz_//g')"
    exit 0
fi
targets=("$folder/fuzz_$which")
[[ $which != all ]] || targets=("$folder"/fuzz_*)
status=0
for target in "${targets[@]}"; do
    [[ -x $target ]] || { echo "there is no fuzz target '$which' in $folder" >&2; exit 2; }
    name=${target##*/fuzz_}
    found=build/fuzz-found/$name
    mkdir -p "$found" "tests/fuzz/corpus/$name"
    echo "==> $name for $seconds s" >&2
    "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -artifact_prefix="$found/" \
        "$found" "tests/fuzz/corpus/$name" 2> "$found.log" || { status=1; tail -40 "$found.log" >&2; }
    grep -E 'number_of_executed_units|cov: ' "$found.log" | tail -2 >&2
done
exit $status

#!/usr/bin/env bash
# Fuzzes the parsers under AddressSanitizer and UBSan: `tools/fuzz.sh [SECONDS [TARGET...]]`, 60 seconds for each of
# all targets by default. Gets clang, builds tests/fuzz and runs the targets one after the other. What
# they learn goes to build-fuzz/corpus, what breaks a parser to build-fuzz/findings: make a seed of it in
# tests/fuzz/corpus/TARGET, then mend the parser. The exit status is 0 only without a finding.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
targets=("${@:2}")
if [ "${#targets[@]}" -eq 0 ]; then
  for file in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$file" _fuzz.cpp)"); done
fi

. tools/prepare.sh fuzz "$@"
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz

failed=0
printf '%-20s %12s %9s %9s  %s\n' target executions exec/s coverage result
for target in "${targets[@]}"; do
  learned=build-fuzz/corpus/$target findings=build-fuzz/findings/$target log=build-fuzz/$target.log
  mkdir -p "$learned" "$findings"
  result=clean
  # More than 10 s or 1 GiB at once for an input of at most 64 KiB is a finding too.
  VKGPT_FUZZ_TARGET=$target build-fuzz/vkgpt_fuzz -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -malloc_limit_mb=1024 -max_len=65536 -print_final_stats=1 -artifact_prefix="$findings/" "$learned" "tests/fuzz/corpus/$target" \
    >"$log" 2>&1 || { result="FINDING: see $log" failed=1; }
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  printf '%-20s %12s %9s %9s  %s\n' "$target" "${executions:-?}" "${rate:-?}" "${coverage:-?}" "$result"
done
exit "$failed"

#!/usr/bin/env bash
# Installs what the tests need, builds, and runs them: `tools/test.sh [fast|all|one FILTER|coverage|races|faults|tidy [FILE...]]`.
#   fast      tests labelled cpu and gpu, the gpu ones again under core+sync validation
#   all       fast, then each kernel once under GPU-assisted validation, those of kernels with vectors of 512 bits and on
#             SwiftShader, the slow tests, and the CPU tests under AddressSanitizer and UBSan (default)
#   one       builds what changed and runs the tests that FILTER names: `tools/test.sh one 'GpuCheck.norm/*'`
#   coverage  the share of lines that the tests labelled cpu and gpu run, by layer, and the kernels that they build
#   races     every kernel under the race detector of shared memory, once a week: see tools/races.sh
#   faults    short runs that lose the device at every call, one after the other: half an hour, before a release
#   tidy      clang-tidy over the files named, else over those that differ from origin/main
# The last line of fast and all is "N passed, N failed, N skipped"; the exit status is 0 only when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."
mode=${1:-all}
case $mode in
  fast | all | one | coverage | races | faults | tidy) ;;
  *) echo "test.sh: no mode '$mode': fast, all, one FILTER, coverage, races, faults or tidy" >&2; exit 2 ;;
esac
[ "$mode" != one ] || [ -n "${2:-}" ] || { echo "test.sh: one needs a filter, such as 'GpuCheck.norm/*'" >&2; exit 2; }
needs=test
[ "$mode" != tidy ] || needs=tidy
. tools/prepare.sh "$needs" "$@"
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0
failed=0
skipped=0

build() {  # preset
  cmake --preset "$1" >"$log/cmake" 2>&1 || { cat "$log/cmake" >&2; return 1; }
  cmake --build --preset "$1" --parallel "$(nproc)" >"$log/build" 2>&1 || { tail -n 60 "$log/build" >&2; return 1; }
}

# Adds the counts of one run of the test binary, its tests in six parts of which two run at a time: a part of long tests
# keeps no other waiting. A crash counts as one failure.
run_suite() {  # title binary filter [VARIABLE=value...]
  local title=$1 binary=$2 filter=$3
  shift 3
  count_suite "$title" 6 env "$@" "$binary" --gtest_filter="$filter"
}
count_suite() {  # title parts command...
  local title=$1 count=$2 start=$SECONDS i p s f suite_p=0 suite_s=0 suite_f=0
  shift 2
  for ((i = 0; i < count; ++i)); do
    [ "$i" -lt 2 ] || wait -n
    (GTEST_TOTAL_SHARDS=$count GTEST_SHARD_INDEX=$i "$@" --gtest_color=no >"$log/suite.$i" 2>&1
      echo $? >"$log/status.$i") &
  done
  wait
  for ((i = 0; i < count; ++i)); do
    p=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests\{0,1\}\.$/\1/p' "$log/suite.$i" | tail -n 1)
    s=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) tests\{0,1\}, listed below:$/\1/p' "$log/suite.$i" | tail -n 1)
    f=$(sed -n 's/^ *\([0-9]*\) FAILED TESTS\{0,1\}$/\1/p' "$log/suite.$i" | tail -n 1)
    p=${p:-0} s=${s:-0} f=${f:-0}
    [ "$(cat "$log/status.$i")" != 0 ] && [ "$f" -eq 0 ] && f=1
    suite_p=$((suite_p + p)) suite_s=$((suite_s + s)) suite_f=$((suite_f + f))
  done
  [ "$suite_p" -eq 0 ] && [ "$suite_f" -eq 0 ] && suite_f=1  # a suite that runs nothing is a failure
  passed=$((passed + suite_p)) failed=$((failed + suite_f)) skipped=$((skipped + suite_s))
  printf '%-44s %5d passed %3d failed %3d skipped  %4d s\n' "$title" "$suite_p" "$suite_f" "$suite_s" $((SECONDS - start))
  if [ "$suite_f" -gt 0 ]; then
    for ((i = 0; i < count; ++i)); do failures_in "$log/suite.$i"; done | tee -a "$log/failures"
  fi
  for ((i = 0; i < count; ++i)); do sed -n '/: Skipped$/{n;s/^/  skipped: /p}' "$log/suite.$i"; done | sort -u
}

# The last lines of each test that failed, or of the suite where it did not reach its end.
failures_in() {  # log
  awk 'function show(i) {for (i = n > 60 ? n - 60 : 0; i < n; ++i) print lines[i]}
       /^\[ RUN      \]/ {n = 0}
       {lines[n++] = substr($0, 1, 1000)}
       /^\[  FAILED  \] .*ms\)$/ {show()}
       /^\[==========\] .* ran\./ {ended = 1}
       END {if (!ended) show()}' "$1"
}

check() {  # title command...
  local title=$1
  shift
  if "$@" >"$log/check" 2>&1; then
    passed=$((passed + 1))
    printf '%-44s ok\n' "$title"
  else
    failed=$((failed + 1))
    printf '%-44s FAILED\n' "$title" | tee -a "$log/failures"
    tail -n 40 "$log/check" | tee -a "$log/failures"
  fi
}

# The reference driver, so that results do not depend on the machine's cards; VKGPT_DEVICE overrides it.
export VKGPT_DEVICE=${VKGPT_DEVICE:-llvmpipe} VKGPT_EXPECT_DRIVER=${VKGPT_EXPECT_DRIVER:-llvmpipe}
# Suites with parameters are called INSTANTIATION/SUITE.
gpu='Gpu*:*/Gpu*'
cpu="-$gpu:Slow*"

# The suites of some folders, as a filter.
suites_of() {  # folder...
  grep -rhoE '^TEST(_[PF])?\(Gpu[A-Za-z0-9]*' "$@" | sed 's/.*(//' | sort -u | sed 's,.*,&.*:*/&.*,' | paste -sd:
}

run_coverage() {
  build coverage || return 1
  find build-coverage -name '*.gcda' -delete
  export VKGPT_TEST_KERNELS=$PWD/build-coverage/kernels
  rm -f "$VKGPT_TEST_KERNELS"
  run_suite "cpu" build-coverage/vkgpt_tests "$cpu"
  run_suite "gpu" build-coverage/vkgpt_tests "$gpu"
  tools/coverage.sh build-coverage
}

run_tidy() {  # [file...]
  local files=("$@")
  cmake --preset release -B build-tidy -D VKGPT_UNITY=OFF >"$log/cmake" 2>&1 || { cat "$log/cmake" >&2; return 1; }
  if [ "${#files[@]}" -eq 0 ]; then
    mapfile -t files < <(git diff --name-only --diff-filter=d origin/main -- 'src/*.cpp' 'tests/*.cpp')
  fi
  [ "${#files[@]}" -gt 0 ] || { echo "test.sh: no file differs from origin/main"; return 0; }
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 -p build-tidy --quiet --warnings-as-errors='*'
}

case $mode in
  one)
    cmake --preset release >"$log/cmake" 2>&1 || { cat "$log/cmake" >&2; exit 1; }
    cmake --build --preset release --parallel "$(nproc)" --target vkgpt_tests >"$log/build" 2>&1 ||
      { tail -n 60 "$log/build" >&2; exit 1; }
    build/vkgpt_tests --gtest_filter="$2" | tee "$log/suite"
    [ "${PIPESTATUS[0]}" -eq 0 ] && ! grep -q '^\[==========\] Running 0 tests' "$log/suite"
    exit
    ;;
  coverage) run_coverage; exit ;;
  races)
    build ci || exit 2
    tools/races.sh build-ci/vkgpt_tests
    exit
    ;;
  faults)
    build ci || exit 2
    VKGPT_FAULTS=all build-ci/vkgpt_tests --gtest_filter='GpuDeviceFaults.*'
    exit
    ;;
  tidy) run_tidy "${@:2}"; exit ;;
esac

build ci || { echo "0 passed, 1 failed"; exit 1; }
tests=build-ci/vkgpt_tests
check "clang-format" bash -c 'find src include tests -name "*.?pp" -print0 | xargs -0 clang-format --dry-run -Werror'
run_suite "cpu" "$tests" "$cpu"
run_suite "gpu" "$tests" "$gpu"
run_suite "gpu, core and synchronization validation" "$tests" "$gpu" VKGPT_VALIDATION=sync
if [ "$mode" = all ]; then
  # Instrumented pipelines are slow to build and to run: each kernel in its own tests, one whole step, and LLVM without
  # its optimizations, with which a kernel of matrices takes minutes.
  run_suite "gpu kernels, GPU-assisted validation" "$tests" \
    "GpuCheck.*:$(suites_of tests/vk tests/check):GpuReplay.Replayed*" VKGPT_VALIDATION=gpu GALLIVM_PERF=nopt
  if grep -q avx512f /proc/cpuinfo; then
    run_suite "gpu kernels, vectors of 512 bits" "$tests" "GpuCheck.*:GpuReplay.*" LP_NATIVE_VECTOR_WIDTH=512
  fi
  tools/swiftshader.sh "$tests" --gtest_list_tests >"$log/swiftshader" 2>&1 || cat "$log/swiftshader"  # fetches it
  count_suite "gpu kernels, SwiftShader" 6 tools/swiftshader.sh "$tests"
  count_suite "slow" 1 "$tests" --gtest_filter='Slow*'
  if build asan; then
    run_suite "cpu, address and undefined sanitizers" build-asan/vkgpt_tests "$cpu"
  else
    failed=$((failed + 1))
  fi
fi

if [ -s "$log/failures" ]; then
  echo "failed:"
  grep -A 8 -E 'FAILED|: Failure$' "$log/failures" | cut -c 1-300 | tail -n 60
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]

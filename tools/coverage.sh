#!/usr/bin/env bash
# Prints what a run of instrumented tests covered: `tools/coverage.sh BUILD_FOLDER`, after `tools/test.sh coverage` built
# and ran them. Lines by layer, then the kernels of shaders/ whose pipelines the tests built (BUILD_FOLDER/kernels).
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${1:?coverage: name the build folder}")

# gcov's text names a file, then gives each line as "count:number:text"; a header appears once for each object. A compiler
# cache may have made the names relative to the build folder.
root=$PWD
find "$build" -name '*.gcda' -print0 |
  (cd "$build" && xargs -0 -n 32 gcov --stdout --relative-only --source-prefix "$root" 2>/dev/null) |
  awk -F: '
    $2 ~ /^ *0$/ && $3 == "Source" { file = $4; sub(/^(\.\.\/)*/, "", file); next }
    file !~ /^(src|include\/vkgpt)\// { next }
    $1 ~ /-$/ { next }
    {
      line = file ":" $2
      hit = $1 !~ /[#=]/
      if (!(line in seen)) { split(file, part, "/"); layer[line] = part[1] == "src" ? part[2] : part[3] == "vkgpt.hpp" ? "api" : part[3] }
      seen[line] = seen[line] || hit
    }
    END {
      for (line in seen) { total[layer[line]]++; covered[layer[line]] += seen[line] }
      for (name in total) {
        printf "1 %-8s %6d of %6d lines  %5.1f %%\n", name, covered[name], total[name], 100 * covered[name] / total[name]
        all += total[name]; some += covered[name]
      }
      if (all > 0) printf "2 %-8s %6d of %6d lines  %5.1f %%\n", "all", some, all, 100 * some / all
    }' | sort | cut -c 3-

kernels=$build/kernels
[ -s "$kernels" ] || { echo "coverage: the tests wrote no $kernels" >&2; exit 1; }
all=$(find shaders -maxdepth 1 -name '*.comp' -printf '%f\n' | sed 's/\.comp$//' | sort)
missing=$(comm -23 <(printf '%s\n' "$all") <(sort -u "$kernels"))
count=$(printf '%s\n' "$all" | wc -l)
without=$(printf '%s' "$missing" | grep -c . || true)
echo "kernels  $((count - without)) of $count built by the tests${missing:+; never: $(paste -sd ' ' <<<"$missing")}"

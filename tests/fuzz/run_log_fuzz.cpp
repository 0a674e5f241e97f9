#include "fuzz/fuzz_target.hpp"
#include "serve/run_log_reader.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(run_log) {
  write_input("metrics.jsonl", input);
  serve::RunLogReader reader(directory());
  while (reader.read(1 << 16) > 0) {
  }
  for (const auto& [key, series] : reader.series()) serve::thinned(series, 0, 10, 4);
}

}  // namespace vkgpt::fuzz

#include "vkgpt/model/llmc_file.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(llmc_model) {
  model::read_llmc_model(write_input("model.bin", input));
}

}  // namespace vkgpt::fuzz

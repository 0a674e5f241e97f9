#include "vkgpt/model/weight_files.hpp"

#include "fuzz/fuzz_target.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(safetensors_index) {
  // One tensor each, so that an index can name them.
  static const std::string kShards[] = {
      std::string("\x38\0\0\0\0\0\0\0", 8) + R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})" +
          "  1234",
      std::string("\x38\0\0\0\0\0\0\0", 8) + R"({"b":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})" +
          "  1234"};
  write_input("shard-1.safetensors", kShards[0]);
  write_input("shard-2.safetensors", kShards[1]);
  write_input("indexed.safetensors.index.json", input);
  const model::WeightFiles files(directory(), "indexed.safetensors");
  for (const std::string_view name : files.names()) files.find(name);
}

}  // namespace vkgpt::fuzz

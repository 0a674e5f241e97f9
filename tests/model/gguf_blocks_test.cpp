// Blocks of a GGUF file go to the device as they lie in it.

#include "model/gguf_blocks.hpp"

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/model/decode_plan.hpp"
#include "vkgpt/model/gguf_file.hpp"
#include "vkgpt/model/gguf_model.hpp"
#include "vkgpt/model/held_weights.hpp"
#include "vkgpt/model/param_source.hpp"
#include "vkgpt/text/generate/decoder.hpp"

#include "gpu_context.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"
#include "support/tiny_config.hpp"

namespace vkgpt::model {
namespace {

struct Planes {
  std::vector<std::uint32_t> quants, scales;
};

TEST(GgufBlocks, StandForTheSameNumbers) {
  const GgufFile file(test::source_dir() / "tests/golden/quants.gguf");
  int types = 0;
  for (const GgufTensorInfo& tensor : file.tensors()) {
    const auto type = ggml_block_type(tensor.type);
    if (!type) continue;
    const auto count = static_cast<std::size_t>(tensor.shape.numel());
    std::vector<float> expected(count), values(count);
    file.read(tensor, expected);
    std::vector<std::byte> bytes(tensor.bytes);
    file.read_bytes(tensor, 0, bytes);
    const BlockFormat& format = block_format(*type);
    Planes planes{std::vector<std::uint32_t>(format.quant_words(count)),
                  std::vector<std::uint32_t>(format.scale_words(count))};
    place_ggml_blocks(*type, bytes, 0, planes.quants, planes.scales);
    decode_blocks(*type, planes.quants, planes.scales, values);
    EXPECT_EQ(values, expected) << tensor.name;
    ++types;
  }
  EXPECT_EQ(types, 2);
}

/// A file in Q8_0 one of whose blocks our own quantization would not give: five times 1.
void write_model(const Path& path, const GptConfig& config) {
  LoadedModel model{GptParams(config), {}};
  model.arena = initial_parameters(model.params, 5);
  {
    OutputFile file(path);
    write_gguf_model(file, model, TensorEncoding::kQ8_0,
                     {.name = "x", .vocabulary = {}, .vocabulary_rows = config.vocab_size});
    file.finish();
  }
  const std::uint64_t at = GgufFile(path).find("blk.0.ffn_down.weight")->offset;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  std::string block = std::string("\x00\x3c", 2) + std::string(32, '\x05');
  file.write(block.data(), static_cast<std::streamsize>(block.size()));
}

TEST(GpuGgufBlocks, GoToTheDeviceAsTheyLie) {
  const TempDirectory temp;
  GptConfig config = test::tiny_llama_config();
  config.n_inner = 64;
  write_model(temp / "m.gguf", config);
  const auto source = open_params(temp / "m.gguf");
  const GptParams params(config);
  plan::TensorStore store(test::shared_context());
  const DecodeOptions options = decode_options("q8_0", 1);
  text::Decoder decoder(test::shared_context(), store, params, options);
  upload_decode_params(store, params, *source, options);

  const GgufFile file(temp / "m.gguf");
  const GgufTensorInfo& tensor = *file.find("blk.0.ffn_down.weight");
  std::vector<std::byte> bytes(tensor.bytes);
  file.read_bytes(tensor, 0, bytes);
  const std::size_t blocks = bytes.size() / 34;
  const std::string name = block_tensor("h.0.mlp.c_proj.weight");
  std::vector<std::byte> quants(blocks * 32), scales(blocks * 2);
  store.download(name, quants);
  store.download(name + ".scales", scales);
  for (std::size_t block = 0; block < blocks; ++block) {
    ASSERT_EQ(std::memcmp(quants.data() + block * 32, bytes.data() + block * 34 + 2, 32), 0) << block;
    ASSERT_EQ(std::memcmp(scales.data() + block * 2, bytes.data() + block * 34, 2), 0) << block;
  }
  EXPECT_EQ(quants[31], std::byte{5});

  // Rows that llama.cpp permutes, of three tensors, are the blocks of their numbers in our order.
  const ParamSpec& spec = params.find("h.1.attn.c_attn.weight");
  const auto count = static_cast<std::size_t>(spec.numel());
  std::vector<float> values(count);
  source->read(spec, 0, spec.shape[0], values);
  Planes wanted{std::vector<std::uint32_t>(count / 4), std::vector<std::uint32_t>(count / 64)};
  Planes found = wanted;
  encode_blocks(BlockType::kQ8_0, values, wanted.quants, wanted.scales);
  ASSERT_TRUE(source->read_blocks(spec, BlockType::kQ8_0, 0, spec.shape[0], found.quants, found.scales));
  EXPECT_EQ(found.quants, wanted.quants);
  EXPECT_EQ(found.scales, wanted.scales);
  EXPECT_FALSE(source->read_blocks(spec, BlockType::kQ4_0, 0, spec.shape[0], found.quants, found.scales));
}

}  // namespace
}  // namespace vkgpt::model

#include "vkgpt/model/llmc_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/half.hpp"

#include "support/expect_error.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

using Header = std::array<std::int32_t, 256>;

GptConfig small_config() {
  GptConfig config;
  config.vocab_size = 29;
  config.n_layer = 2;
  config.n_head = 2;
  config.n_embd = 32;
  config.block_size = 16;
  return config;
}

LoadedModel initial_model(const GptConfig& config) {
  LoadedModel model{GptParams(config), {}};
  model.arena = initial_parameters(model.params, 7);
  return model;
}

void write_model(const Path& path, const LoadedModel& model, TensorEncoding encoding) {
  OutputFile file(path);
  write_llmc_model(file, model, encoding);
  file.finish();
}

std::string written(const LoadedModel& model, TensorEncoding encoding) {
  const TempDirectory temp;
  write_model(temp / "x.bin", model, encoding);
  return read_file(temp / "x.bin");
}

float float_at(const std::string& bytes, std::size_t index) {
  float value = 0;
  std::memcpy(&value, bytes.data() + sizeof(Header) + 4 * index, 4);
  return value;
}

TEST(LlmcFile, WritesTheHeaderAndTheTensorsInOrder) {
  LoadedModel model = initial_model(small_config());
  // Every tensor says which it is: 100 times its place in the file, and the layer.
  int place = 0;
  for (const char* name :
       {"wte.weight", "wpe.weight", "h.*.ln_1.weight", "h.*.ln_1.bias", "h.*.attn.c_attn.weight",
        "h.*.attn.c_attn.bias", "h.*.attn.c_proj.weight", "h.*.attn.c_proj.bias", "h.*.ln_2.weight",
        "h.*.ln_2.bias", "h.*.mlp.c_fc.weight", "h.*.mlp.c_fc.bias", "h.*.mlp.c_proj.weight",
        "h.*.mlp.c_proj.bias", "ln_f.weight", "ln_f.bias"}) {
    for (int layer = 0; layer < 2; ++layer) {
      std::string parameter = name;
      if (const auto star = parameter.find('*'); star != std::string::npos) {
        parameter.replace(star, 1, std::to_string(layer));
      } else if (layer > 0) {
        continue;
      }
      const ParamSpec& spec = model.params.find(parameter);
      std::fill_n(model.arena.begin() + spec.offset, spec.unpadded_shape.numel(),
                  static_cast<float>(100 * place + layer));
    }
    ++place;
  }
  const std::string bytes = written(model, TensorEncoding::kF32);
  Header header{};
  std::memcpy(header.data(), bytes.data(), sizeof(header));
  const std::vector<std::int32_t> expected = {20240326, 3, 16, 29, 2, 2, 32, 128};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), header.begin()));
  EXPECT_TRUE(std::all_of(header.begin() + 8, header.end(), [](std::int32_t word) { return word == 0; }));

  std::size_t at = 0;
  const auto expect_run = [&](float value, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i, ++at) ASSERT_EQ(float_at(bytes, at), value) << at;
  };
  expect_run(0, 29 * 32);
  expect_run(0, 99 * 32);  // padding
  expect_run(100, 16 * 32);
  const std::vector<std::size_t> block_sizes = {32, 32, 96 * 32,  96,  32 * 32,  32,
                                                32, 32, 128 * 32, 128, 32 * 128, 32};
  for (std::size_t i = 0; i < block_sizes.size(); ++i) {
    expect_run(static_cast<float>(100 * (i + 2)), block_sizes[i]);
    expect_run(static_cast<float>(100 * (i + 2) + 1), block_sizes[i]);
  }
  expect_run(1400, 32);
  expect_run(1500, 32);
  EXPECT_EQ(bytes.size(), sizeof(Header) + 4 * at);
}

TEST(LlmcFile, RoundTrips) {
  const TempDirectory temp;
  const LoadedModel model = initial_model(small_config());
  write_model(temp / "f32.bin", model, TensorEncoding::kF32);
  const LoadedModel back = read_llmc_model(temp / "f32.bin");
  EXPECT_EQ(back.params.config(), model.params.config());
  EXPECT_EQ(back.arena, model.arena);

  write_model(temp / "bf16.bin", model, TensorEncoding::kBF16);
  const LoadedModel rounded = read_llmc_model(temp / "bf16.bin");
  ASSERT_EQ(rounded.arena.size(), model.arena.size());
  for (std::size_t i = 0; i < model.arena.size(); ++i) {
    ASSERT_EQ(rounded.arena[i], bf16_to_float(float_to_bf16(model.arena[i]))) << i;
  }
}

TEST(LlmcFile, RefusesModelsThatItCannotHold) {
  const std::vector<std::pair<std::function<void(GptConfig&)>, std::string>> cases = {
      {[](GptConfig& c) { c.norm = "rmsnorm"; }, "norm = rmsnorm"},
      {[](GptConfig& c) { c.mlp = "gelu_erf"; }, "mlp = gelu_erf"},
      {[](GptConfig& c) { c.pos_encoding = "rope"; }, "pos_encoding = rope"},
      {[](GptConfig& c) { c.n_kv_head = 1; }, "n_kv_head = 1"},
      {[](GptConfig& c) { c.n_inner = 96; }, "n_inner = 96"},
      {[](GptConfig& c) { c.attention_window = 4; }, "attention_window"},
      {[](GptConfig& c) { c.qk_norm = true; }, "qk_norm"},
      {[](GptConfig& c) { c.parallel_blocks = true; }, "parallel_blocks"},
      {[](GptConfig& c) { c.bias = false; }, "bias = false"},
      {[](GptConfig& c) { c.tie_weights = false; }, "tie_weights = false"},
      {[](GptConfig& c) { c.logit_softcap = 30; }, "logit_softcap"},
      {[](GptConfig& c) { c.layer_norm_eps = 1e-6; }, "layer_norm_eps = 1e-06"},
  };
  for (const auto& [change, part] : cases) {
    GptConfig config = small_config();
    change(config);
    expect_error([&] { written(initial_model(config), TensorEncoding::kF32); }, "this model has " + part);
  }
}

TEST(LlmcFile, RefusesMalformedFiles) {
  const TempDirectory temp;
  const Path path = temp / "model.bin";
  const std::string valid = written(initial_model(small_config()), TensorEncoding::kF32);
  const auto expect_refusal = [&](const std::string& bytes, const std::string& part) {
    write_file(path, bytes);
    const std::string text = expect_error([&] { read_llmc_model(path); }, part);
    EXPECT_TRUE(text.starts_with(path.string())) << text;
  };
  const auto with = [&](std::size_t field, std::int32_t value) {
    std::string bytes = valid;
    std::memcpy(bytes.data() + 4 * field, &value, 4);
    return bytes;
  };
  write_file(path, valid);
  EXPECT_NO_THROW(read_llmc_model(path));
  expect_refusal("", "too short");
  expect_refusal(valid.substr(0, 1023), "too short");
  expect_refusal(valid.substr(0, 1024), "it is truncated or damaged");
  expect_refusal(valid.substr(0, valid.size() - 1), "it is truncated or damaged");
  expect_refusal(valid + '\0', "it is truncated or damaged");
  expect_refusal(with(0, 20240327), "does not begin with 20240326");
  expect_refusal(with(1, 4), "version 4");
  expect_refusal(with(1, 5), "it is truncated or damaged");
  for (std::size_t field = 2; field < 8; ++field) {
    for (const std::int32_t value : {0, -1, INT32_MIN, INT32_MAX}) {
      expect_refusal(with(field, value), "is allowed");
    }
  }
  expect_refusal(with(2, 1 << 20), "it is truncated or damaged");
  expect_refusal(with(3, 129), "smaller than its vocabulary of 129");
  expect_refusal(with(4, 1024), "it is truncated or damaged");
  expect_refusal(with(5, 3), "not a multiple of n_head");
}

}  // namespace
}  // namespace vkgpt::model

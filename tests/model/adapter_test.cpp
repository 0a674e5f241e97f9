#include "vkgpt/model/adapter.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/json.hpp"
#include "vkgpt/model/adapter_config.hpp"
#include "vkgpt/model/adapter_files.hpp"
#include "vkgpt/model/base_directory.hpp"
#include "vkgpt/model/gguf_adapter.hpp"
#include "vkgpt/model/gguf_file.hpp"
#include "vkgpt/model/gguf_writer.hpp"
#include "vkgpt/model/model_directory.hpp"
#include "vkgpt/model/safetensors.hpp"

#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::model {
namespace {

Path golden() {
  return test::source_dir() / "tests/golden/base_llama";
}

struct Factor {
  Shape shape;
  std::vector<float> values;
};

/// A directory of adapters with these tensors, whose names begin after "base_model.model.".
void write_adapter(const Path& directory, const Json& config, const std::map<std::string, Factor>& factors) {
  write_file(directory / kAdapterConfigFile, config.dump());
  std::map<std::string, Factor> whole;
  std::vector<SafetensorsTensor> tensors;
  for (const auto& [name, factor] : factors) {
    whole["base_model.model." + name] = factor;
    tensors.push_back({"base_model.model." + name, DType::kF32, factor.shape});
  }
  OutputFile file(directory / kAdapterWeightsFile);
  write_safetensors(file, std::move(tensors),
                    [&](const SafetensorsTensor& tensor, const SafetensorsSink& sink) {
                      sink(std::as_bytes(std::span(whole.at(tensor.name).values)));
                    });
  file.finish();
}

Factor random_factor(Shape shape, int seed) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((i * 37 + static_cast<std::size_t>(seed) * 11) % 17) / 8 - 1;
  }
  return {std::move(shape), std::move(values)};
}

TEST(Adapter, MergesAsTrainingDoes) {
  const LoadedModel base = load_model(golden());
  const GptParams& params = base.params;
  const Adapter adapter = read_adapter(golden() / "adapter", params);
  EXPECT_EQ(adapter.rank, 4);
  EXPECT_EQ(adapter.scale, 2);
  EXPECT_EQ(adapter.parts.size(), 2 * 7);
  std::vector<float> merged = base.arena;
  merge_adapter(adapter, params, merged);
  EXPECT_NE(merged, base.arena);

  const GptParams adapted(params.config(), read_adaptation(golden() / "adapter", TensorLayout::kLlama));
  std::vector<float> arena = rearrange(params, base.arena, adapted);
  read_adapter_parameters(golden() / "adapter", adapted, arena);
  merge_adapters(adapted, arena);
  EXPECT_EQ(rearrange(adapted, arena, params), merged);

  const auto source = adapted_params(open_params(golden()), adapter);
  const ParamSpec& spec = params.find("h.1.attn.c_attn.weight");
  std::vector<float> rows(static_cast<std::size_t>(50 * spec.shape.back()));
  source->read(spec, 40, 50, rows);
  const auto expected =
      std::span(merged).subspan(static_cast<std::size_t>(spec.offset + 40 * spec.shape.back()), rows.size());
  EXPECT_TRUE(std::ranges::equal(rows, expected)) << "rows of q and of k";
}

/// PEFT trains an A for each projection, and often only some of them.
TEST(Adapter, MayHaveSomeProjectionsWithFactorsOfTheirOwn) {
  const TempDirectory temp;
  const LoadedModel base = load_model(golden());
  const std::int64_t C = 64;
  const std::string q = "model.layers.1.self_attn.q_proj", v = "model.layers.1.self_attn.v_proj";
  write_adapter(temp.path(),
                {{"peft_type", "LORA"},
                 {"r", 4},
                 {"lora_alpha", 8},
                 {"use_rslora", true},
                 {"target_modules", {"q_proj", "v_proj"}}},
                {{q + ".lora_A.weight", random_factor({4, C}, 1)},
                 {q + ".lora_B.weight", random_factor({64, 4}, 2)},
                 {v + ".lora_A.weight", random_factor({4, C}, 3)},
                 {v + ".lora_B.weight", random_factor({32, 4}, 4)}});
  const Adapter adapter = read_adapter(temp.path(), base.params);
  EXPECT_EQ(adapter.scale, 4) << "8 / sqrt(4)";
  ASSERT_EQ(adapter.parts.size(), 2U);
  EXPECT_EQ(adapter.parts[1].first_row, 64 + 32);
  std::vector<float> merged = base.arena;
  merge_adapter(adapter, base.params, merged);
  const ParamSpec& spec = base.params.find("h.1.attn.c_attn.weight");
  for (const std::int64_t row : {0, 63, 64, 95, 96, 127}) {
    const auto at = static_cast<std::size_t>(spec.offset + row * C + 5);
    const AdapterPart& part = adapter.parts[row < 64 ? 0 : 1];
    double sum = 0;
    for (std::size_t r = 0; r < 4 && (row < 64 || row >= 96); ++r) {
      sum +=
          double{part.b[static_cast<std::size_t>(row - part.first_row) * 4 + r]} * double{part.a[r * 64 + 5]};
    }
    EXPECT_EQ(merged[at], static_cast<float>(base.arena[at] + 4 * sum)) << row;
  }
}

TEST(Adapter, WhatDoesNotFitIsRefusedInOneLine) {
  const TempDirectory temp;
  const GptParams params(read_model_config(golden()));
  const Path directory = temp / "adapter";
  std::filesystem::copy(golden() / "adapter", directory);
  const Json config = read_json_file(directory / kAdapterConfigFile);
  const auto refuse = [&](const Json& change, const std::string& part) {
    Json changed = config;
    changed.update(change);
    write_file(directory / kAdapterConfigFile, changed.dump());
    expect_error([&] { read_adapter(directory, params); }, part);
  };
  refuse({{"r", 8}}, "has the shape (4, 64), but r is 8 in adapter_config.json");
  refuse({{"target_modules", {"q_proj", "lm_head"}}}, "target_modules has \"lm_head\", of which");
  refuse({{"target_modules", Json::array()}}, "r or target_modules is empty");
  refuse({{"use_dora", true}}, "use_dora is not supported");
  refuse({{"alpha_pattern", {{"q_proj", 2}}}}, "alpha_pattern is not supported");
  refuse({{"modules_to_save", {"lm_head"}}}, "modules_to_save is not supported");
  refuse({{"alora_invocation_tokens", {1, 2}}}, "alora_invocation_tokens is not supported");
  refuse({{"arrow_config", {{"top_k", 3}}}}, "arrow_config is not supported");
  refuse({{"layer_replication", {{0, 2}, {1, 2}}}}, "layer_replication is not supported");
  refuse({{"bias", "all"}}, "bias is \"all\", only");
  refuse({{"peft_type", "IA3"}}, "peft_type is \"IA3\", only LORA is supported");
  for (const char* kind : {"pissa", "pissa_niter_4", "PiSSA", "olora", "loftq", "corda"}) {
    refuse({{"init_lora_weights", kind}}, "init_lora_weights is \"" + std::string(kind) + "\", for which");
  }
  for (const Json& kind : {Json(true), Json(false), Json("gaussian"), Json("orthogonal"), Json("eva")}) {
    Json changed = config;
    changed["init_lora_weights"] = kind;
    write_file(directory / kAdapterConfigFile, changed.dump());
    EXPECT_EQ(read_adapter(directory, params).parts.size(), 14U) << kind;
  }
  write_file(directory / kAdapterConfigFile, config.dump());
  GptConfig other = params.config();
  other.n_embd = 128;
  other.n_head = 8;
  expect_error([&] { read_adapter(directory, GptParams(other)); },
               "were these adapters trained on another model?");
  other = params.config();
  other.n_layer = 1;
  expect_error([&] { read_adapter(directory, GptParams(other)); },
               "has no place in this model (there are 14 such)");
  std::filesystem::remove(directory / kAdapterWeightsFile);
  expect_error([&] { read_adapter(directory, params); }, "adapter_model.safetensors");
}

/// PEFT takes lists of targets that name modules of other kinds of models, and leaves out what it is told to.
TEST(Adapter, MayHaveTargetsWithoutTensors) {
  const TempDirectory temp;
  const GptParams params(read_model_config(golden()));
  const std::string q = "model.layers.1.self_attn.q_proj";
  const auto read = [&](const Json& targets, const Json& excluded) {
    write_adapter(temp.path(),
                  {{"r", 4}, {"lora_alpha", 8}, {"target_modules", targets}, {"exclude_modules", excluded}},
                  {{q + ".lora_A.weight", random_factor({4, 64}, 1)},
                   {q + ".lora_B.weight", random_factor({64, 4}, 2)}});
    return read_adapter(temp.path(), params).parts.size();
  };
  EXPECT_EQ(read({"q_proj", "c_attn", "query_key_value"}, nullptr), 1U);
  EXPECT_EQ(read({"q_proj", "k_proj"}, {"self_attn.k_proj"}), 1U);
  EXPECT_EQ(read({"q_proj", "k_proj"}, ".*k_proj"), 1U);
  expect_error([&] { read({"q_proj", "k_proj"}, Json::array()); }, "target_modules has \"k_proj\", of which");
  expect_error([&] { read({"q_proj", "k_proj"}, {"model.layers.0.self_attn.k_proj"}); },
               "\"k_proj\", of which");
  expect_error([&] { read({"q_proj", "k_proj"}, {3}); }, "exclude_modules is not a list of names");
}

TEST(Adapter, LacksNoHalfOfAPair) {
  const TempDirectory temp;
  const GptParams params(read_model_config(golden()));
  write_adapter(temp.path(), {{"r", 4}, {"lora_alpha", 8}, {"target_modules", {"down_proj"}}},
                {{"model.layers.0.mlp.down_proj.lora_A.weight", random_factor({4, 64}, 1)}});
  expect_error([&] { read_adapter(temp.path(), params); }, "down_proj.lora_B.weight\" is missing");
}

TEST(Adapter, IsWrittenAsLlamaCppReadsIt) {
  const TempDirectory temp;
  const GptParams params(read_model_config(golden()));
  const Adapter adapter = read_adapter(golden() / "adapter", params);
  {
    OutputFile out(temp / "a.gguf");
    EXPECT_EQ(write_gguf_adapter(out, adapter, params, "a"), "llama");
    out.finish();
  }
  const GgufFile file(temp / "a.gguf");
  EXPECT_EQ(file.get<std::string>("general.type"), "adapter");
  EXPECT_EQ(file.get<std::string>("adapter.type"), "lora");
  EXPECT_EQ(file.get<std::string>("general.architecture"), "llama");
  EXPECT_EQ(file.get<double>("adapter.lora.alpha"), 8);
  EXPECT_EQ(file.tensors().size(), 2U * 14);
  const GgufTensorInfo* a = file.find("blk.1.attn_k.weight.lora_a");
  const GgufTensorInfo* b = file.find("blk.1.attn_k.weight.lora_b");
  ASSERT_TRUE(a != nullptr && b != nullptr);
  EXPECT_EQ(a->shape, (Shape{4, 64}));
  EXPECT_EQ(b->shape, (Shape{32, 4}));
  const auto part = std::ranges::find_if(adapter.parts, [](const AdapterPart& each) {
    return each.param == "h.1.attn.c_attn.weight" && each.first_row == 64;
  });
  std::vector<float> values(4 * 64);
  file.read(*a, values);
  EXPECT_EQ(values, part->a);
  values.resize(32 * 4);
  file.read(*b, values);
  // The second row of a head of 16 is the first of its other half.
  EXPECT_TRUE(std::ranges::equal(std::span(values).subspan(4, 4), std::span(part->b).subspan(8 * 4, 4)));

  const Adapter again = open_adapter(temp / "a.gguf", params);
  EXPECT_EQ(again.rank, adapter.rank);
  EXPECT_EQ(again.scale, adapter.scale);
  ASSERT_EQ(again.parts.size(), adapter.parts.size());
  for (const AdapterPart& each : adapter.parts) {
    const auto found = std::ranges::find_if(again.parts, [&](const AdapterPart& other) {
      return other.param == each.param && other.first_row == each.first_row;
    });
    ASSERT_NE(found, again.parts.end()) << each.param;
    EXPECT_EQ(found->rows, each.rows);
    EXPECT_EQ(found->a, each.a) << each.param;
    EXPECT_EQ(found->b, each.b) << each.param;
  }
}

/// A GGUF file with these entries and tensors of ones.
void write_ones(const Path& path, const std::vector<GgufEntry>& metadata,
                const std::vector<GgufTensor>& tensors) {
  OutputFile file(path);
  write_gguf(file, metadata, tensors, [&](std::size_t i, const ByteSink& sink) {
    const std::vector<float> ones(static_cast<std::size_t>(tensors[i].shape.numel()), 1.0F);
    encode_tensor(tensors[i].name, ones, tensors[i].encoding, sink);
  });
  file.finish();
}

TEST(GgufAdapter, WhatDoesNotFitIsRefusedInOneLine) {
  const TempDirectory temp;
  const GptParams params(read_model_config(golden()));
  const Path path = temp / "a.gguf";
  const std::string q = "blk.0.attn_q.weight.lora_", down = "blk.1.ffn_down.weight.lora_";
  const std::int64_t inner = params.config().inner_width();
  const std::vector<GgufEntry> kind = {{"general.type", std::string("adapter")},
                                       {"adapter.type", std::string("lora")},
                                       {"general.architecture", std::string("llama")},
                                       {"adapter.lora.alpha", 8.0F}};
  const std::vector<GgufTensor> good = {
      {.name = q + "a", .encoding = TensorEncoding::kF16, .shape = {4, 64}},
      {.name = q + "b", .encoding = TensorEncoding::kF32, .shape = {64, 4}}};
  write_ones(path, kind, good);
  const Adapter adapter = read_gguf_adapter(path, params);
  EXPECT_EQ(adapter.scale, 2);
  ASSERT_EQ(adapter.parts.size(), 1U);
  EXPECT_EQ(adapter.parts[0].a[63], 1);

  const auto refuse = [&](std::vector<GgufEntry> metadata, const std::vector<GgufTensor>& tensors,
                          const std::string& part) {
    write_ones(path, metadata, tensors);
    expect_error([&] { read_gguf_adapter(path, params); }, part);
  };
  const auto with = [&](std::size_t i, GgufValue value) {
    std::vector<GgufEntry> changed = kind;
    changed[i].value = std::move(value);
    return changed;
  };
  refuse(with(0, std::string("model")), good, "it holds no LoRA adapters");
  refuse(with(1, std::string("ia3")), good, "it holds no LoRA adapters");
  refuse(with(2, std::string("gemma2")), good, "these adapters are of \"gemma2\", the model is of llama");
  refuse(with(3, std::numeric_limits<float>::infinity()), good, "adapter.lora.alpha is inf");
  refuse(with(3, std::string("8")), good, "adapter.lora.alpha");
  refuse({kind[0], kind[1], kind[2]}, good, "adapter.lora.alpha");
  refuse(kind, {}, "it holds no adapters");
  refuse(kind, {good[0]}, "attn_q.weight.lora_b\" is missing");
  refuse(kind, {good[0], {.name = q + "b", .shape = {64, 8}}},
         "were these adapters trained on another model?");
  refuse(kind, {good[0], {.name = q + "b", .shape = {32, 4}}}, "(64, r)");
  refuse(
      kind,
      {good[0], good[1], {.name = down + "a", .shape = {8, inner}}, {.name = down + "b", .shape = {64, 8}}},
      "only adapters of one rank are supported");
  refuse(kind, {good[0], good[1], {.name = "token_embd.weight.lora_a", .shape = {4, 64}}},
         "\"token_embd.weight.lora_a\" has no place in this model (there are 1 such)");
}

}  // namespace
}  // namespace vkgpt::model

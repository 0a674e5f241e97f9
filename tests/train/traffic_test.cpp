// What a step moves is a promise that needs no card: GPT-2 124M on the profile of an H100.

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/model/train_step.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/vk/device_profile.hpp"
#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::train {
namespace {

constexpr double kParameters = 124e6;

plan::Schedule gpt2_schedule(const vk::DeviceCaps& caps, const vk::KernelChoices& kernels = {}) {
  model::GptConfig model;
  model.vocab_size = 50257;
  model.n_layer = model.n_head = 12;
  model.n_embd = 768;
  model.block_size = 1024;
  TrainConfig config;
  config.batch_size = 64;
  config.grad_accum_steps = 2;
  config.amp = "fp16";
  return train_schedule(model::GptParams(model), config, model.block_size, {caps, kernels});
}

/// With what GPT-2 lacks: rotary positions, a gate, norms of queries, keys and branches, a head of its own, a
/// window.
plan::Schedule llama_schedule(const vk::DeviceCaps& caps) {
  model::GptConfig model;
  model.vocab_size = 32000;
  model.n_layer = 2;
  model.n_head = 16;
  model.n_embd = 1024;
  model.block_size = 1024;
  model.attention_window = 256;
  model.pos_encoding = "rope";
  model.norm = "rmsnorm";
  model.mlp = "swiglu";
  model.qk_norm = true;
  model.branch_norms = true;
  model.tie_weights = false;
  model.bias = false;
  TrainConfig config;
  config.batch_size = 16;
  config.grad_accum_steps = 2;
  config.dropout = 0.1;
  config.amp = "fp16";
  return train_schedule(model::GptParams(model), config, model.block_size, {caps});
}

/// The share of binding `i` that a dispatch touches. Of a matrix product it is the columns that take part: M,
/// N and K are the first words of its push constants, then the lengths of the rows of A, B and C. Of
/// attention's dqkv, where q, k and v lie side by side, each kernel writes its own; positions turn q and k.
double share_of(const plan::Dispatch& dispatch, std::size_t i) {
  const std::string& stem = dispatch.kernel.stem;
  if (stem.starts_with("attention_backward_d") && !dispatch.bindings[i].reads()) {
    return stem.starts_with("attention_backward_dq") ? 1 / 3.0 : 2 / 3.0;
  }
  if (stem.starts_with("rope_") && dispatch.bindings[i].writes()) return 2 / 3.0;
  if (!stem.starts_with("linear_") || stem.ends_with("_reduce")) return 1;
  const auto word = [&](std::size_t at) { return static_cast<double>(dispatch.push.at(at)); };
  const double M = word(0), N = word(1), K = word(2);
  const bool is_weight = stem.starts_with("linear_backward_weight");
  if (i == 0) return (is_weight ? M : K) / word(3);
  if (i == 1) return (stem.starts_with("linear_forward") ? K : N) / word(4);
  return std::min(1.0, N / word(5));
}

/// Bytes of what the dispatch reads and writes of its bindings, once for each direction.
double bound_bytes(const plan::Dispatch& dispatch) {
  double bytes = 0;
  for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) {
    const plan::Binding& b = dispatch.bindings[i];
    bytes += static_cast<double>(b.size) * share_of(dispatch, i) * (b.reads() && b.writes() ? 2 : 1);
  }
  return bytes;
}

struct Counts {
  std::size_t dispatches = 0, barriers = 0;
  double gigabytes = 0;
};

Counts count(const plan::Schedule& schedule, std::string_view name) {
  Counts counts;
  for (std::size_t i = 0; i < schedule.plan.segments.size(); ++i) {
    const plan::Segment& segment = schedule.plan.segments[i];
    if (segment.name != name) continue;
    counts.dispatches = segment.dispatches.size();
    counts.barriers = schedule.barriers[i].size();
    for (const plan::Dispatch& d : segment.dispatches)
      counts.gigabytes += static_cast<double>(d.cost.bytes) / 1e9;
  }
  return counts;
}

/// With matrices at subgroup scope, which an H100 takes before its self-test, and at workgroup scope after
/// it.
TEST(Traffic, OfGpt2OnAnH100IsBounded) {
  for (const bool tested : {false, true}) {
    SCOPED_TRACE(tested);
    vk::KernelChoices kernels;
    if (tested) kernels.measured.emplace(vk::kTestedKey, "2026-11-27");
    const plan::Schedule schedule = gpt2_schedule(vk::load_device_profile("h100"), kernels);
    const Counts first = count(schedule, model::segment::kFirstMicroStep);
    const Counts further = count(schedule, model::segment::kMicroStep);
    for (const Counts& counts : {first, further}) {
      RecordProperty("gigabytes", std::to_string(counts.gigabytes));
      EXPECT_LE(counts.gigabytes, 150);
      EXPECT_LE(counts.barriers, 260U);
      EXPECT_LE(counts.dispatches, 500U);
    }
    // The first neither zeros the gradients nor reads what they held.
    EXPECT_LT(first.gigabytes, further.gigabytes - 3.9 * kParameters / 1e9);
  }
}

TEST(Traffic, ChunksOfTheClassifierAreOfTheSizeOfTheMemory) {
  const auto chunks = [](std::uint64_t heap_bytes) {
    vk::DeviceCaps caps = vk::load_device_profile("h100");
    caps.heap_bytes = caps.heap_budget_bytes = heap_bytes;
    const plan::Schedule schedule = gpt2_schedule(caps);
    return std::ranges::count_if(
        schedule.plan.segment(model::segment::kFirstMicroStep).dispatches,
        [](const plan::Dispatch& d) { return d.kernel.stem == "cross_entropy_forward_held"; });
  };
  // 6.6 GB of logits.
  EXPECT_EQ(chunks(std::uint64_t{80} << 30), 3);
  EXPECT_EQ(chunks(std::uint64_t{24} << 30), 7);
}

TEST(Traffic, EveryDispatchStatesWhatItMoves) {
  std::set<std::string> seen;
  const auto check = [&](const plan::Schedule& schedule, const std::string& what) {
    for (const plan::Segment& segment : schedule.plan.segments) {
      for (const plan::Dispatch& d : segment.dispatches) {
        const std::string& stem = d.kernel.stem;
        // Of the tables only the tokens' rows are moved; the other reads its logits several times, see below.
        if (stem == "embedding_forward" || stem == "embedding_backward_wte" ||
            stem == "cross_entropy_forward") {
          continue;
        }
        const double ratio = static_cast<double>(d.cost.bytes) / bound_bytes(d);
        if (std::abs(ratio - 1) > 0.01 && seen.insert(stem).second) {
          ADD_FAILURE() << stem << " of " << what << " states " << ratio << " of what it binds";
        }
      }
    }
  };
  for (const char* profile : {"h100", "lavapipe"}) {
    const vk::DeviceCaps caps = vk::load_device_profile(profile);
    check(gpt2_schedule(caps), std::string("GPT-2 on ") + profile);
    check(llama_schedule(caps), std::string("a LLaMA on ") + profile);
  }
}

TEST(Traffic, CrossEntropyStatesEveryPassOverItsLogits) {
  const auto passes = [](const char* profile, const char* stem) {
    const plan::Schedule schedule = gpt2_schedule(vk::load_device_profile(profile));
    for (const plan::Dispatch& d : schedule.plan.segment(model::segment::kMicroStep).dispatches) {
      if (d.kernel.stem != stem) continue;
      return static_cast<double>(d.cost.bytes) / static_cast<double>(d.bindings[0].size);
    }
    return 0.0;
  };
  // One read and one write where the row stays in registers, else one read for the loss and one for the
  // gradient.
  EXPECT_NEAR(passes("h100", "cross_entropy_forward_held"), 2, 0.01);
  EXPECT_NEAR(passes("lavapipe", "cross_entropy_forward"), 3, 0.01);
}

}  // namespace
}  // namespace vkgpt::train

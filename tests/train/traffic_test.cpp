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

namespace vkgpt::train {
namespace {

plan::Schedule gpt2_schedule(const vk::DeviceCaps& caps) {
  model::GptConfig model;
  model.vocab_size = 50257;
  model.n_layer = model.n_head = 12;
  model.n_embd = 768;
  model.block_size = 1024;
  TrainConfig config;
  config.batch_size = 64;
  config.amp = "fp16";
  return train_schedule(model::GptParams(model), config, model.block_size, {caps});
}

/// The share of binding `i` that a dispatch touches. Of a matrix product it is the columns that take part: M,
/// N and K are the first words of its push constants, then the lengths of the rows of A, B and C. Of
/// attention's dqkv, where q, k and v lie side by side, each kernel writes its own.
double share_of(const plan::Dispatch& dispatch, std::size_t i) {
  const std::string& stem = dispatch.kernel.stem;
  if (stem.starts_with("attention_backward_d") && !dispatch.bindings[i].reads()) {
    return stem.starts_with("attention_backward_dq") ? 1 / 3.0 : 2 / 3.0;
  }
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

TEST(Traffic, OfGpt2OnAnH100IsBounded) {
  const Counts counts = count(gpt2_schedule(vk::load_device_profile("h100")), model::segment::kMicroStep);
  RecordProperty("gigabytes", std::to_string(counts.gigabytes));
  EXPECT_LE(counts.gigabytes, 150);
  EXPECT_LE(counts.barriers, 260U);
  EXPECT_LE(counts.dispatches, 500U);
}

TEST(Traffic, EveryDispatchStatesWhatItMoves) {
  for (const char* profile : {"h100", "lavapipe"}) {
    const plan::Schedule schedule = gpt2_schedule(vk::load_device_profile(profile));
    std::set<std::string> seen;
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
          ADD_FAILURE() << stem << " on " << profile << " states " << ratio << " of what it binds";
        }
      }
    }
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
  // One read and one write where the row stays in registers, else the maximum, the sum and the gradient read
  // it.
  EXPECT_NEAR(passes("h100", "cross_entropy_forward_held"), 2, 0.01);
  EXPECT_NEAR(passes("lavapipe", "cross_entropy_forward"), 4, 0.01);
}

}  // namespace
}  // namespace vkgpt::train

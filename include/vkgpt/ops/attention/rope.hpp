#pragma once

#include <cstdint>
#include <optional>

#include "vkgpt/plan/plan_builder.hpp"

namespace vkgpt::ops {

/// Rotary position embedding (Su et al., arXiv:2104.09864), in LLaMA's layout: elements i and i + HS / 2 of a
/// head are the pair that the angle t theta^(-2i / HS) turns.

/// How turning is slowed so that longer texts than those of training stay within known angles.
enum class RopeScaling {
  kNone,
  kLinear,  ///< all pairs turn `factor` times slower
  kLlama3,  ///< Llama 3.1: pairs that turn fewer than `low` times in `original_context` positions turn
            ///< `factor` times slower, those that turn more than `high` times as before, others in between
  kYarn,    ///< Peng et al., arXiv:2309.00071: the same, but in between along the number of the pair
};

/// How fast the pairs turn.
struct RopeAngles {
  double theta = 10000;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  double low = 1;
  double high = 4;
  double original_context = 8192;
  bool truncate = true;  // kYarn's ramp begins and ends at whole pairs
  double magnitude = 1;  // queries and keys are multiplied by it
};

/// Radians that pair `i` of a head of `HS` turns from one position to the next.
double rope_frequency(const RopeAngles& angles, std::int64_t i, std::int64_t HS);

/// Cosine and sine of every angle, times `magnitude`: a constant (T_max, HS / 2, 2), f32 rounded from double.
plan::Tensor rope_table(plan::PlanBuilder& builder, std::int64_t T_max, std::int64_t HS,
                        const RopeAngles& angles);

struct RopeForward {
  plan::Tensor qkv;  // (B, T, (NH + 2 NKV) HS) f32, f16 or bf16, in place; (rows, ...) where there are places
  plan::Tensor table;  // (T_max, HS / 2, 2) of `rope_table`, T_max >= T
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;  // 0 = n_head
  /// (rows, 2) i32: every row stands at a position of its own, see attention.hpp.
  std::optional<plan::Tensor> places = {};
  std::optional<plan::Tensor> positions = {};  // (B, T) i32, where documents share a sequence
};

/// Turns the q and k heads of position t by t's angles; v stays.
void rope_forward(plan::PlanBuilder& builder, const RopeForward& args);

struct RopeBackward {
  plan::Tensor dqkv;   // (B, T, (NH + 2 NKV) HS) f32, f16 or bf16, in place
  plan::Tensor table;  // (T_max, HS / 2, 2), of the forward
  std::int64_t n_head = 0;
  std::int64_t n_kv_head = 0;                  // 0 = n_head
  std::optional<plan::Tensor> positions = {};  // of the forward
};

/// Turns the gradients of the q and k heads back.
void rope_backward(plan::PlanBuilder& builder, const RopeBackward& args);

}  // namespace vkgpt::ops

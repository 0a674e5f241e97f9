#include "vkgpt/ops/sample.hpp"

#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/narrow_subgroup.hpp"

namespace vkgpt::ops {

using namespace plan;

void sample(PlanBuilder& builder, const Sample& args) {
  const auto& [logits, controls, drawn, V] = args;
  const std::int64_t rows = logits.shape.rows(), Vp = logits.shape.back();
  // A weight has 2^44 units, and all of a row fit 64 bits.
  VKGPT_CHECK(logits.dtype == DType::kF32 && Vp % 4 == 0 && 0 < V && V <= Vp && V < 1 << 20,
              "logits {} of {} tokens", logits.shape.to_string(), V);
  VKGPT_CHECK(controls.dtype == DType::kU32 && controls.shape == Shape({rows, kSampleControlWords}) &&
                  drawn.dtype == DType::kU32 && drawn.shape == Shape({rows, 2}),
              "controls {} drawn {}", controls.shape.to_string(), drawn.shape.to_string());
  const vk::DeviceCaps& caps = builder.caps();
  const std::uint32_t lanes = subgroups_per_workgroup(caps) * caps.subgroup_size;
  Dispatch dispatch = workgroups(caps, "sample", rows, subgroups_per_workgroup(caps));
  if (dispatch.kernel.subgroup_size != 0) {
    dispatch.kernel.subgroup_size = narrow_subgroup(caps);
    dispatch.kernel.spec_constants = {lanes, lanes / narrow_subgroup(caps)};
  }
  dispatch.bindings = {read(logits), read(controls), write(drawn)};
  dispatch.push = PushWords{}.u32(rows, V, Vp / 4);
  builder.dispatch(std::move(dispatch));
}

}  // namespace vkgpt::ops

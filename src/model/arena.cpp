#include "model/arena.hpp"

#include <algorithm>
#include <vector>

namespace vkgpt::model {

plan::Tensor arena(plan::PlanBuilder& builder, const GptParams& params, const char* name,
                   std::int64_t elements, plan::Role role, DType dtype) {
  const plan::Tensor tensor = builder.persistent(name, {elements}, role, dtype);
  const auto most = static_cast<std::int64_t>(
      std::min<std::uint64_t>(builder.caps().max_allocation_bytes / sizeof(float), INT64_MAX));
  if (elements <= most) return tensor;
  std::vector<std::int64_t> begins;
  for (const ParamSpec& spec : params.specs()) begins.push_back(spec.offset);
  std::ranges::sort(begins);
  begins.push_back(elements);
  std::vector<std::int64_t> cuts;
  std::int64_t piece = 0;
  for (std::size_t i = 0; i + 1 < begins.size() && begins[i] < elements; ++i) {
    if (begins[i + 1] - piece <= most || begins[i] == piece) continue;
    piece = begins[i];
    cuts.push_back(piece);
  }
  builder.cut(tensor, cuts);
  return tensor;
}

}  // namespace vkgpt::model

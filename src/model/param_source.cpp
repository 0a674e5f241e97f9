#include "vkgpt/model/param_source.hpp"

#include "vkgpt/core/check.hpp"

namespace vkgpt::model {

void ArenaSource::read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
                       std::span<float> values) const {
  const ParamSpec& own = params_.find(spec.name);
  const std::int64_t width = row_width(own);
  VKGPT_CHECK(std::ssize(values) == count * width && (first + count) * width <= own.numel(),
              "rows {}+{} of {}", first, count, own.name);
  std::ranges::copy(arena_.subspan(static_cast<std::size_t>(own.offset + first * width), values.size()),
                    values.begin());
}

std::int64_t row_width(const ParamSpec& spec) {
  return spec.numel() / spec.shape[0];
}

}  // namespace vkgpt::model

#include "vkgpt/ops/weight.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/launch.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {
namespace {

constexpr std::int64_t kGranule = slice_granule(true);  // rows whose scales start at a multiple of 256 bytes

std::int64_t scale_bytes(const Weight& weight, std::int64_t rows) {
  const BlockFormat& format = block_format(*weight.blocks);
  const auto numbers = static_cast<std::size_t>(rows * weight.shape.back());
  return static_cast<std::int64_t>(numbers / format.values * format.scale_bytes);
}

}  // namespace

Weight::Weight(BlockType type, Shape size, plan::Tensor quants, std::optional<plan::Tensor> all_scales)
    : values(std::move(quants)), shape(std::move(size)), blocks(type), scales(std::move(all_scales)) {
  const BlockFormat& format = block_format(type);
  const auto numbers = static_cast<std::size_t>(shape.numel());
  VKGPT_CHECK(std::cmp_equal(shape.back() % static_cast<std::int64_t>(format.values), 0) &&
                  std::cmp_equal(values.shape.numel(), format.quant_words(numbers)) &&
                  std::cmp_equal(scales ? scales->shape.numel() : 0, format.scale_words(numbers)),
              "{} {} in words {}", format.name, shape.to_string(), values.shape.to_string());
}

std::int64_t bound_row_bytes(const vk::DeviceCaps& caps, const Weight& weight) {
  constexpr std::int64_t kIndices = 1LL << 32;
  return std::max(weight.row_bytes(), ceil_div(weight.shape.back() * max_binding_bytes(caps), kIndices));
}

Weight persistent_blocks(plan::PlanBuilder& builder, std::string_view name, BlockType type,
                         const Shape& shape) {
  const BlockFormat& format = block_format(type);
  const auto per_word = static_cast<std::int64_t>(format.per_word);
  const auto scale_words =
      static_cast<std::int64_t>(format.scale_words(static_cast<std::size_t>(shape.numel())));
  const auto words = [&](const std::string& tensor, Shape size) {
    return builder.persistent(tensor, std::move(size), plan::Role::kParameters, DType::kU32);
  };
  const std::string base(name);
  std::optional<plan::Tensor> scales;
  if (scale_words > 0) scales = words(base + ".scales", {scale_words});
  return {type, shape, words(base, {shape.rows(), shape.back() / per_word}), scales};
}

plan::Binding scales_of_rows(const Weight& weight, std::int64_t first, std::int64_t count) {
  VKGPT_CHECK(weight.blocks && first % kGranule == 0, "scales from row {} on", first);
  plan::Binding binding = plan::read(*weight.scales);
  const auto offset = static_cast<std::uint64_t>(scale_bytes(weight, first));
  const auto size = static_cast<std::uint64_t>((scale_bytes(weight, count) + 3) / 4 * 4);
  binding.size = std::min(size, binding.size - offset);
  binding.offset += offset;
  return binding;
}

void add_block_bindings(plan::Dispatch& dispatch, const Weight& weight, std::int64_t first,
                        std::int64_t count) {
  if (!weight.blocks) return;
  dispatch.kernel.macros.value("BLOCKS", *weight.blocks);
  if (weight.scales) add_binding(dispatch, "SCALES", scales_of_rows(weight, first, count));
}

}  // namespace vkgpt::ops

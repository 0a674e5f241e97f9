#include "model/stacked_adapters.hpp"

#include <algorithm>
#include <vector>

#include "vkgpt/core/half.hpp"

namespace vkgpt::model {
namespace {

constexpr std::int64_t kPadding = 8;
constexpr std::int32_t kNobody = -2;

std::string name_of(const std::string& param, const char* what) {
  return "adapters/" + param + "." + what;
}

/// R; 0 where there are no parts.
std::int64_t columns_of(std::span<const Adapter> adapters, const std::string& param) {
  std::int64_t columns = 0;
  for (const Adapter& adapter : adapters) {
    columns += adapter.rank * std::ranges::count(adapter.parts, param, &AdapterPart::param);
  }
  return (columns + kPadding - 1) / kPadding * kPadding;
}

void upload_numbers(plan::TensorStore& store, const std::string& name, std::span<const float> values,
                    DType dtype) {
  if (dtype == DType::kF32) return store.upload(name, std::as_bytes(values));
  std::vector<std::uint16_t> halves(values.size());
  std::ranges::transform(values, halves.begin(), [](float value) { return float_to_f16(value); });
  store.upload(name, std::as_bytes(std::span(halves)));
}

struct Stack {
  std::vector<float> a, b;
  std::vector<std::int32_t> owners;
};

/// The columns of one part, from column `first` on.
void place(const AdapterPart& part, const Adapter& adapter, std::size_t first, std::size_t columns,
           Stack& stack) {
  const auto rank = static_cast<std::size_t>(adapter.rank);
  const std::size_t in = part.a.size() / rank;
  std::ranges::copy(part.a, stack.a.begin() + static_cast<std::ptrdiff_t>(first * in));
  for (std::size_t row = 0; row < static_cast<std::size_t>(part.rows); ++row) {
    const std::size_t to = (static_cast<std::size_t>(part.first_row) + row) * columns + first;
    for (std::size_t r = 0; r < rank; ++r) {
      stack.b[to + r] = static_cast<float>(adapter.scale * double{part.b[row * rank + r]});
    }
  }
}

}  // namespace

std::optional<StackedTensors> stacked_adapters(plan::PlanBuilder& builder, std::span<const Adapter> adapters,
                                               const std::string& param, const Shape& shape, DType dtype) {
  const std::int64_t columns = columns_of(adapters, param);
  if (columns == 0) return std::nullopt;
  constexpr auto kRole = plan::Role::kParameters;
  return StackedTensors{
      .a = builder.persistent(name_of(param, "A"), {columns, shape.back()}, kRole, dtype),
      .b = builder.persistent(name_of(param, "B"), {shape[0], columns}, kRole, dtype),
      .owners = builder.persistent(name_of(param, "owners"), {columns}, kRole, DType::kI32)};
}

void upload_stacked(plan::TensorStore& store, std::span<const Adapter> adapters, const GptParams& params,
                    DType dtype) {
  for (const ParamSpec& spec : params.specs()) {
    const auto columns = static_cast<std::size_t>(columns_of(adapters, spec.name));
    if (columns == 0) continue;
    Stack stack{.a = std::vector<float>(columns * static_cast<std::size_t>(spec.shape.back())),
                .b = std::vector<float>(columns * static_cast<std::size_t>(spec.shape[0])),
                .owners = std::vector<std::int32_t>(columns, kNobody)};
    std::size_t first = 0;
    for (std::size_t number = 0; number < adapters.size(); ++number) {
      for (const AdapterPart& part : adapters[number].parts) {
        if (part.param != spec.name) continue;
        place(part, adapters[number], first, columns, stack);
        std::fill_n(stack.owners.begin() + static_cast<std::ptrdiff_t>(first), adapters[number].rank,
                    static_cast<std::int32_t>(number));
        first += static_cast<std::size_t>(adapters[number].rank);
      }
    }
    upload_numbers(store, name_of(spec.name, "A"), stack.a, dtype);
    upload_numbers(store, name_of(spec.name, "B"), stack.b, dtype);
    store.upload(name_of(spec.name, "owners"), std::as_bytes(std::span(stack.owners)));
  }
}

}  // namespace vkgpt::model

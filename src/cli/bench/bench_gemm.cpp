#include <algorithm>
#include <cstdint>
#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"

#include "cli/bench/backend_sweep.hpp"
#include "cli/bench/bench.hpp"
#include "cli/bench/segment_clock.hpp"

namespace vkgpt::cli {
namespace {

constexpr const char* kSegment = "gemm";

plan::Plan gemm_plan(const vk::Target& target, const GemmShape& shape, DType dtype, int repeats) {
  const auto& [form, m, n, k] = shape;
  plan::PlanBuilder builder(target);
  const auto matrix = [&](const char* name, std::int64_t rows, std::int64_t columns) {
    return builder.persistent(name, {rows, columns}, plan::Role::kActivations, dtype);
  };
  const plan::Tensor a = form == "tn" ? matrix("a", k, m) : matrix("a", m, k);
  const plan::Tensor b = form == "nt" ? matrix("b", n, k) : matrix("b", k, n);
  const plan::Tensor c =
      form == "tn" ? builder.persistent("c", {m, n}, plan::Role::kGradients) : matrix("c", m, n);
  builder.begin_segment(kSegment);
  for (int i = 0; i < repeats; ++i) {
    if (form == "nt") ops::linear_forward(builder, {.x = a, .weight = b, .y = c});
    if (form == "nn") ops::linear_backward_input(builder, {.dy = a, .weight = b, .dx = c});
    if (form == "tn") ops::linear_backward_weight(builder, {.dy = a, .x = b, .dweight = c});
  }
  return std::move(builder).finish();
}

}  // namespace

std::vector<GemmShape> square_gemms(std::int64_t size) {
  return {{"nn", size, size, size}, {"nt", size, size, size}, {"tn", size, size, size}};
}

std::vector<GemmShape> model_gemms(const model::GptConfig& model, std::int64_t rows) {
  constexpr std::int64_t kHeadElements = 1 << 25;  // about what the classifier's chunks hold
  const model::GptParams params(model);
  std::vector<GemmShape> shapes;
  const auto add = [&](std::int64_t m, std::int64_t n, std::int64_t k) {
    for (const GemmShape& shape : {GemmShape{"nt", m, n, k}, {"nn", m, k, n}, {"tn", n, k, m}}) {
      if (!std::ranges::contains(shapes, shape)) shapes.push_back(shape);
    }
  };
  for (const model::ParamSpec& spec : params.specs()) {
    if (spec.shape.rank() == 2 && spec.name.starts_with("h.0.")) add(rows, spec.shape[0], spec.shape[1]);
  }
  const std::int64_t Vp = model.padded_vocab_size();
  add(std::min(rows, std::max<std::int64_t>(64, kHeadElements / Vp / 64 * 64)), Vp, model.n_embd);
  return shapes;
}

std::vector<Figure> bench_gemm(vk::Context& context, const GemmShape& shape, DType dtype,
                               const DeviceLimits& limits) {
  std::vector<Figure> figures;
  const plan::Plan scalar =
      gemm_plan(only_backend(context.target(), "matmul", vk::Backend::kScalar), shape, dtype, 1);
  for (const vk::Backend backend : vk::kBackends) {
    const vk::Target target = only_backend(context.target(), "matmul", backend);
    const plan::Plan once = gemm_plan(target, shape, dtype, 1);
    const bool does_it = has_other_kernels(once.segment(kSegment), scalar.segment(kSegment));
    if (backend != vk::Backend::kScalar && !does_it) continue;
    plan::Cost cost = segment_cost(once, kSegment);
    const int repeats = repeats_of(target.caps, cost);
    SegmentClock clock(context, gemm_plan(target, shape, dtype, repeats));
    for (const char* input : {"a", "b"}) clock.fill(input);
    const double seconds = clock.time(kSegment) / repeats;
    // What a backend reads again, or keeps between parts of K, is its own affair.
    cost.flops = 2 * shape.m * shape.n * shape.k;
    figures.push_back(compute_figure("gemm",
                                     vkgpt::format("{} {} {}x{}x{} {}", shape.form, dtype_name(dtype),
                                                   shape.m, shape.n, shape.k, vk::backend_name(backend)),
                                     cost, seconds, dtype, limits));
  }
  return figures;
}

}  // namespace vkgpt::cli

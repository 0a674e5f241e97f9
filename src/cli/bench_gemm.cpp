#include <algorithm>
#include <chrono>
#include <cstdint>

#include "vkgpt/cli/bench.hpp"
#include "vkgpt/core/half.hpp"
#include "vkgpt/ops/matmul.hpp"
#include "vkgpt/plan/executor.hpp"

namespace vkgpt::cli {
namespace {

constexpr int kRepeats = 8;  // products a submission
constexpr int kRuns = 7;

}  // namespace

std::vector<GemmTime> bench_gemm(vk::Context& context, std::int64_t m, std::int64_t n, std::int64_t k,
                                 DType dtype) {
  plan::PlanBuilder builder(context.caps());
  const auto matrix = [&](const char* name, std::int64_t rows, std::int64_t columns) {
    return builder.persistent(name, {rows, columns}, plan::Role::kActivations, dtype);
  };
  const plan::Tensor a = matrix("a", m, k);                                                    // (M, K)
  const plan::Tensor at = matrix("at", k, m);                                                  // (K, M)
  const plan::Tensor b = matrix("b", k, n);                                                    // (K, N)
  const plan::Tensor bt = matrix("bt", n, k);                                                  // (N, K)
  const plan::Tensor c = matrix("c", m, n);                                                    // (M, N)
  const plan::Tensor dweight = builder.persistent("dweight", {m, n}, plan::Role::kGradients);  // (M, N)
  for (const char* form : {"NN", "NT", "TN"}) {
    builder.begin_segment(form);
    for (int i = 0; i < kRepeats; ++i) {
      if (form == std::string("NN")) ops::linear_backward_input(builder, {.dy = a, .weight = b, .dx = c});
      if (form == std::string("NT")) ops::linear_forward(builder, {.x = a, .weight = bt, .y = c});
      if (form == std::string("TN"))
        ops::linear_backward_weight(builder, {.dy = at, .x = b, .dweight = dweight});
    }
  }
  plan::TensorStore store(context);
  plan::Executor executor(context, store, plan::make_schedule(std::move(builder).finish(), context.caps()));
  std::vector<float> values(static_cast<std::size_t>(std::max({m, k, n}) * std::max({m, k, n})));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.001f * static_cast<float>(i % 1999) - 1.0f;
  std::vector<std::uint16_t> halves(dtype_size(dtype) == 2 ? values.size() : 0);
  std::transform(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(halves.size()), halves.begin(),
                 dtype == DType::kF16 ? float_to_f16 : float_to_bf16);
  const auto bytes = halves.empty() ? std::as_bytes(std::span(values)) : std::as_bytes(std::span(halves));
  for (const auto& [name, tensor] : {std::pair{"a", a}, {"at", at}, {"b", b}, {"bt", bt}}) {
    store.upload(name, bytes.first(tensor.bytes()));
  }

  std::vector<GemmTime> times;
  for (const char* form : {"NN", "NT", "TN"}) {
    context.queue().wait(executor.submit(form, 0));
    std::vector<double> gflops;
    for (int run = 0; run < kRuns; ++run) {
      const auto start = std::chrono::steady_clock::now();
      context.queue().wait(executor.submit(form, 0));
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      gflops.push_back(2.0 * static_cast<double>(m * n * k) * kRepeats / seconds / 1e9);
    }
    std::ranges::nth_element(gflops, gflops.begin() + kRuns / 2);
    times.push_back({form, m, n, k, gflops[kRuns / 2]});
  }
  return times;
}

}  // namespace vkgpt::cli

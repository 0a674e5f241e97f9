#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/ops/backend.hpp"

#include "cli/bench/backend_sweep.hpp"
#include "cli/bench/bench.hpp"
#include "cli/bench/segment_clock.hpp"

namespace vkgpt::cli {
namespace {

check::Trial trial_of(vk::Context& context, const vk::Target& target, const check::Case& c,
                      const check::Workload& work) {
  check::Trial trial(context, target, check::Purpose::kTiming);
  c.timed(trial, work);
  return trial;
}

/// Times the passes of one case, those by a backend only where `scalar`, the plan of the scalar one, has
/// other kernels.
class CaseClock {
 public:
  CaseClock(vk::Context& context, std::string bench, DType dtype, const DeviceLimits& limits)
      : context_(context), bench_(std::move(bench)), dtype_(dtype), limits_(limits) {}

  std::vector<Figure> time(check::Trial trial, std::optional<vk::Backend> backend, const plan::Plan& scalar) {
    const bool needs_other_kernels = backend && backend != vk::Backend::kScalar;
    std::vector<Pass> passes;
    plan::Cost most;
    for (const plan::Segment& segment : trial.plan().segments) {
      plan::Cost cost = segment_cost(trial.plan(), segment.name);
      const auto pass = std::ranges::find(trial.passes(), segment.name, &check::Pass::name);
      if (pass != trial.passes().end() && pass->flops != 0) cost.flops = pass->flops;
      most = {std::max(most.flops, cost.flops), std::max(most.bytes, cost.bytes)};
      passes.push_back({segment.name, cost,
                        !needs_other_kernels || has_other_kernels(segment, scalar.segment(segment.name))});
    }
    std::vector<Figure> figures;
    if (std::ranges::none_of(passes, &Pass::is_wanted)) return figures;
    const int repeats = repeats_of(context_.caps(), most);
    const ops::StepParams params =
        trial.replays().empty() ? ops::StepParams{} : trial.replays().front().params;
    SegmentClock clock(context_, trial.executor(repeats, params));
    // In this order, all of them: a backward takes what the forward leaves.
    for (const auto& [name, cost, is_wanted] : passes) {
      const double seconds = clock.time(name) / repeats;
      if (!is_wanted) continue;
      figures.push_back(backend
                            ? compute_figure(bench_, vkgpt::format("{} {}", name, vk::backend_name(*backend)),
                                             cost, seconds, dtype_, limits_)
                            : bandwidth_figure(bench_, name, cost, seconds, limits_));
    }
    return figures;
  }

 private:
  struct Pass {
    std::string name;
    plan::Cost cost;
    bool is_wanted;
  };

  vk::Context& context_;
  std::string bench_;
  DType dtype_;
  const DeviceLimits& limits_;
};

}  // namespace

std::vector<Figure> bench_op(vk::Context& context, std::string_view op, const std::string& bench,
                             const check::Workload& work, const DeviceLimits& limits) {
  const auto table = std::ranges::find(check::op_tables(), op, &check::OpTable::op);
  VKGPT_CHECK(table != check::op_tables().end(), "no op {}", op);
  std::vector<Figure> figures;
  const auto add = [&](std::vector<Figure> more) { std::ranges::move(more, std::back_inserter(figures)); };
  for (const check::Case& c : table->cases) {
    if (!c.timed || (dtype_size(c.dtype) == 2 && !context.caps().storage_16bit)) continue;
    CaseClock clock(context, bench, c.dtype, limits);
    if (!std::ranges::contains(ops::kOpsWithBackends, op)) {
      add(clock.time(trial_of(context, context.target(), c, work), std::nullopt, {}));
      continue;
    }
    const auto by = [&](vk::Backend backend) {
      return trial_of(context, only_backend(context.target(), op, backend), c, work);
    };
    check::Trial scalar = by(vk::Backend::kScalar);
    for (const vk::Backend backend : vk::kBackends) add(clock.time(by(backend), backend, scalar.plan()));
  }
  return figures;
}

std::vector<check::GemmShape> square_gemms(std::int64_t size) {
  return {{"nn", size, size, size}, {"nt", size, size, size}, {"tn", size, size, size}};
}

std::vector<check::GemmShape> model_gemms(const model::GptConfig& model, std::int64_t rows) {
  constexpr std::int64_t kHeadElements = 1 << 25;  // about what the classifier's chunks hold
  const model::GptParams params(model);
  std::vector<check::GemmShape> shapes;
  const auto add = [&](std::int64_t m, std::int64_t n, std::int64_t k) {
    for (const check::GemmShape& shape :
         {check::GemmShape{"nt", m, n, k}, {"nn", m, k, n}, {"tn", n, k, m}}) {
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

}  // namespace vkgpt::cli

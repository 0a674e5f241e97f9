#include "cli/device/tune.hpp"

#include <algorithm>
#include <chrono>
#include <format>
#include <limits>
#include <utility>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/ops/matmul/matmul_tuning.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Submissions that are timed, of which the fastest counts: others have waited for something.
constexpr int kRuns = 5;
/// A first run so much slower than the best is not worth another.
constexpr double kHopeless = 1.5;

/// Products in a submission, so that submitting is a small part of the time.
int repeats_of(const vk::DeviceCaps& caps, double flops) {
  const double wanted = caps.is_cpu() ? 1e8 : 1e11;
  return static_cast<int>(std::clamp(wanted / flops, 1.0, 16.0));
}

/// One product by one kernel, ready to run: zeros, since what is multiplied does not matter here.
class Candidate {
 public:
  Candidate(vk::Context& context, const ops::MatmulKey& key, const ops::MatmulKernel& kernel, int repeats)
      : context_(context),
        store_(context),
        executor_(context, store_, schedule(context.target(), key, kernel, repeats)) {
    executor_.build_pipelines();
    executor_.record("products");
  }

  /// Seconds of a submission.
  double run() {
    const auto start = Clock::now();
    context_.queue().wait(executor_.submit("products", 0));
    return seconds_since(start);
  }

 private:
  static plan::Schedule schedule(const vk::Target& target, const ops::MatmulKey& key,
                                 const ops::MatmulKernel& kernel, int repeats) {
    plan::PlanBuilder builder(target);
    builder.begin_segment("products");
    for (int i = 0; i < repeats; ++i) ops::append_matmul(builder, key, kernel);
    return plan::make_schedule(std::move(builder).finish(), target.caps);
  }

  vk::Context& context_;
  plan::TensorStore store_;
  plan::Executor executor_;
};

}  // namespace

std::optional<TunedProduct> tune_product(vk::Context& context, const ops::MatmulKey& key, double seconds) {
  const auto start = Clock::now();
  const std::vector<ops::MatmulKernel> kernels = ops::matmul_candidates(context.target(), key);
  const int repeats = repeats_of(context.caps(), key.flops());
  TunedProduct tuned{.key = key, .usual = kernels[0], .best = kernels[0]};
  tuned.best_seconds = std::numeric_limits<double>::infinity();
  for (const ops::MatmulKernel& kernel : kernels) {
    const bool is_usual = tuned.candidates == 0;
    if (interrupted() || (!is_usual && seconds_since(start) > seconds)) break;
    double fastest = 0;
    try {
      Candidate candidate(context, key, kernel, repeats);
      fastest = candidate.run() / repeats;
      for (int i = 1; i < kRuns && fastest < kHopeless * tuned.best_seconds; ++i) {
        if (i > 1 && seconds_since(start) > seconds) break;
        fastest = std::min(fastest, candidate.run() / repeats);
      }
    } catch (const vk::DeviceLost&) {
      throw;
    } catch (const Error& error) {
      log_warning("{} by {} cannot be timed: {}", ops::to_string(key), ops::to_string(kernel), error.what());
      if (is_usual) return std::nullopt;
      continue;
    }
    ++tuned.candidates;
    if (is_usual) tuned.usual_seconds = fastest;
    if (fastest < tuned.best_seconds) {
      tuned.best = kernel;
      tuned.best_seconds = fastest;
    }
  }
  if (tuned.candidates == 0) return std::nullopt;
  return tuned;
}

}  // namespace vkgpt::cli

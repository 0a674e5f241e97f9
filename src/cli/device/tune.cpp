#include "cli/device/tune.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/check/numbers.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/log.hpp"
#include "vkgpt/ops/matmul/matmul_tuning.hpp"
#include "vkgpt/plan/executor.hpp"
#include "vkgpt/plan/kernel_list.hpp"
#include "vkgpt/vk/result.hpp"

namespace vkgpt::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::string matmul_name(vk::Backend backend) {
  return vkgpt::format("matmul {}", vk::backend_name(backend));
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Runs that are timed, of which the fastest counts: others have waited for something.
constexpr int kRuns = 5;
/// A kernel whose second run is still so much slower than the best is not worth another.
constexpr double kHopeless = 1.5;
/// Seconds of work after which a GPU has raised its clocks, and runs that are enough whatever they take.
constexpr double kWarmSeconds = 0.075;
constexpr int kMostWarmRuns = 200;

/// Products in a run, so that a clock's tick is a small part of the time.
int repeats_of(const vk::DeviceCaps& caps, double flops) {
  const double wanted = caps.is_cpu() ? 1e8 : 1e11;
  return static_cast<int>(std::clamp(wanted / flops, 1.0, 16.0));
}

/// Random numbers of a type to be repeated: as many as a prime, so that no row of a matrix is like another.
std::vector<std::byte> random_block(DType dtype, std::uint64_t seed) {
  constexpr std::size_t kPeriod = 65521;
  const auto size = static_cast<std::size_t>(dtype_size(dtype));
  const std::vector<float> values = check::random_floats(kPeriod, seed);
  std::vector<std::byte> bytes(kPeriod * size);
  for (std::size_t i = 0; i < kPeriod; ++i) {
    if (size == 4) {
      std::memcpy(bytes.data() + 4 * i, &values[i], 4);
    } else {
      const std::uint16_t half = check::to_16_bits(values[i], dtype);
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
  }
  return bytes;
}

std::vector<float> to_floats(std::span<const std::byte> bytes, DType dtype) {
  const auto size = static_cast<std::size_t>(dtype_size(dtype));
  std::vector<float> values(bytes.size() / size);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (size == 4) {
      std::memcpy(&values[i], bytes.data() + 4 * i, 4);
    } else {
      std::uint16_t half = 0;
      std::memcpy(&half, bytes.data() + 2 * i, 2);
      values[i] = check::from_16_bits(half, dtype);
    }
  }
  return values;
}

plan::Plan plan_of(const vk::Target& target, const ops::MatmulKey& key, const ops::MatmulKernel& kernel,
                   int repeats) {
  plan::PlanBuilder builder(target);
  builder.begin_segment("products");
  for (int i = 0; i < repeats; ++i) ops::append_matmul(builder, key, kernel);
  return std::move(builder).finish();
}

/// Builds the pipelines of all kernels while there is time, so that the device works without a pause later.
/// CPU drivers have no clock to raise.
void build_pipelines(vk::Context& context, const ops::MatmulKey& key,
                     std::span<const ops::MatmulKernel> kernels, const std::function<bool()>& has_time) {
  if (context.caps().is_cpu()) return;
  for (const ops::MatmulKernel& kernel : kernels) {
    if (interrupted() || !has_time()) return;
    std::vector<vk::PipelineKey> keys;
    const plan::Plan plan = plan_of(context.target(), key, kernel, 1);
    for (const plan::Dispatch& dispatch : plan.segments.at(0).dispatches)
      keys.push_back(plan::pipeline_key(dispatch));
    try {
      context.pipelines().prepare(keys);
    } catch (const vk::DeviceLost&) {
      throw;
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): timing the kernel will say so
    }
  }
}

/// One product by one kernel, ready to run on random operands.
class Candidate {
 public:
  Candidate(vk::Context& context, const ops::MatmulKey& key, const ops::MatmulKernel& kernel, int repeats)
      : store_(context),
        executor_(context, store_,
                  plan::make_schedule(plan_of(context.target(), key, kernel, repeats), context.caps())) {
    executor_.build_pipelines();
    std::uint64_t seed = 1;
    for (const plan::TensorInfo& tensor : executor_.schedule().plan.tensors) {
      if (tensor.storage != plan::Storage::kPersistent || tensor.root_offset != 0) continue;
      if (tensor.name == "c") {
        c_ = {tensor.bytes(), tensor.dtype};
      } else if (tensor.name != "row_sums") {
        fill(tensor, seed++);
      }
    }
  }

  /// Seconds of a run, by the device's clock where it has one.
  double run() {
    double nanoseconds = 0;
    for (const plan::DispatchTime& time : executor_.run_eager("products", 0)) nanoseconds += time.nanoseconds;
    return nanoseconds / 1e9;
  }

  /// What a run adds to or puts in place of zeros, at up to 64 places spread over C.
  std::vector<float> result() {
    constexpr std::uint64_t kPlaces = 64, kBytes = 256;
    store_.fill_zero("c");
    run();
    std::vector<float> values;
    for (std::uint64_t i = 0; i < kPlaces; ++i) {
      const std::uint64_t at = c_.bytes * i / kPlaces / 4 * 4;
      std::vector<std::byte> bytes(std::min(kBytes, c_.bytes - at));
      store_.download("c", bytes, at);
      std::ranges::copy(to_floats(bytes, c_.dtype), std::back_inserter(values));
    }
    return values;
  }

 private:
  struct Result {
    std::uint64_t bytes = 0;
    DType dtype = DType::kF32;
  };

  void fill(const plan::TensorInfo& tensor, std::uint64_t seed) {
    const std::vector<std::byte> block = random_block(tensor.dtype, seed);
    for (std::uint64_t at = 0; at < tensor.bytes(); at += block.size()) {
      const auto count = std::min<std::uint64_t>(block.size(), tensor.bytes() - at);
      store_.upload(tensor.name, std::span(block).first(count), at);
    }
  }

  plan::TensorStore store_;
  plan::Executor executor_;
  Result c_;
};

/// The times of one product's kernels.
class Tuning {
 public:
  Tuning(vk::Context& context, const ops::MatmulKey& key)
      : context_(context), key_(key), repeats_(repeats_of(context.caps(), key.flops())) {
    vk::Target scalar = context.target();
    scalar.kernels = {.matmul = vk::Backend::kScalar};
    reference_ = Candidate(context, key, ops::matmul_candidates(scalar, key)[0], repeats_).result();
  }

  /// The seconds of a product, if `seconds` are left for more than one run the least of several; nothing
  /// where its result is wrong.
  std::optional<double> time(TunedProduct& tuned, const ops::MatmulKernel& kernel,
                             const std::function<void(const ops::MatmulKernel&, std::span<float>)>& perturb,
                             const std::function<bool()>& has_time) {
    Candidate candidate(context_, key_, kernel, repeats_);
    std::vector<float> result = candidate.result();
    if (perturb) perturb(kernel, result);
    const std::vector<double> expected(reference_.begin(), reference_.end());
    const double error = check::nmse(result, expected), bound = 16 * check::rounding_bound(key_.dtype);
    if (!(error <= bound)) {
      tuned.wrong.push_back({kernel, error, bound});
      return std::nullopt;
    }
    return fastest_run([&] { return candidate.run(); }, context_.caps().is_cpu() ? 0 : kWarmSeconds,
                       repeats_ * tuned.best_seconds, has_time) /
           repeats_;
  }

 private:
  vk::Context& context_;
  const ops::MatmulKey& key_;
  int repeats_;
  std::vector<float> reference_;
};

/// Times the usual kernel once more: it came first, when the device was coldest.
void time_usual_again(Tuning& tuning, TunedProduct& tuned,
                      const std::function<void(const ops::MatmulKernel&, std::span<float>)>& perturb) {
  if (interrupted() || tuned.candidates == 0 || tuned.best == tuned.usual) return;
  TunedProduct again{.key = tuned.key, .usual = tuned.usual, .best = tuned.usual};
  again.best_seconds = std::numeric_limits<double>::infinity();
  try {
    const std::optional<double> time = tuning.time(again, tuned.usual, perturb, [] { return true; });
    if (time) tuned.usual_seconds = std::min(tuned.usual_seconds, *time);
  } catch (const vk::OutOfMemory& error) {  // that was there before
    log_warning("{} by {} cannot be timed again: {}", ops::to_string(tuned.key), ops::to_string(tuned.usual),
                error.what());
  }
  if (tuned.usual_seconds > tuned.best_seconds) return;
  tuned.best = tuned.usual;
  tuned.best_seconds = tuned.usual_seconds;
}

}  // namespace

double fastest_run(const std::function<double()>& run, double warm_seconds, double best,
                   const std::function<bool()>& has_time) {
  double warm = 0;
  for (int i = 0; i < kMostWarmRuns && warm < warm_seconds; ++i) warm += run();
  double fastest = run();
  for (int i = 1; i < kRuns; ++i) {
    if (i > 1 && (fastest >= kHopeless * best || !has_time())) break;
    fastest = std::min(fastest, run());
  }
  return fastest;
}

std::optional<TunedProduct> tune_product(
    vk::Context& context, const vk::Target& target, const ops::MatmulKey& key, double seconds,
    const std::function<void(const ops::MatmulKernel&, std::span<float>)>& perturb) {
  const auto start = Clock::now();
  const auto has_time = [&] { return seconds_since(start) <= seconds; };
  const std::vector<ops::MatmulKernel> kernels = ops::matmul_candidates(target, key);
  TunedProduct tuned{.key = key, .usual = kernels[0], .best = kernels[0]};
  tuned.best_seconds = std::numeric_limits<double>::infinity();
  std::optional<Tuning> tuning;
  for (const ops::MatmulKernel& kernel : kernels) {
    const bool is_usual = tuned.candidates == 0;
    if (interrupted() || (!is_usual && !has_time())) break;
    std::optional<double> time;
    try {
      if (!tuning) {
        tuning.emplace(context, key);
        build_pipelines(context, key, kernels, has_time);
      }
      time = tuning->time(tuned, kernel, perturb, has_time);
    } catch (const vk::DeviceLost&) {
      throw;
    } catch (const Error& error) {
      log_warning("{} by {} cannot be timed: {}", ops::to_string(key), ops::to_string(kernel), error.what());
      if (!tuning) return std::nullopt;
    }
    if (!time) continue;
    ++tuned.candidates;
    tuned.right.insert(kernel.backend);
    if (is_usual) {
      tuned.usual = kernel;
      tuned.usual_seconds = *time;
    }
    if (*time < tuned.best_seconds) {
      tuned.best = kernel;
      tuned.best_seconds = *time;
    }
  }
  if (tuned.candidates == 0 && tuned.wrong.empty()) return std::nullopt;
  if (tuning) time_usual_again(*tuning, tuned, perturb);
  return tuned;
}

namespace {

std::string wrong_prefix(const ops::MatmulKey& key) {
  return vkgpt::format("{} by ", ops::to_string(key));
}

/// Switches the backends of the product's wrong kernels off.
void record_wrong(vk::KernelRecord& record, const TunedProduct& product, std::string_view date) {
  for (const WrongKernel& wrong : product.wrong) {
    const std::string what =
        vkgpt::format("{}{}: NMSE {:.1e} from the scalar kernel, at most {:.1e} is right",
                      wrong_prefix(product.key), ops::to_string(wrong.kernel), wrong.error, wrong.bound);
    log_warning("{}", what);
    if (wrong.kernel.backend == vk::Backend::kScalar) continue;
    record.wrong[matmul_name(wrong.kernel.backend)] = {what, std::string(date)};
  }
}

}  // namespace

vk::Target retried(const vk::Target& target, const vk::KernelRecord& record) {
  vk::Target all = target;
  for (const auto& [name, failure] : record.wrong) {
    if (!record.disabled.contains(name)) all.kernels.disabled.erase(name);
  }
  return all;
}

void record_tuning(vk::KernelRecord& record, std::span<const TunedProduct> products, std::string_view date) {
  std::erase_if(record.measured, [](const auto& entry) {
    return !ops::parse_matmul_key(entry.first) || !ops::parse_matmul_kernel(entry.second);
  });
  std::erase_if(record.wrong, [&](const auto& entry) {
    return std::ranges::any_of(products, [&](const TunedProduct& product) {
      return entry.second.reason.starts_with(wrong_prefix(product.key)) &&
             std::ranges::any_of(product.right,
                                 [&](vk::Backend right) { return entry.first == matmul_name(right); });
    });
  });
  for (const TunedProduct& product : products) {
    record_wrong(record, product, date);
    if (product.candidates > 0) record.measured[ops::to_string(product.key)] = ops::to_string(product.best);
  }
}

}  // namespace vkgpt::cli

#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/ops/matmul/matmul_key.hpp"
#include "vkgpt/vk/context.hpp"
#include "vkgpt/vk/kernel_record.hpp"

namespace vkgpt::cli {

/// A kernel that gave another result than the reference.
struct WrongKernel {
  ops::MatmulKernel kernel;
  double error = 0, bound = 0;  // NMSE
};

/// The kernels of one product, timed.
struct TunedProduct {
  ops::MatmulKey key;
  ops::MatmulKernel usual, best;  // usual: without a measurement
  double usual_seconds = 0, best_seconds = 0;
  std::size_t candidates = 0;  // that were timed
  std::vector<WrongKernel> wrong = {};
  std::set<vk::Backend> right = {};  // backends of those that were timed
};

/// The least of several times that `run` gives, after runs of `warm_seconds` together that do not count: a
/// GPU raises its clocks while it works. One that is hopeless beside `best` by its second run, or runs past
/// `has_time`, is not run on.
double fastest_run(const std::function<double()>& run, double warm_seconds, double best,
                   const std::function<bool()>& has_time);

/// Times the kernels that `target` allows for the product by the device's clock, the usual one first, each
/// with barriers between products as in a step, until `seconds` are over. Operands are random, and what a
/// kernel gives is compared with the scalar one: who is wrong is not chosen. `perturb` may change a
/// candidate's result first (tests). Nothing where the device has no memory for it, or no kernel is right.
std::optional<TunedProduct> tune_product(
    vk::Context& context, const vk::Target& target, const ops::MatmulKey& key, double seconds,
    const std::function<void(const ops::MatmulKernel&, std::span<float>)>& perturb = {});

/// The device with the backends that an earlier tuning alone found wrong: they are tried again.
vk::Target retried(const vk::Target& target, const vk::KernelRecord& record);

/// Puts the products' best kernels into `record` and switches the backends of wrong ones off; the scalar
/// ones, which they were compared with, never. A backend that an earlier tuning switched off is on again
/// where the product that it failed was timed and no kernel was wrong. Names of kernels that this version
/// does not know are dropped.
void record_tuning(vk::KernelRecord& record, std::span<const TunedProduct> products, std::string_view date);

}  // namespace vkgpt::cli

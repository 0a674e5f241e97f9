#include <algorithm>
#include <chrono>
#include <cstdint>
#include <format>
#include <functional>
#include <map>
#include <print>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/model/gpt_params.hpp"
#include "vkgpt/ops/matmul/matmul_tuning.hpp"
#include "vkgpt/train/plan_options.hpp"
#include "vkgpt/vk/kernel_record.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/presets.hpp"
#include "cli/commands.hpp"
#include "cli/device/tune.hpp"
#include "cli/run_options.hpp"

namespace vkgpt::cli {
namespace {

struct TuneOptions {
  double seconds = 20;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(FieldInfo{.name = "seconds",
                    .group = "Tuning",
                    .help = "Time to spend; the products that cost the most come first",
                    .min = 0.1,
                    .max = 86400},
          self.seconds);
  }
};

struct Product {
  ops::MatmulKey key;
  double flops = 0;  // of all its occurrences
};

/// The products of the train plan, by work. Those of the decode plan leave nothing to choose: their bits may
/// not depend on measurements.
std::vector<Product> products_of(const model::GptConfig& model, const train::TrainConfig& config,
                                 vk::Target target) {
  target.caps.max_allocation_bytes = UINT64_MAX;  // nothing is allocated
  const model::GptParams params(model, train::adaptation(config));
  std::map<std::string, double> flops;  // by key
  const plan::Plan plan = train::train_schedule(params, config, model.block_size, target).plan;
  for (const plan::Segment& segment : plan.segments) {
    for (const plan::Dispatch& dispatch : segment.dispatches) {
      if (!dispatch.work.empty()) flops[dispatch.work] += static_cast<double>(dispatch.cost.flops);
    }
  }
  std::vector<Product> products;
  for (const auto& [work, sum] : flops) {
    if (const auto key = ops::parse_matmul_key(work)) products.push_back({*key, sum});
  }
  std::ranges::sort(products, std::ranges::greater{}, &Product::flops);
  return products;
}

std::vector<TunedProduct> tune_products(vk::Context& context, const vk::Target& target,
                                        const std::vector<Product>& products, double seconds) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<TunedProduct> tuned;
  std::print(stderr, "{:<44} {:>9}  {:<26} {:>9}  {:<26} {:>6}\n", "product", "GFLOP/s", "without tuning",
             "GFLOP/s", "best", "gain");
  for (std::size_t i = 0; i < products.size() && !interrupted(); ++i) {
    const double left =
        seconds - std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (left <= 0) {
      std::print(stderr, "{} of {} products: --seconds {} are over\n", i, products.size(), seconds);
      break;
    }
    const auto best =
        tune_product(context, target, products[i].key, left / static_cast<double>(products.size() - i));
    if (!best) continue;
    if (best->candidates == 0) {
      std::print(stderr, "{:<44} no kernel is right\n", ops::to_string(best->key));
      tuned.push_back(*best);
      continue;
    }
    const double flops = best->key.flops();
    std::print(stderr, "{:<44} {:>9.1f}  {:<26} {:>9.1f}  {:<26} {:>5.2f}x\n", ops::to_string(best->key),
               flops / best->usual_seconds / 1e9, ops::to_string(best->usual),
               flops / best->best_seconds / 1e9, ops::to_string(best->best),
               best->usual_seconds / best->best_seconds);
    tuned.push_back(*best);
  }
  return tuned;
}

}  // namespace

int run_tune(std::span<const std::string> args) {
  PresetOptions preset;
  model::GptConfig model;
  train::TrainConfig config;
  TuneOptions options;
  RunOptions run;
  CommandLine command(
      "tune",
      "Times the kernels that can do the matrix products of training and generating with these "
      "flags, and keeps the best for this device.");
  command.add(preset).add(model).add(config).add(options).add(run);
  if (!command.parse(args)) return 0;
  model.vocab_size = vocabulary_of(preset);
  model.validate();
  config.validate();
  if (config.batch_size == 0) fail_usage("--batch_size auto asks for memory: give a number here");
  install_interrupt_handlers();

  const vk::ContextOptions opening = context_options(run);
  vk::Context context(opening);
  std::print(stderr, "device: {} ({})\n", context.caps().name, context.caps().driver);
  const vk::Target target =
      retried(context.target(), vk::read_kernel_record(opening.cache_dir, context.caps()));
  const std::vector<TunedProduct> tuned =
      tune_products(context, target, products_of(model, config, context.target()), options.seconds);
  context.instance().check_messages();
  if (interrupted()) return static_cast<int>(ExitCode::kInterrupted);

  const std::string today =
      vkgpt::format("{:%F}", std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
  vk::update_kernel_record(opening.cache_dir, context.caps(),
                           [&](vk::KernelRecord& record) { record_tuning(record, tuned, today); });
  nlohmann::ordered_json products = nlohmann::ordered_json::array();
  for (const TunedProduct& product : tuned) {
    if (product.candidates == 0) continue;
    products.push_back({{"key", ops::to_string(product.key)},
                        {"usual", ops::to_string(product.usual)},
                        {"usual_seconds", product.usual_seconds},
                        {"best", ops::to_string(product.best)},
                        {"best_seconds", product.best_seconds},
                        {"candidates", product.candidates}});
  }
  std::print(stderr, "{} products are kept in {}\n", products.size(),
             vk::kernel_record_path(opening.cache_dir, context.caps()).string());
  if (run.json) {
    const nlohmann::ordered_json out = {
        {"device", context.caps().name}, {"driver", context.caps().driver}, {"products", products}};
    std::print("{}\n", out.dump(2));
  }
  return 0;
}

}  // namespace vkgpt::cli

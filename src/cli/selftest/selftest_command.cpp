#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <print>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/message.hpp"
#include "vkgpt/core/utf8.hpp"
#include "vkgpt/vk/kernel_record.hpp"

#include "cli/command/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/run_options.hpp"
#include "cli/selftest/selftest.hpp"

namespace vkgpt::cli {
namespace {

struct SelfTestOptions {
  bool strict = false;
  std::string op;
  std::string backend = "all";

  /// Whether the group is to be tested. Ops that have no backends go with the scalar ones.
  bool wants(const SelfTestGroup& group) const {
    return (op.empty() || op == group.op) &&
           (backend == "all" || backend == vk::backend_name(group.backend.value_or(vk::Backend::kScalar)));
  }
  bool wants_all() const { return op.empty() && backend == "all"; }

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    visit(
        FieldInfo{.name = "strict",
                  .group = "Self-test",
                  .help = "Exit 1 for a backend that fails, too, not only for kernels without a substitute"},
        self.strict);
    visit(FieldInfo{.name = "op", .group = "Self-test", .help = "Test only this op, such as norm or matmul"},
          self.op);
    visit(FieldInfo{.name = "backend",
                    .group = "Self-test",
                    .help = "Test the kernels of one backend only",
                    .choices = "all|scalar|simt|khr|nv"},
          self.backend);
  }
};

/// One pass over the groups of a device, with its record on the disk always up to date, but for kernels that
/// are not the program's own, of which the record says nothing.
class SelfTest {
 public:
  SelfTest(vk::Context& context, const vk::ContextOptions& options)
      : context_(context),
        cache_dir_(options.cache_dir),
        has_own_kernels_(options.shader_dir.empty()),
        record_(vk::read_kernel_record(options.cache_dir, context.caps())),
        today_(vkgpt::format("{:%F}",
                             std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()))) {}

  void run(const SelfTestOptions& options) {
    if (!options.wants_all()) return run_groups(options);
    end_with("its process runs or was killed");
    try {
      run_groups(options);
    } catch (const Error& error) {
      end_with(message_line(error.what()));
      throw;
    }
    update([this](vk::KernelRecord& record) {
      record.tested = today_;
      record.unfinished.reset();
    });
  }

  const std::vector<SelfTestResult>& results() const { return results_; }
  const vk::KernelRecord& record() const { return record_; }

 private:
  void run_groups(const SelfTestOptions& options) {
    for (const SelfTestGroup& group : selftest_groups(context_.caps())) {
      if (!options.wants(group)) continue;
      const std::vector<SelfTestResult> results =
          test_and_record(context_, group, today_, [this](const auto& change) { update(change); });
      for (const SelfTestResult& result : results) std::print(stderr, "{}\n", selftest_line(result));
      std::ranges::copy(results, std::back_inserter(results_));
    }
  }

  void end_with(const std::string& reason) {
    update([&](vk::KernelRecord& record) { record.unfinished = {reason, today_}; });
  }

  void update(const std::function<void(vk::KernelRecord&)>& change) {
    if (has_own_kernels_) {
      record_ = vk::update_kernel_record(cache_dir_, context_.caps(), change);
    } else {
      change(record_);
    }
  }

  vk::Context& context_;
  std::filesystem::path cache_dir_;
  bool has_own_kernels_;
  vk::KernelRecord record_;
  std::string today_;
  std::vector<SelfTestResult> results_;
};

void check_op(std::string_view op) {
  if (op.empty() || std::ranges::contains(check::op_tables(), op, &check::OpTable::op)) return;
  std::string known;
  for (const check::OpTable& table : check::op_tables()) known += " " + std::string(table.op);
  fail_usage("--op: no op is called '{}': there are{}", printable(op), known);
}

/// The error where no other kernel can take a failing one's place.
[[noreturn]] void fail_kernels(std::size_t failed, std::size_t cases, const std::string& device,
                               const std::filesystem::path& shader_dir) {
  const std::string count = vkgpt::format("{} of {} cases fail on {}", failed, cases, device);
  if (!shader_dir.empty()) fail("{}, with the kernels of {}", count, shader_dir.string());
  fail(
      "{} and nothing can replace their kernels: update its driver, or choose another device with "
      "--device",
      count);
}

}  // namespace

int run_selftest(std::span<const std::string> args) {
  SelfTestOptions options;
  RunOptions run;
  CommandLine command(
      "selftest",
      "Compares every kernel with its definition in double precision on this device. A backend "
      "that fails is switched off, until it passes again.");
  command.add(options).add(run);
  if (!command.parse(args)) return 0;
  check_op(options.op);
  install_interrupt_handlers();

  vk::ContextOptions context_options = cli::context_options(run);
  context_options.check = {};  // what is switched off is tested all the same
  vk::Context context(context_options);
  std::print(stderr, "device: {} ({})\n{:<17} {:<44} {:>8} {:>8}\n", context.caps().name,
             context.caps().driver, "op", "variant", "error", "bound");
  const auto start = std::chrono::steady_clock::now();
  SelfTest test(context, context_options);
  test.run(options);
  context.instance().check_messages();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  std::size_t failed = 0, irreplaceable = 0;
  for (const SelfTestResult& result : test.results()) {
    if (result.failure.empty()) continue;
    ++failed;
    if (!result.group.is_replaceable()) ++irreplaceable;
  }
  std::print(stderr, "{} cases of kernels, {} failed, in {:.1f} s\n", test.results().size(), failed, seconds);
  for (const auto& [name, failure] : test.record().disabled) {
    std::print(stderr, "{} {}: {}\n", name,
               context_options.shader_dir.empty() ? "is off from now on" : "would be off", failure.reason);
  }
  if (run.json) {
    nlohmann::ordered_json record = {{"device", context.caps().name},
                                     {"driver", context.caps().driver},
                                     {"seconds", seconds},
                                     {"failed", failed},
                                     {"disabled", nlohmann::ordered_json::array()},
                                     {"cases", selftest_json(test.results())}};
    for (const auto& [name, failure] : test.record().disabled) record["disabled"].push_back(name);
    std::print("{}\n", record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  if (irreplaceable > 0) {
    fail_kernels(irreplaceable, test.results().size(), context.caps().name, context_options.shader_dir);
  }
  return failed > 0 && options.strict ? static_cast<int>(ExitCode::kFailure) : 0;
}

}  // namespace vkgpt::cli

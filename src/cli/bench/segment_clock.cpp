#include "cli/bench/segment_clock.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/interrupt.hpp"

namespace vkgpt::cli {
namespace {

constexpr double kBudgetSeconds = 0.25;  // for the replays of one segment
constexpr std::size_t kLeastRuns = 3;
constexpr std::size_t kMostRuns = 25;

}  // namespace

int repeats_of(const vk::DeviceCaps& caps, const plan::Cost& cost) {
  const double flops = std::max(1.0, static_cast<double>(cost.flops));
  const double bytes = std::max(1.0, static_cast<double>(cost.bytes));
  const double repeats =
      caps.is_cpu() ? std::min(1e9 / flops, 2e8 / bytes) : std::min(4e11 / flops, 2e10 / bytes);
  return static_cast<int>(caps.is_cpu() ? std::clamp(repeats, 1.0, 16.0) : std::clamp(repeats, 4.0, 64.0));
}

plan::Cost segment_cost(const plan::Plan& plan, std::string_view segment) {
  plan::Cost cost;
  for (const plan::Dispatch& dispatch : plan.segment(segment).dispatches) {
    cost.flops += dispatch.cost.flops;
    cost.bytes += dispatch.cost.bytes;
  }
  return cost;
}

SegmentClock::SegmentClock(vk::Context& context, plan::Executor& executor)
    : context_(context),
      executor_(executor),
      has_timestamps_(context.caps().timestamp_period_ns > 0 && !context.caps().is_cpu()),
      start_(context.device(), "start"),
      stop_(context.device(), "stop") {
  executor_.build_pipelines();
  if (!has_timestamps_) return;
  timestamps_ = vk::Timestamps(context.device(), 2);
  start_.begin();
  start_.reset_queries(timestamps_.pool(), 0, 2);
  start_.write_timestamp(timestamps_.pool(), 0);
  start_.end();
  stop_.begin();
  stop_.write_timestamp(timestamps_.pool(), 1);
  stop_.end();
}

double SegmentClock::time(std::string_view segment) {
  const std::vector<double> seconds = times(segment);
  return seconds[seconds.size() / 2];
}

double SegmentClock::least_time(std::string_view segment) {
  return times(segment).front();
}

std::vector<double> SegmentClock::times(std::string_view segment) {
  // Eagerly first: it warms up, and its times say how the recording cuts long work.
  executor_.run_eager(segment, 0);
  executor_.record(segment);
  std::vector<double> seconds;
  for (double total = 0;
       seconds.size() < kLeastRuns || (total < kBudgetSeconds && seconds.size() < kMostRuns);) {
    if (interrupted()) throw Error("interrupted", ExitCode::kInterrupted);
    seconds.push_back(replay(segment));
    total += seconds.back();
  }
  std::ranges::sort(seconds);
  return seconds;
}

double SegmentClock::replay(std::string_view segment) {
  vk::Queue& queue = context_.queue();
  if (has_timestamps_) {
    // The other slot's replay keeps the device busy while the host submits what is timed, so that no gap
    // between those submissions counts.
    executor_.submit(segment, 1);
    queue.submit(start_, "start");
    executor_.submit(segment, 0);
    queue.wait(queue.submit(stop_, "stop"));
    return 1e-9 * timestamps_.read_ns()[1];
  }
  const auto start = std::chrono::steady_clock::now();
  queue.wait(executor_.submit(segment, 0));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace vkgpt::cli

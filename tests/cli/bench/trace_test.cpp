#include "cli/bench/trace.hpp"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/run_vkgpt.hpp"

namespace vkgpt::cli {
namespace {

plan::ProfiledSegment segment(double at_ns) {
  plan::ProfiledSegment segment;
  segment.name = "micro_step";
  segment.record_ns = at_ns;
  segment.submit_ns = at_ns + 1000;
  segment.submitted_ns = at_ns + 2000;
  segment.waited_ns = at_ns + 12'000;
  segment.dispatches = {
      {.label = "h0/norm", .stem = "norm", .cost = {}, .group = 0, .begin_ns = 0, .end_ns = 1000},
      {.label = "h0/q",
       .stem = "linear",
       .cost = {.flops = 7, .bytes = 9},
       .group = 1,
       .begin_ns = 1500,
       .end_ns = 4000},
      {.label = "h0/k", .stem = "linear", .cost = {}, .group = 1, .begin_ns = 4000, .end_ns = 6000}};
  return segment;
}

/// Checks that the complete events of each track follow one another, and counts them.
std::map<int, int> count_events(const nlohmann::json& trace) {
  std::map<int, int> counts;
  std::map<int, double> ends;
  for (const nlohmann::json& event : trace["traceEvents"]) {
    if (event["ph"] != "X") continue;
    const int track = event["tid"];
    const double begin = event["ts"], duration = event["dur"];
    EXPECT_GE(duration, 0) << event;
    // Microseconds as doubles are rounded to less than a picosecond here.
    EXPECT_GE(begin, ends[track] - 1e-6) << event;
    ends[track] = begin + duration;
    ++counts[track];
  }
  return counts;
}

TEST(DeviceOrigins, WorkEndsWithTheWaitButNeverBeginsEarly) {
  const std::vector<plan::ProfiledSegment> segments = {segment(0), segment(20'000)};
  EXPECT_EQ(device_origins(segments), (std::vector<double>{6000, 26'000}));
  std::vector<plan::ProfiledSegment> fast_host = segments;
  fast_host[0].waited_ns = 3000;  // before the device's clock says that it had finished
  fast_host[1].submit_ns = 5000;
  fast_host[1].waited_ns = 8000;
  EXPECT_EQ(device_origins(fast_host), (std::vector<double>{1000, 7000}));
}

TEST(TraceJson, HasTracksOfHostGroupsAndDispatches) {
  const std::vector<plan::ProfiledSegment> segments = {segment(0), segment(20'000)};
  const nlohmann::json trace = nlohmann::json::parse(trace_json(segments, "gpu").dump());
  EXPECT_EQ(count_events(trace), (std::map<int, int>{{1, 6}, {2, 4}, {3, 6}}));
  const nlohmann::json& dispatch = trace["traceEvents"][4 + 3 + 2 + 1];
  EXPECT_EQ(dispatch["name"], "h0/q");
  EXPECT_EQ(dispatch["ts"], 7.5);
  EXPECT_EQ(dispatch["dur"], 2.5);
  EXPECT_EQ(dispatch["args"]["flops"], 7);
  EXPECT_EQ(dispatch["args"]["group"], 1);
  EXPECT_EQ(trace["traceEvents"][0]["args"]["name"], "gpu");
}

TEST(GpuProfileCommand, WritesATraceOfEveryDispatch) {
  const TempDirectory directory;
  const std::string file = (directory / "trace.json").string();
  const RunResult result = run_vkgpt({"profile", "--n_layer", "1", "--n_embd", "32", "--n_head", "2",
                                      "--block_size", "16", "--batch_size", "2", "--grad_accum_steps", "2",
                                      "--profile_steps", "2", "--out", file, "--json"});
  ASSERT_EQ(result.code, 0) << result.err;
  const nlohmann::json record = nlohmann::json::parse(result.out);
  int calls = 0;
  double milliseconds = 0;
  for (const nlohmann::json& kernel : record["kernels"]) {
    calls += kernel["calls"].get<int>();
    milliseconds += kernel["ms"].get<double>();
  }
  const std::map<int, int> events = count_events(nlohmann::json::parse(read_file(file)));
  EXPECT_EQ(events.at(3), 2 * calls);
  EXPECT_EQ(events.at(2), 2 * record["barrier_groups"].get<int>());
  EXPECT_EQ(events.at(1), 2 * 3 * 3);  // two micro-steps, update: record, submit, wait
  EXPECT_LT(record["barrier_groups"], calls);
  EXPECT_GT(milliseconds, 0);
  EXPECT_LE(milliseconds, record["device_ms"].get<double>() * 1.001);
}

}  // namespace
}  // namespace vkgpt::cli

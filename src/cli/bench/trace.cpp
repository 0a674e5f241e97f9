#include "cli/bench/trace.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <nlohmann/json.hpp>

#include "vkgpt/core/format.hpp"

namespace vkgpt::cli {
namespace {

using Json = nlohmann::ordered_json;

enum class Track { kHost = 1, kGroups, kDispatches };

constexpr std::array kTrackNames = {"host", "barrier groups", "dispatches"};

Json event(std::string name, std::string category, Track track, double begin_ns, double end_ns) {
  return {{"name", std::move(name)},
          {"cat", std::move(category)},
          {"ph", "X"},
          {"pid", 1},
          {"tid", static_cast<int>(track)},
          {"ts", begin_ns / 1e3},
          {"dur", (end_ns - begin_ns) / 1e3}};
}

void add_host(Json& events, const plan::ProfiledSegment& segment) {
  events.push_back(
      event("record " + segment.name, "host", Track::kHost, segment.record_ns, segment.submit_ns));
  events.push_back(
      event("submit " + segment.name, "host", Track::kHost, segment.submit_ns, segment.submitted_ns));
  events.push_back(
      event("wait " + segment.name, "host", Track::kHost, segment.submitted_ns, segment.waited_ns));
}

void add_groups(Json& events, const plan::ProfiledSegment& segment, double origin) {
  for (auto first = segment.dispatches.begin(); first != segment.dispatches.end();) {
    const auto end =
        std::ranges::find_if(first, segment.dispatches.end(),
                             [&](const plan::ProfiledDispatch& d) { return d.group != first->group; });
    Json group = event(vkgpt::format("{} {}", segment.name, first->group), "group", Track::kGroups,
                       origin + first->begin_ns, origin + (end - 1)->end_ns);
    group["args"] = {{"dispatches", end - first}};
    events.push_back(std::move(group));
    first = end;
  }
}

void add_dispatches(Json& events, const plan::ProfiledSegment& segment, double origin) {
  for (const plan::ProfiledDispatch& dispatch : segment.dispatches) {
    Json one = event(dispatch.label, dispatch.stem, Track::kDispatches, origin + dispatch.begin_ns,
                     origin + dispatch.end_ns);
    one["args"] = {{"kernel", dispatch.stem},
                   {"group", dispatch.group},
                   {"flops", dispatch.cost.flops},
                   {"bytes", dispatch.cost.bytes}};
    events.push_back(std::move(one));
  }
}

}  // namespace

std::vector<double> device_origins(std::span<const plan::ProfiledSegment> segments) {
  std::vector<double> origins;
  double last_end = 0;
  for (const plan::ProfiledSegment& segment : segments) {
    origins.push_back(std::max({last_end, segment.submit_ns, segment.waited_ns - segment.device_ns()}));
    last_end = origins.back() + segment.device_ns();
  }
  return origins;
}

nlohmann::ordered_json trace_json(std::span<const plan::ProfiledSegment> segments, std::string_view device) {
  Json events = Json::array();
  events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"args", {{"name", device}}}});
  for (std::size_t i = 0; i < kTrackNames.size(); ++i) {
    events.push_back({{"name", "thread_name"},
                      {"ph", "M"},
                      {"pid", 1},
                      {"tid", i + 1},
                      {"args", {{"name", kTrackNames[i]}}}});
  }
  const std::vector<double> origins = device_origins(segments);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    add_host(events, segments[i]);
    add_groups(events, segments[i], origins[i]);
    add_dispatches(events, segments[i], origins[i]);
  }
  return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

}  // namespace vkgpt::cli

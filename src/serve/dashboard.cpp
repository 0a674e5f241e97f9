#include "vkgpt/serve/dashboard.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/interrupt.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/train/run_settings.hpp"

#include "serve/access.hpp"
#include "serve/http_server.hpp"
#include "serve/request_error.hpp"
#include "serve/run_log_reader.hpp"
#include "serve/web_files.hpp"

namespace vkgpt::serve {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kBytesATick = 64 << 20;  // of all logs
constexpr std::size_t kMostPoints = 20000;
constexpr std::size_t kMostSamples = 200;
constexpr std::uint64_t kTicksAScan = 20;  // two seconds

/// The parameter of that name in "run=1&key=loss"; nothing where there is none or it is no number.
std::optional<double> number_in(const std::string& query, const std::string& name) {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (!pair.starts_with(name + "=")) continue;
    const std::string_view text = pair.substr(name.size() + 1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      return std::nullopt;
    return value;
  }
  return std::nullopt;
}

OrderedJson settings_of(const Path& run) {
  OrderedJson json = OrderedJson::object();
  try {
    for (const Setting& setting : train::saved_settings(run)) json[setting.key] = setting.text;
  } catch (const Error&) {
    // A damaged file has no settings to show.
  }
  return json;
}

/// Numbers of up to six digits: a curve has no more.
OrderedJson numbers(const std::vector<float>& values) {
  OrderedJson list = OrderedJson::array();
  for (const float value : values) {
    if (!std::isfinite(value)) {
      list.push_back(nullptr);
      continue;
    }
    char text[32];
    const auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::general, 6).ptr;
    double rounded = 0;
    std::from_chars(text, end, rounded);
    list.push_back(rounded);
  }
  return list;
}

OrderedJson grids_of(const RunLogReader& log) {
  OrderedJson all = OrderedJson::object();
  for (const auto& [name, grid] : log.grids()) {
    OrderedJson rows = OrderedJson::array();
    for (const auto& [row, values] : grid.rows) rows.push_back({{"name", row}, {"values", numbers(values)}});
    all[name] = {{"steps", grid.steps}, {"rows", std::move(rows)}};
  }
  return all;
}

/// The texts that a run drew, newest first.
OrderedJson samples_of(const Path& run) {
  std::vector<std::pair<std::int64_t, Path>> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run / "samples", error)) {
    const std::string name = entry.path().stem().string();
    std::int64_t step = 0;
    if (!name.starts_with("step-") || entry.path().extension() != ".txt") continue;
    if (std::from_chars(name.data() + 5, name.data() + name.size(), step).ec == std::errc())
      files.emplace_back(step, entry.path());
  }
  std::ranges::sort(files, std::ranges::greater());
  if (files.size() > kMostSamples) files.resize(kMostSamples);
  OrderedJson list = OrderedJson::array();
  for (const auto& [step, path] : files) {
    try {
      list.push_back({{"step", step}, {"text", read_file(path, 1 << 20)}});
    } catch (const Error&) {
      continue;  // it is being replaced
    }
  }
  return list;
}

class Dashboard : public HttpHandler {
 public:
  Dashboard(std::vector<Path> places, std::function<bool()> is_over)
      : access_("127.0.0.1", ""), is_over_(std::move(is_over)), places_(std::move(places)) {
    add_runs();
  }

  void connect(HttpServer& server) { server_ = &server; }

  void handle(ExchangeId exchange, HttpRequest request) override {
    HttpResponse response;
    try {
      access_.check_origin(request);
      if (request.method != "GET" && request.method != "HEAD") {
        throw RequestError(405, "invalid_request_error", "method_not_allowed", "only GET is allowed");
      }
      if (request.path == "/events") return listen(exchange);
      response = answer(request);
    } catch (const RequestError& error) {
      response = {.status = error.status(), .body = error.body()};
    }
    add_safe_headers(response);
    server_->respond(exchange, std::move(response));
  }

  void abandoned(ExchangeId exchange) override { listeners_.erase(exchange); }

  void tick() override {
    if (interrupted() || (is_over_ && is_over_())) server_->stop();
    if (++ticks_ % kTicksAScan == 0 && add_runs()) tell_json({{"runs", true}});
    if (ticks_ % 100 == 0) tell(": still here\n\n");
    if (runs_.empty() || (listeners_.empty() && is_loaded_)) return;
    std::size_t left = kBytesATick;
    is_loaded_ = true;
    for (std::size_t i = 0; i < runs_.size() && left > 0; ++i) {
      const std::size_t which = (next_ + i) % runs_.size();
      const std::size_t count = follow(which, left);
      if (count > 0) is_loaded_ = false;
      left -= std::min(left, count);
    }
    next_ = (next_ + 1) % runs_.size();
  }

 private:
  struct Run {
    explicit Run(const Path& directory) : log(directory) {}

    RunLogReader log;
    std::uint64_t grids_version = 0;
    std::map<std::string, std::size_t> told;  // values of each series that listeners know of
    std::uint64_t generation = 0;
    std::filesystem::file_time_type samples_time = {};
  };

  /// Whether there are new ones. Those that there were keep their numbers.
  bool add_runs() {
    const std::size_t before = runs_.size();
    for (const Path& found : find_runs(places_)) {
      const auto is_it = [&](const Run& run) { return run.log.directory() == found; };
      if (std::ranges::none_of(runs_, is_it)) runs_.emplace_back(found);
    }
    if (runs_.size() > before) is_loaded_ = false;
    return runs_.size() > before;
  }

  HttpResponse answer(const HttpRequest& request) const {
    if (request.path == "/") return page("dashboard");
    if (request.path == "/runs") return {.body = json_text(list())};
    if (request.path != "/series" && request.path != "/grids" && request.path != "/samples") {
      return web_file(request.path);
    }
    const auto run =
        static_cast<std::size_t>(std::clamp(number_in(request.query, "run").value_or(1e9), 0.0, 1e9));
    if (run >= runs_.size())
      throw RequestError(404, "invalid_request_error", "not_found", "there is no such run", "run");
    if (request.path == "/grids") return {.body = json_text(grids_of(runs_[run].log))};
    if (request.path == "/samples") return {.body = json_text(samples_of(runs_[run].log.directory()))};
    return {.body = json_text(series(run, request.query))};
  }

  OrderedJson list() const {
    OrderedJson all = OrderedJson::array();
    for (const Run& run : runs_) {
      const Path whole = run.log.directory().lexically_normal();
      all.push_back({{"name", (whole.has_filename() ? whole : whole.parent_path()).filename().string()},
                     {"path", run.log.directory().string()},
                     {"settings", settings_of(run.log.directory())}});
    }
    return {{"runs", all}};
  }

  OrderedJson series(std::size_t run, const std::string& query) const {
    const double from = number_in(query, "from").value_or(-INFINITY),
                 to = number_in(query, "to").value_or(INFINITY);
    const auto points = static_cast<std::size_t>(
        std::clamp(number_in(query, "points").value_or(1000), 2.0, static_cast<double>(kMostPoints)));
    OrderedJson all = OrderedJson::object();
    for (const auto& [key, values] : runs_[run].log.series()) {
      const LogSeries thin = thinned(values, from, to, points);
      all[key] = {{"steps", thin.steps}, {"values", numbers(thin.values)}};
    }
    return {{"run", run}, {"series", all}};
  }

  void listen(ExchangeId exchange) {
    HttpResponse head{.content_type = "text/event-stream; charset=utf-8"};
    add_safe_headers(head);
    server_->begin(exchange, std::move(head));
    server_->append(exchange, "retry: 2000\n\n: here\n\n");
    listeners_.insert(exchange);
  }

  void tell(const std::string& event) {
    for (const ExchangeId listener : listeners_) server_->append(listener, event);
  }
  void tell_json(const OrderedJson& json) {
    if (!listeners_.empty()) tell("data: " + json_text(json) + "\n\n");
  }

  /// Reads what is new of a run and tells of it. Gives the bytes read.
  std::size_t follow(std::size_t which, std::size_t bytes) {
    Run& run = runs_[which];
    const std::size_t count = run.log.read(bytes);
    tell_of_samples(which, run);
    if (count == 0 && run.generation == run.log.generation()) return 0;
    constexpr std::size_t kMostAdded = 500;  // more are fetched, thinned
    OrderedJson added = OrderedJson::object();
    bool is_much = run.generation != run.log.generation();
    for (const auto& [key, values] : run.log.series()) {
      std::size_t& told = run.told[key];
      told = std::min(told, values.steps.size());
      is_much = is_much || values.steps.size() - told > kMostAdded;
      if (!is_much && told < values.steps.size()) {
        const auto at = static_cast<std::ptrdiff_t>(told);
        added[key] = {{"steps", std::vector(values.steps.begin() + at, values.steps.end())},
                      {"values", numbers({values.values.begin() + at, values.values.end()})}};
      }
      told = values.steps.size();
    }
    run.generation = run.log.generation();
    if (is_much) {
      tell_json({{"run", which}, {"reload", true}});
    } else if (!added.empty()) {
      tell_json({{"run", which}, {"added", added}});
    }
    if (std::exchange(run.grids_version, run.log.grids_version()) != run.log.grids_version()) {
      tell_json({{"run", which}, {"grids", true}});
    }
    return count;
  }

  void tell_of_samples(std::size_t which, Run& run) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(run.log.directory() / "samples", error);
    if (error || time == run.samples_time) return;
    run.samples_time = time;
    tell_json({{"run", which}, {"samples", true}});
  }

  Access access_;
  std::function<bool()> is_over_;
  HttpServer* server_ = nullptr;
  std::vector<Path> places_;  // where runs are looked for
  std::vector<Run> runs_;
  std::set<ExchangeId> listeners_;
  std::size_t next_ = 0;
  std::uint64_t ticks_ = 0;
  bool is_loaded_ = false;  // all logs have been read to their ends
};

}  // namespace

std::vector<Path> find_runs(const std::vector<Path>& places) {
  std::vector<Path> runs;
  const auto has_begun = [](const Path& directory) {
    std::error_code error;
    return std::filesystem::exists(directory / "metrics.jsonl", error);
  };
  for (const Path& place : places) {
    if (has_begun(place)) {
      runs.push_back(place);
      continue;
    }
    std::vector<Path> below;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(place, error), end; !error && entry != end;
         entry.increment(error)) {
      if (has_begun(entry->path())) below.push_back(entry->path());
    }
    std::ranges::sort(below);
    runs.insert(runs.end(), below.begin(), below.end());
  }
  return runs;
}

void show_dashboard(const std::vector<Path>& places, std::uint16_t port,
                    const std::function<void(const std::string& address)>& started,
                    const std::function<bool()>& is_over) {
  Dashboard dashboard(places, is_over);
  HttpServer server("127.0.0.1", port, dashboard);
  dashboard.connect(server);
  started(vkgpt::format("http://127.0.0.1:{}", server.port()));
  server.run();
}

}  // namespace vkgpt::serve

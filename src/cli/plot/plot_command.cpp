#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"

#include "cli/command/command_line.hpp"
#include "cli/command/print_path.hpp"
#include "cli/commands.hpp"
#include "cli/plot/loss_chart.hpp"
#include "cli/plot/png_canvas.hpp"
#include "cli/plot/svg_canvas.hpp"

namespace vkgpt::cli {
namespace {

struct PlotOptions {
  std::string out = "loss.svg";
  double smoothing = -1;
  std::string title;
  std::string log;
  std::string output;

  template <typename Visitor, typename Self>
  static void visit_fields(Visitor&& visit, Self& self) {
    constexpr auto kGroup = "Plot";
    visit(FieldInfo{.name = "out", .group = kGroup, .help = "Picture to write, .svg or .png (also -o FILE)"},
          self.out);
    visit(FieldInfo{.name = "smoothing",
                    .group = kGroup,
                    .help = "Weight of each next neighbour in the smoothed curves; 0: none, -1: fits",
                    .min = -1,
                    .max = 1,
                    .max_open = true},
          self.smoothing);
    visit(
        FieldInfo{.name = "title", .group = kGroup, .help = "Heading; the run's name where there is one run"},
        self.title);
    visit(
        FieldInfo{
            .name = "log", .group = kGroup, .help = "A run too: its directory, metrics.jsonl or metrics.csv"},
        self.log);
    visit(FieldInfo{.name = "output", .group = kGroup, .help = "Directory for the picture, made if needed"},
          self.output);
  }
};

/// Runs that have the same name get as much of their path as tells them apart.
void tell_apart(std::vector<train::RunHistory>& runs, std::span<const std::string> paths) {
  std::vector<std::string> names;
  for (const train::RunHistory& run : runs) names.push_back(run.name);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (std::ranges::count(names, names[i]) > 1) runs[i].name = paths[i];
  }
}

}  // namespace

int run_plot(std::span<const std::string> args) {
  std::vector<std::string> words(args.begin(), args.end());
  std::ranges::replace(words, std::string("-o"), std::string("--out"));
  PlotOptions options;
  CommandLine command("plot", "Draws loss, learning rate and gradient norm of one or several runs.",
                      "RUN...");
  command.add(options);
  if (!command.parse(words)) return 0;
  std::vector<std::string> paths = command.positionals();
  if (!options.log.empty()) paths.push_back(options.log);
  if (paths.empty()) fail_usage("no run is given: expected 'vkgpt plot RUN... -o loss.svg'");
  const Path out =
      options.output.empty() ? Path(options.out) : Path(options.output) / Path(options.out).filename();
  const bool is_png = out.extension() == ".png";
  if (!is_png && out.extension() != ".svg") {
    fail_usage("--out = '{}': expected a name that ends in .svg or .png", options.out);
  }
  std::vector<train::RunHistory> runs;
  for (const std::string& path : paths) runs.push_back(train::read_run_history(path));
  tell_apart(runs, paths);

  constexpr double kPngScale = 2;
  std::unique_ptr<Canvas> canvas;
  if (is_png) {
    canvas = std::make_unique<PngCanvas>(kChartWidth, kChartHeight, kPngScale);
  } else {
    canvas = std::make_unique<SvgCanvas>(kChartWidth, kChartHeight);
  }
  draw_loss_chart(*canvas, runs, {.smoothing = options.smoothing, .title = options.title});
  if (!options.output.empty()) make_directories(options.output);
  replace_file(out, canvas->finish());
  print_path(out.string());
  return 0;
}

}  // namespace vkgpt::cli

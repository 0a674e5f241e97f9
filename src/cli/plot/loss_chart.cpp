#include "cli/plot/loss_chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

#include "cli/plot/axis.hpp"
#include "cli/plot/panel.hpp"
#include "cli/plot/stroke_font.hpp"

namespace vkgpt::cli {
namespace {

constexpr Color kWhite{255, 255, 255};
constexpr std::array<Color, 8> kPalette = {{{37, 99, 235},
                                            {234, 88, 12},
                                            {22, 163, 74},
                                            {147, 51, 234},
                                            {220, 38, 38},
                                            {8, 145, 178},
                                            {161, 98, 7},
                                            {219, 39, 119}}};

constexpr double kLeft = 74;
constexpr double kRight = 28;
constexpr double kRawAlpha = 0.28;
constexpr std::size_t kMostDots = 60;  // more evaluations than that are drawn without dots

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return !(low <= high); }
};

Range step_range(std::span<const train::RunHistory> runs) {
  Range range;
  for (const train::RunHistory& run : runs) {
    for (const train::Series* series : {&run.loss, &run.val_loss, &run.learning_rate, &run.grad_norm}) {
      for (const double step : series->steps) range.include(step);
    }
  }
  return range;
}

/// Of raw curves the middle 98 percent, of others everything.
Range value_range(std::span<const Curve> curves) {
  Range range;
  for (const Curve& curve : curves) {
    std::vector<double> values;
    for (const double value : curve.values) {
      if (std::isfinite(value)) values.push_back(value);
    }
    if (values.empty()) continue;
    std::ranges::sort(values);
    const std::size_t cut = curve.raw ? values.size() / 100 : 0;
    range.include(values[cut]);
    range.include(values[values.size() - 1 - cut]);
  }
  return range;
}

Axis value_axis(const Range& range, bool may_be_log, int ticks) {
  if (range.empty()) return linear_axis(0, 1, ticks);
  if (may_be_log && range.low > 0 && range.high > 25 * range.low) {
    return log_axis(range.low / 1.15, range.high * 1.15);
  }
  const double margin = 0.05 * (range.high - range.low);
  const bool near_zero = range.low >= 0 && range.low < 0.15 * range.high;
  const double low = near_zero ? 0 : range.low - margin;
  return linear_axis(low, range.high + margin, ticks);
}

class LossChart {
 public:
  LossChart(Canvas& canvas, std::span<const train::RunHistory> runs, const ChartOptions& options)
      : canvas_(canvas), runs_(runs), options_(options) {}

  void draw() {
    canvas_.fill({0, 0, kChartWidth, kChartHeight}, kWhite);
    double y = 34;
    const std::string title = options_.title.empty() && runs_.size() == 1 ? runs_[0].name : options_.title;
    if (!title.empty()) {
      canvas_.text({kLeft, y}, shortened(title, 90), {.size = 19, .color = kInkColor, .bold = true});
      y += 30;
    }
    y = draw_legend(y);
    constexpr double kSmallHeight = 150;
    constexpr double kGap = 84;  // between the bottom of one panel and the top of the next
    const double small_top = kChartHeight - 52 - kSmallHeight;
    const double top = y + 46;
    const double width = kChartWidth - kLeft - kRight;
    const double half = (width - kGap) / 2;
    draw_panel({kLeft, top, width, small_top - kGap - top}, "loss (nats per token)", loss_curves(), false, 7,
               10);
    draw_panel({kLeft, small_top, half, kSmallHeight}, "learning rate",
               plain_curves(&train::RunHistory::learning_rate), false, 4, 6);
    draw_panel({kLeft + half + kGap, small_top, half, kSmallHeight}, "gradient norm (before clipping)",
               noisy_curves(&train::RunHistory::grad_norm), true, 4, 6);
  }

 private:
  bool single() const { return runs_.size() == 1; }
  Color color_of(std::size_t run) const { return kPalette[run % kPalette.size()]; }
  Color val_color_of(std::size_t run) const { return single() ? kPalette[1] : color_of(run); }
  Color ema_color_of(std::size_t run) const { return single() ? kPalette[2] : color_of(run); }
  static Stroke ema_stroke(const Color& color) { return {.color = color, .width = 2, .dash = 2.5}; }
  Stroke val_stroke(const Color& color) const {
    return {.color = color, .width = 2, .dash = single() ? 0.0 : 5.0};
  }

  static std::string shortened(const std::string& text, std::size_t most) { return printable(text, most); }

  bool smoothed() const { return options_.smoothing != 0; }

  /// Raw and, over all of those, smoothed.
  std::vector<Curve> noisy_curves(train::Series train::RunHistory::* series) const {
    std::vector<Curve> curves;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const train::Series& raw = runs_[i].*series;
      const Color color = smoothed() ? color_of(i).faded(kRawAlpha) : color_of(i);
      curves.push_back({&raw.steps, raw.values, {.color = color, .width = 1.2}, false, true});
    }
    for (std::size_t i = 0; smoothed() && i < runs_.size(); ++i) {
      const train::Series& raw = runs_[i].*series;
      const double smoothing =
          options_.smoothing < 0 ? train::fitting_smoothing(raw.values.size()) : options_.smoothing;
      curves.push_back(
          {&raw.steps, train::smooth(raw.values, smoothing), {.color = color_of(i), .width = 2}});
    }
    return curves;
  }

  std::vector<Curve> loss_curves() const {
    std::vector<Curve> curves = noisy_curves(&train::RunHistory::loss);
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const train::Series& loss = runs_[i].val_loss;
      curves.push_back(
          {&loss.steps, loss.values, val_stroke(val_color_of(i)), loss.steps.size() <= kMostDots});
      const train::Series& average = runs_[i].ema_val_loss;
      curves.push_back({&average.steps, average.values, ema_stroke(ema_color_of(i))});
    }
    return curves;
  }

  std::vector<Curve> plain_curves(train::Series train::RunHistory::* series) const {
    std::vector<Curve> curves;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const train::Series& values = runs_[i].*series;
      curves.push_back({&values.steps, values.values, {.color = color_of(i), .width = 1.6}});
    }
    return curves;
  }

  void draw_panel(const Rect& area, std::string_view title, const std::vector<Curve>& curves, bool may_be_log,
                  int y_ticks, int x_ticks) {
    Range steps = step_range(runs_);
    if (steps.low < 0.1 * steps.high || steps.low == steps.high) steps.low = 0;
    const Range values = value_range(curves);
    const Axis y = value_axis(values, may_be_log, y_ticks);
    Panel panel(canvas_, area, linear_axis(steps.low, steps.high, x_ticks, 1), y);
    panel.draw_frame(y.logarithmic ? vkgpt::format("{}, log scale", title) : std::string(title),
                     !values.empty());
    for (const Curve& curve : curves) panel.draw(curve);
  }

  struct LegendEntry {
    std::string text;
    Stroke stroke;
    bool dot = false;
  };

  std::vector<LegendEntry> legend_entries() const {
    std::vector<LegendEntry> entries;
    constexpr std::size_t kNameLength = 48;
    for (std::size_t i = 0; !single() && i < runs_.size(); ++i) {
      entries.push_back({shortened(runs_[i].name, kNameLength), {.color = color_of(i), .width = 3}});
    }
    const Color train = single() ? color_of(0) : kLabelColor;
    const Color raw = smoothed() ? train.faded(kRawAlpha) : train;
    const auto has = [&](train::Series train::RunHistory::* series) {
      return std::ranges::any_of(runs_, [&](const auto& run) { return !(run.*series).empty(); });
    };
    if (has(&train::RunHistory::loss)) entries.push_back({"training", {.color = raw, .width = 1.2}});
    if (has(&train::RunHistory::loss) && smoothed()) {
      entries.push_back({"training, smoothed", {.color = train, .width = 2}});
    }
    if (has(&train::RunHistory::val_loss)) {
      entries.push_back({"validation", val_stroke(single() ? val_color_of(0) : kLabelColor), true});
    }
    if (has(&train::RunHistory::ema_val_loss)) {
      entries.push_back(
          {"validation, averaged weights", ema_stroke(single() ? ema_color_of(0) : kLabelColor)});
    }
    return entries;
  }

  /// From the baseline `y` on; gives the baseline of the last row.
  double draw_legend(double y) {
    constexpr double kSize = 14;
    constexpr double kSample = 30;
    constexpr double kSpace = 22;
    constexpr double kWideFont = 1.15;  // an SVG viewer may have a wider font than ours
    double x = kLeft;
    for (const LegendEntry& entry : legend_entries()) {
      const double width = kSample + 8 + kWideFont * text_width(entry.text) * kSize;
      if (x > kLeft && x + width > kChartWidth - kRight) {
        x = kLeft;
        y += 22;
      }
      const std::array<Point, 2> sample = {{{x, y - 4.5}, {x + kSample, y - 4.5}}};
      canvas_.line(sample, entry.stroke);
      if (entry.dot) canvas_.dot({x + kSample / 2, y - 4.5}, 3.2, entry.stroke.color);
      canvas_.text({x + kSample + 8, y}, entry.text, {.size = kSize, .color = kInkColor});
      x += width + kSpace;
    }
    return y;
  }

  Canvas& canvas_;
  std::span<const train::RunHistory> runs_;
  const ChartOptions& options_;
};

}  // namespace

void draw_loss_chart(Canvas& canvas, std::span<const train::RunHistory> runs, const ChartOptions& options) {
  LossChart(canvas, runs, options).draw();
}

}  // namespace vkgpt::cli

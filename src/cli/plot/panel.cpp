#include "cli/plot/panel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace vkgpt::cli {
namespace {

constexpr Color kGrid{229, 231, 235};
constexpr Color kFrame{156, 163, 175};
constexpr double kLabelSize = 13;
constexpr double kLeastGap = 1.5;  // narrower ones could not be seen

/// At most four points a pixel column: the first, the least, the greatest, the last.
std::vector<Point> thin_out(const std::vector<Point>& points) {
  std::vector<Point> kept;
  for (std::size_t begin = 0; begin < points.size();) {
    std::size_t end = begin + 1;
    while (end < points.size() && std::floor(points[end].x) == std::floor(points[begin].x)) ++end;
    const auto column = std::span(points).subspan(begin, end - begin);
    if (column.size() <= 4) {
      kept.insert(kept.end(), column.begin(), column.end());
    } else {
      const auto [low, high] = std::ranges::minmax_element(column, {}, &Point::y);
      kept.push_back(column.front());
      kept.push_back(low < high ? *low : *high);
      kept.push_back(low < high ? *high : *low);
      kept.push_back(column.back());
    }
    begin = end;
  }
  return kept;
}

}  // namespace

Panel::Panel(Canvas& canvas, const Rect& area, Axis x, Axis y)
    : canvas_(canvas), area_(area), x_(std::move(x)), y_(std::move(y)) {}

void Panel::draw_frame(std::string_view title, bool has_data) {
  if (has_data) draw_value_ticks();
  draw_step_ticks();
  line({area_.x, area_.bottom()}, {area_.right(), area_.bottom()}, kFrame);
  canvas_.text({area_.x, area_.y - 10}, title,
               {.size = 14, .color = kInkColor, .anchor = Anchor::kStart, .bold = true});
  const TextStyle centered{.size = kLabelSize, .color = kLabelColor, .anchor = Anchor::kMiddle};
  const double middle = area_.x + area_.width / 2;
  canvas_.text({middle, area_.bottom() + 37}, "step", centered);
  if (!has_data) canvas_.text({middle, area_.y + area_.height / 2}, "not in the log", centered);
}

void Panel::draw_value_ticks() {
  const std::vector<std::string> labels = tick_labels(y_);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double y = place(x_.low, y_.ticks[i]).y;
    line({area_.x, y}, {area_.right(), y}, kGrid);
    canvas_.text({area_.x - 9, y + 4.5}, labels[i],
                 {.size = kLabelSize, .color = kLabelColor, .anchor = Anchor::kEnd});
  }
}

void Panel::draw_step_ticks() {
  const std::vector<std::string> labels = tick_labels(x_);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double x = place(x_.ticks[i], y_.low).x;
    line({x, area_.y}, {x, area_.bottom()}, kGrid);
    line({x, area_.bottom()}, {x, area_.bottom() + 4}, kFrame);
    canvas_.text({x, area_.bottom() + 19}, labels[i],
                 {.size = kLabelSize, .color = kLabelColor, .anchor = Anchor::kMiddle});
  }
}

void Panel::draw(const Curve& curve) {
  canvas_.clip(Rect{area_.x - 4, area_.y - 4, area_.width + 8, area_.height + 8});
  std::vector<Point> piece;
  const auto end_piece = [&] {
    const std::vector<Point> points = thin_out(piece);
    if (points.size() == 1 && !curve.dots) canvas_.dot(points[0], 3, curve.stroke.color);
    if (points.size() > 1) canvas_.line(points, curve.stroke);
    piece.clear();
  };
  std::vector<Point> dots;
  bool gap = false;
  for (std::size_t i = 0; i < curve.values.size(); ++i) {
    const double value = curve.values[i];
    if (!std::isfinite(value) || (y_.logarithmic && value <= 0)) {
      gap = true;
      continue;
    }
    const Point point = place((*curve.steps)[i], value);
    if (gap && !piece.empty() && point.x - piece.back().x > kLeastGap) end_piece();
    gap = false;
    piece.push_back(point);
    if (curve.dots) dots.push_back(piece.back());
  }
  end_piece();
  for (const Point& dot : dots) canvas_.dot(dot, 3.2, curve.stroke.color);
  canvas_.clip({});
}

Point Panel::place(double step, double value) const {
  return {area_.x + x_.position(step) * area_.width, area_.bottom() - y_.position(value) * area_.height};
}

void Panel::line(const Point& from, const Point& to, const Color& color) {
  canvas_.line(std::array{from, to}, {.color = color, .width = 1});
}

}  // namespace vkgpt::cli

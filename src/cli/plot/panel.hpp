#pragma once

#include <string_view>
#include <vector>

#include "cli/plot/axis.hpp"
#include "cli/plot/canvas.hpp"

namespace vkgpt::cli {

/// The colours of titles and of what labels axes and curves.
inline constexpr Color kInkColor{31, 41, 55};
inline constexpr Color kLabelColor{75, 85, 99};

/// One curve of a panel.
struct Curve {
  const std::vector<double>* steps;
  std::vector<double> values;  ///< as many as steps; the curve has gaps where they are not finite
  Stroke stroke;
  bool dots = false;
  bool raw = false;  ///< its extremes do not stretch the axis
};

/// A plot area with its axes, steps to the right.
class Panel {
 public:
  Panel(Canvas& canvas, const Rect& area, Axis x, Axis y);

  /// Grid, labels and title; "not in the log" instead of values where there are none.
  void draw_frame(std::string_view title, bool has_data);
  /// Draws inside the area; a point that stands alone becomes a dot.
  void draw(const Curve& curve);

 private:
  void draw_value_ticks();
  void draw_step_ticks();
  Point place(double step, double value) const;
  void line(const Point& from, const Point& to, const Color& color);

  Canvas& canvas_;
  Rect area_;
  Axis x_;
  Axis y_;
};

}  // namespace vkgpt::cli

#pragma once

#include <string>

#include "cli/plot/canvas.hpp"

namespace vkgpt::cli {

/// Writes Scalable Vector Graphics 1.1; text stays text.
class SvgCanvas final : public Canvas {
 public:
  SvgCanvas(double width, double height);

  void fill(const Rect& rect, const Color& color) override;
  void line(std::span<const Point> points, const Stroke& stroke) override;
  void dot(const Point& center, double radius, const Color& color) override;
  void text(const Point& at, std::string_view text, const TextStyle& style) override;
  void clip(const std::optional<Rect>& rect) override;
  std::string finish() override;

 private:
  std::string svg_;
  int clips_ = 0;
  bool clipped_ = false;
};

}  // namespace vkgpt::cli

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vkgpt::cli {

/// Coordinates are in pixels of the figure, x to the right, y downwards.
struct Point {
  double x = 0;
  double y = 0;
};

struct Rect {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  double right() const { return x + width; }
  double bottom() const { return y + height; }
};

struct Color {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  double alpha = 1;

  Color faded(double to) const { return {red, green, blue, to}; }
};

struct Stroke {
  Color color;
  double width = 1;
  double dash = 0;  ///< length of dashes and of the gaps between; 0: solid
};

enum class Anchor { kStart, kMiddle, kEnd };

struct TextStyle {
  double size = 13;  ///< of the em square
  Color color;
  Anchor anchor = Anchor::kStart;
  bool bold = false;
};

/// What a figure is drawn on. Later things cover earlier ones.
class Canvas {
 public:
  virtual ~Canvas() = default;

  virtual void fill(const Rect& rect, const Color& color) = 0;
  /// A line through `points`; where a colour is translucent it does not cover itself twice.
  virtual void line(std::span<const Point> points, const Stroke& stroke) = 0;
  virtual void dot(const Point& center, double radius, const Color& color) = 0;
  /// `at` is on the baseline.
  virtual void text(const Point& at, std::string_view text, const TextStyle& style) = 0;
  /// Nothing is drawn outside `rect` until the next call; without one everything is drawn again.
  virtual void clip(const std::optional<Rect>& rect) = 0;

  /// The contents of the file; nothing may be drawn afterwards.
  virtual std::string finish() = 0;
};

}  // namespace vkgpt::cli

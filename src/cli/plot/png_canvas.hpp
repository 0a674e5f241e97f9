#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/plot/canvas.hpp"

namespace vkgpt::cli {

/// A picture in memory.
struct Bitmap {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> rgb;  // (height, width, 3)
};

/// Portable Network Graphics (RFC 2083), 8 bits a channel. Throws `Error` where zlib fails.
std::string encode_png(const Bitmap& bitmap);

/// Draws antialiased on a white bitmap, `scale` of its pixels for one of the figure.
class PngCanvas final : public Canvas {
 public:
  PngCanvas(double width, double height, double scale);

  void fill(const Rect& rect, const Color& color) override;
  void line(std::span<const Point> points, const Stroke& stroke) override;
  void dot(const Point& center, double radius, const Color& color) override;
  void text(const Point& at, std::string_view text, const TextStyle& style) override;
  void clip(const std::optional<Rect>& rect) override;
  std::string finish() override;

  const Bitmap& bitmap() const { return bitmap_; }

 private:
  /// Pixels [left, right) x [top, bottom).
  struct Box {
    std::ptrdiff_t left = 0;
    std::ptrdiff_t top = 0;
    std::ptrdiff_t right = 0;
    std::ptrdiff_t bottom = 0;
  };

  Box box_around(double left, double top, double right, double bottom) const;
  /// Covers what is nearer to the segment than `radius` (all in bitmap pixels).
  void cover(const Point& from, const Point& to, double radius);
  void cover_dashed(std::span<const Point> points, double radius, double dash);
  /// Lays `color` over what was covered, and forgets the cover.
  void blend(const Color& color);

  double scale_;
  Bitmap bitmap_;
  std::vector<float> cover_;  // (height, width), 0 to 1
  Box covered_;               // outside of it there is none
  Box clip_;
};

}  // namespace vkgpt::cli

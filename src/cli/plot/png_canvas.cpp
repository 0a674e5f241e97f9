#include "cli/plot/png_canvas.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <zlib.h>

#include "vkgpt/core/error.hpp"

#include "cli/plot/stroke_font.hpp"

namespace vkgpt::cli {
namespace {

constexpr double kPenWidth = 0.075;  // em
constexpr double kBoldPenWidth = 0.12;

void append_big_endian(std::string& out, std::uint32_t word) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(word >> shift & 0xff);
}

void append_chunk(std::string& png, std::string_view type, std::string_view data) {
  append_big_endian(png, static_cast<std::uint32_t>(data.size()));
  const std::string body = std::string(type) + std::string(data);
  png += body;
  append_big_endian(png, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                                                          static_cast<uInt>(body.size()))));
}

double distance(const Point& p, const Point& from, const Point& to) {
  const double dx = to.x - from.x;
  const double dy = to.y - from.y;
  const double squared = dx * dx + dy * dy;
  const double t =
      squared == 0 ? 0 : std::clamp(((p.x - from.x) * dx + (p.y - from.y) * dy) / squared, 0.0, 1.0);
  return std::hypot(p.x - from.x - t * dx, p.y - from.y - t * dy);
}

}  // namespace

std::string encode_png(const Bitmap& bitmap) {
  constexpr char kUp = 2;  // filter: a row minus the one above, which flat areas compress best with
  const std::size_t stride = bitmap.width * 3;
  std::string rows;
  rows.reserve(bitmap.height * (stride + 1));
  for (std::size_t y = 0; y < bitmap.height; ++y) {
    rows += kUp;
    for (std::size_t i = y * stride; i < (y + 1) * stride; ++i) {
      rows += static_cast<char>(bitmap.rgb[i] - (y == 0 ? 0 : bitmap.rgb[i - stride]));
    }
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string compressed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(compressed.data()), &size,
                reinterpret_cast<const Bytef*>(rows.data()), static_cast<uLong>(rows.size()),
                Z_BEST_COMPRESSION) != Z_OK) {
    fail("zlib cannot compress the picture: out of memory");
  }
  compressed.resize(size);
  std::string header;
  append_big_endian(header, static_cast<std::uint32_t>(bitmap.width));
  append_big_endian(header, static_cast<std::uint32_t>(bitmap.height));
  header += std::string("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB, deflate, adaptive filters, not interlaced
  std::string png = "\x89PNG\r\n\x1a\n";
  append_chunk(png, "IHDR", header);
  append_chunk(png, "IDAT", compressed);
  append_chunk(png, "IEND", "");
  return png;
}

PngCanvas::PngCanvas(double width, double height, double scale) : scale_(scale) {
  bitmap_.width = static_cast<std::size_t>(std::lround(width * scale));
  bitmap_.height = static_cast<std::size_t>(std::lround(height * scale));
  bitmap_.rgb.assign(bitmap_.width * bitmap_.height * 3, 255);
  cover_.assign(bitmap_.width * bitmap_.height, 0);
  clip({});
}

void PngCanvas::clip(const std::optional<Rect>& rect) {
  clip_ = {0, 0, static_cast<std::ptrdiff_t>(bitmap_.width), static_cast<std::ptrdiff_t>(bitmap_.height)};
  if (rect) {
    clip_ = box_around(rect->x * scale_, rect->y * scale_, rect->right() * scale_, rect->bottom() * scale_);
  }
}

PngCanvas::Box PngCanvas::box_around(double left, double top, double right, double bottom) const {
  const auto clamped = [](double value, std::ptrdiff_t low, std::ptrdiff_t high) {
    return static_cast<std::ptrdiff_t>(
        std::clamp(value, static_cast<double>(low), static_cast<double>(high)));
  };
  return {clamped(std::floor(left), clip_.left, clip_.right),
          clamped(std::floor(top), clip_.top, clip_.bottom),
          clamped(std::ceil(right), clip_.left, clip_.right),
          clamped(std::ceil(bottom), clip_.top, clip_.bottom)};
}

void PngCanvas::fill(const Rect& rect, const Color& color) {
  const double left = rect.x * scale_;
  const double top = rect.y * scale_;
  const double right = rect.right() * scale_;
  const double bottom = rect.bottom() * scale_;
  covered_ = box_around(left, top, right, bottom);
  const auto overlap = [](double low, double high, std::ptrdiff_t pixel) {
    const auto p = static_cast<double>(pixel);
    return std::clamp(std::min(high, p + 1) - std::max(low, p), 0.0, 1.0);
  };
  for (std::ptrdiff_t y = covered_.top; y < covered_.bottom; ++y) {
    for (std::ptrdiff_t x = covered_.left; x < covered_.right; ++x) {
      cover_[static_cast<std::size_t>(y) * bitmap_.width + static_cast<std::size_t>(x)] =
          static_cast<float>(overlap(left, right, x) * overlap(top, bottom, y));
    }
  }
  blend(color);
}

void PngCanvas::cover(const Point& from, const Point& to, double radius) {
  const double reach = radius + 1;
  const Box box = box_around(std::min(from.x, to.x) - reach, std::min(from.y, to.y) - reach,
                             std::max(from.x, to.x) + reach, std::max(from.y, to.y) + reach);
  for (std::ptrdiff_t y = box.top; y < box.bottom; ++y) {
    for (std::ptrdiff_t x = box.left; x < box.right; ++x) {
      const Point center{static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5};
      const double share = std::clamp(radius + 0.5 - distance(center, from, to), 0.0, 1.0);
      float& covered = cover_[static_cast<std::size_t>(y) * bitmap_.width + static_cast<std::size_t>(x)];
      covered = std::max(covered, static_cast<float>(share));
    }
  }
  covered_ = {std::min(covered_.left, box.left), std::min(covered_.top, box.top),
              std::max(covered_.right, box.right), std::max(covered_.bottom, box.bottom)};
}

void PngCanvas::cover_dashed(std::span<const Point> points, double radius, double dash) {
  double walked = 0;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const Point& from = points[i];
    const Point& to = points[i + 1];
    const double length = std::hypot(to.x - from.x, to.y - from.y);
    const auto at = [&](double s) {
      return Point{from.x + (to.x - from.x) * s / length, from.y + (to.y - from.y) * s / length};
    };
    for (double s = 0; s < length;) {
      const double phase = std::fmod(walked + s, 2 * dash);
      const double next = std::min(length, s + std::max(1e-6, (phase < dash ? dash : 2 * dash) - phase));
      if (phase < dash) cover(at(s), at(next), radius);
      s = next;
    }
    walked += length;
  }
}

void PngCanvas::blend(const Color& color) {
  const double channels[] = {static_cast<double>(color.red), static_cast<double>(color.green),
                             static_cast<double>(color.blue)};
  for (std::ptrdiff_t y = covered_.top; y < covered_.bottom; ++y) {
    for (std::ptrdiff_t x = covered_.left; x < covered_.right; ++x) {
      const std::size_t pixel = static_cast<std::size_t>(y) * bitmap_.width + static_cast<std::size_t>(x);
      const double share = std::exchange(cover_[pixel], 0.0F) * color.alpha;
      if (share == 0) continue;
      for (std::size_t c = 0; c < 3; ++c) {
        std::uint8_t& value = bitmap_.rgb[3 * pixel + c];
        value = static_cast<std::uint8_t>(std::lround(value + share * (channels[c] - value)));
      }
    }
  }
  covered_ = {};
}

void PngCanvas::line(std::span<const Point> points, const Stroke& stroke) {
  if (points.empty()) return;
  std::vector<Point> scaled;
  scaled.reserve(points.size());
  for (const Point& point : points) scaled.push_back({point.x * scale_, point.y * scale_});
  const double radius = stroke.width * scale_ / 2;
  covered_ = {clip_.right, clip_.bottom, clip_.left, clip_.top};
  if (stroke.dash > 0) {
    cover_dashed(scaled, radius, stroke.dash * scale_);
  } else {
    for (std::size_t i = 0; i + 1 < scaled.size(); ++i) cover(scaled[i], scaled[i + 1], radius);
    if (scaled.size() == 1) cover(scaled[0], scaled[0], radius);
  }
  blend(stroke.color);
}

void PngCanvas::dot(const Point& center, double radius, const Color& color) {
  line(std::span(&center, 1), {.color = color, .width = 2 * radius});
}

void PngCanvas::text(const Point& at, std::string_view text, const TextStyle& style) {
  const double width = text_width(text) * style.size;
  double left = at.x;
  if (style.anchor == Anchor::kMiddle) left -= width / 2;
  if (style.anchor == Anchor::kEnd) left -= width;
  const double radius = (style.bold ? kBoldPenWidth : kPenWidth) * style.size * scale_ / 2;
  covered_ = {clip_.right, clip_.bottom, clip_.left, clip_.top};
  for (const std::vector<Point>& stroke : text_strokes(text)) {
    const auto place = [&](const Point& p) {
      return Point{(left + p.x * style.size) * scale_, (at.y - p.y * style.size) * scale_};
    };
    for (std::size_t i = 0; i + 1 < stroke.size(); ++i) cover(place(stroke[i]), place(stroke[i + 1]), radius);
  }
  blend(style.color);
}

std::string PngCanvas::finish() {
  return encode_png(bitmap_);
}

}  // namespace vkgpt::cli

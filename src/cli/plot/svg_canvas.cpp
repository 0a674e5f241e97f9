#include "cli/plot/svg_canvas.hpp"

#include <utility>

#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::cli {
namespace {

/// At most so many decimals, without trailing zeros.
std::string number(double value, int decimals = 2) {
  std::string text = vkgpt::format("{:.{}f}", value, decimals);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string paint(std::string_view attribute, const Color& color) {
  std::string text =
      vkgpt::format("{}=\"#{:02x}{:02x}{:02x}\"", attribute, color.red, color.green, color.blue);
  if (color.alpha < 1) text += vkgpt::format(" {}-opacity=\"{}\"", attribute, number(color.alpha));
  return text;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text, 200)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

SvgCanvas::SvgCanvas(double width, double height)
    : svg_(vkgpt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                         "viewBox=\"0 0 {0} {1}\" font-family=\"Helvetica, Arial, sans-serif\" "
                         "stroke-linejoin=\"round\" stroke-linecap=\"round\">\n",
                         number(width), number(height))) {}

void SvgCanvas::fill(const Rect& rect, const Color& color) {
  svg_ += vkgpt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {}/>\n", number(rect.x),
                        number(rect.y), number(rect.width), number(rect.height), paint("fill", color));
}

void SvgCanvas::line(std::span<const Point> points, const Stroke& stroke) {
  if (points.empty()) return;
  svg_ += vkgpt::format("<path fill=\"none\" {} stroke-width=\"{}\"", paint("stroke", stroke.color),
                        number(stroke.width));
  if (stroke.dash > 0) svg_ += vkgpt::format(" stroke-dasharray=\"{}\"", number(stroke.dash));
  svg_ += " d=\"M";
  for (const Point& point : points) svg_ += vkgpt::format("{} {} ", number(point.x, 1), number(point.y, 1));
  svg_.back() = '"';
  svg_ += "/>\n";
}

void SvgCanvas::dot(const Point& center, double radius, const Color& color) {
  svg_ += vkgpt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {}/>\n", number(center.x), number(center.y),
                        number(radius), paint("fill", color));
}

void SvgCanvas::text(const Point& at, std::string_view text, const TextStyle& style) {
  constexpr const char* kAnchors[] = {"start", "middle", "end"};
  svg_ += vkgpt::format("<text x=\"{}\" y=\"{}\" font-size=\"{}\" {}{}{}>{}</text>\n", number(at.x),
                        number(at.y), number(style.size), paint("fill", style.color),
                        style.anchor == Anchor::kStart
                            ? ""
                            : vkgpt::format(" text-anchor=\"{}\"", kAnchors[static_cast<int>(style.anchor)]),
                        style.bold ? " font-weight=\"bold\"" : "", escaped(text));
}

void SvgCanvas::clip(const std::optional<Rect>& rect) {
  if (std::exchange(clipped_, rect.has_value())) svg_ += "</g>\n";
  if (!rect) return;
  const std::string id = vkgpt::format("clip{}", clips_++);
  svg_ += vkgpt::format("<clipPath id=\"{}\">", id);
  fill(*rect, {});
  svg_.pop_back();
  svg_ += vkgpt::format("</clipPath>\n<g clip-path=\"url(#{})\">\n", id);
}

std::string SvgCanvas::finish() {
  clip({});
  return std::move(svg_) + "</svg>\n";
}

}  // namespace vkgpt::cli

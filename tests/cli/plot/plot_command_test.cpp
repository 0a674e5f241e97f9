// The pictures that `vkgpt plot` draws, and what it refuses.

#include <algorithm>
#include <cmath>
#include <string>

#include <gtest/gtest.h>
#include <zlib.h>

#include "cli/plot/loss_chart.hpp"
#include "cli/plot/png_canvas.hpp"
#include "cli/plot/stroke_font.hpp"
#include "cli/plot/svg_canvas.hpp"
#include "cli/run_vkgpt.hpp"

namespace vkgpt::cli {
namespace {

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8 | static_cast<unsigned char>(bytes[at + i]);
  return word;
}

/// Decodes what `encode_png` writes, checking every length and checksum.
Bitmap decode_png(const std::string& png) {
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  Bitmap bitmap;
  std::string data;
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t length = big_endian(png, at);
    const std::string body = png.substr(at + 4, 4 + length);
    EXPECT_EQ(big_endian(png, at + 8 + length),
              crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
    if (body.starts_with("IHDR")) {
      bitmap.width = big_endian(body, 4);
      bitmap.height = big_endian(body, 8);
      EXPECT_EQ(body.substr(12), std::string("\x08\x02\x00\x00\x00", 5));
    }
    if (body.starts_with("IDAT")) data += body.substr(4);
    at += 12 + length;
  }
  const std::size_t stride = bitmap.width * 3;
  std::string rows(bitmap.height * (stride + 1), '\0');
  uLongf size = rows.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(rows.data()), &size,
                       reinterpret_cast<const Bytef*>(data.data()), data.size()),
            Z_OK);
  EXPECT_EQ(size, rows.size());
  for (std::size_t y = 0; y < bitmap.height; ++y) {
    EXPECT_EQ(rows[y * (stride + 1)], 2);  // each row minus the one above
    for (std::size_t x = 0; x < stride; ++x) {
      const int above = y == 0 ? 0 : bitmap.rgb[(y - 1) * stride + x];
      bitmap.rgb.push_back(static_cast<std::uint8_t>(rows[y * (stride + 1) + 1 + x] + above));
    }
  }
  return bitmap;
}

std::vector<int> pixel(const Bitmap& bitmap, std::size_t x, std::size_t y) {
  const std::uint8_t* at = bitmap.rgb.data() + 3 * (y * bitmap.width + x);
  return {at[0], at[1], at[2]};
}

TEST(PngCanvas, DrawsWhereItWasTold) {
  PngCanvas canvas(40, 20, 2);
  canvas.fill({10, 5, 10, 5}, {255, 0, 0});
  const Point line[] = {{0, 15}, {40, 15}};
  canvas.line(line, {.color = {0, 0, 255}, .width = 2});
  canvas.clip(Rect{0, 0, 5, 5});
  canvas.dot({30, 5}, 4, {0, 0, 0});
  canvas.clip({});
  const Bitmap bitmap = decode_png(canvas.finish());
  EXPECT_EQ(bitmap.width, 80U);
  EXPECT_EQ(bitmap.height, 40U);
  EXPECT_EQ(bitmap.rgb, canvas.bitmap().rgb);
  EXPECT_EQ(pixel(bitmap, 21, 11), (std::vector<int>{255, 0, 0}));
  EXPECT_EQ(pixel(bitmap, 19, 11), (std::vector<int>{255, 255, 255}));
  EXPECT_EQ(pixel(bitmap, 40, 30), (std::vector<int>{0, 0, 255}));
  EXPECT_EQ(pixel(bitmap, 40, 26), (std::vector<int>{255, 255, 255}));
  EXPECT_EQ(pixel(bitmap, 60, 10), (std::vector<int>{255, 255, 255})) << "outside the clip";
}

TEST(PngCanvas, ATranslucentLineDoesNotCoverItselfTwice) {
  PngCanvas canvas(20, 20, 1);
  const Point there_and_back[] = {{2, 10.5}, {18, 10.5}, {2, 10.5}};
  canvas.line(there_and_back, {.color = {0, 0, 0, 0.5}, .width = 3});
  EXPECT_EQ(pixel(canvas.bitmap(), 10, 10), (std::vector<int>{128, 128, 128}));
}

TEST(PngCanvas, DashesHaveGaps) {
  PngCanvas canvas(80, 9, 1);
  const Point line[] = {{0, 4.5}, {80, 4.5}};
  canvas.line(line, {.color = {0, 0, 0}, .width = 2, .dash = 8});
  EXPECT_EQ(pixel(canvas.bitmap(), 4, 4), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(pixel(canvas.bitmap(), 12, 4), (std::vector<int>{255, 255, 255}));
  EXPECT_EQ(pixel(canvas.bitmap(), 20, 4), (std::vector<int>{0, 0, 0}));
}

TEST(StrokeFont, EveryCharacterIsInsideItsAdvance) {
  for (char c = '!'; c <= '~'; ++c) {
    const std::string text(1, c);
    const auto strokes = text_strokes(text);
    EXPECT_FALSE(strokes.empty()) << c;
    for (const auto& stroke : strokes) {
      EXPECT_GE(stroke.size(), 2U) << c;
      for (const Point& point : stroke) {
        EXPECT_GT(point.x, -0.06) << c;
        EXPECT_LT(point.x, text_width(text)) << c;
        EXPECT_GT(point.y, -0.25) << c;
        EXPECT_LT(point.y, 0.85) << c;
      }
    }
  }
  EXPECT_EQ(text_width("ab"), text_width("a") + text_width("b"));
  EXPECT_EQ(text_width("\xc3\xa9"), text_width("?"));
  EXPECT_TRUE(text_strokes(" ").empty());
}

TEST(SvgCanvas, Golden) {
  SvgCanvas canvas(100, 50.5);
  canvas.clip(Rect{1, 2, 3, 4});
  const Point line[] = {{1, 2}, {3.456, -4}};
  canvas.line(line, {.color = {255, 0, 16, 0.25}, .width = 1.5, .dash = 5});
  canvas.clip({});
  canvas.dot({5, 6}, 2, {0, 0, 0});
  canvas.text({7, 8}, "a<b>&\n", {.size = 12, .color = {1, 2, 3}, .anchor = Anchor::kEnd, .bold = true});
  EXPECT_EQ(
      canvas.finish(),
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"50.5\" viewBox=\"0 0 100 50.5\" "
      "font-family=\"Helvetica, Arial, sans-serif\" stroke-linejoin=\"round\" "
      "stroke-linecap=\"round\">\n"
      "<clipPath id=\"clip0\"><rect x=\"1\" y=\"2\" width=\"3\" height=\"4\" "
      "fill=\"#000000\"/></clipPath>\n"
      "<g clip-path=\"url(#clip0)\">\n"
      "<path fill=\"none\" stroke=\"#ff0010\" stroke-opacity=\"0.25\" stroke-width=\"1.5\" "
      "stroke-dasharray=\"5\" d=\"M1 2 3.5 -4\"/>\n"
      "</g>\n"
      "<circle cx=\"5\" cy=\"6\" r=\"2\" fill=\"#000000\"/>\n"
      "<text x=\"7\" y=\"8\" font-size=\"12\" fill=\"#010203\" text-anchor=\"end\" "
      "font-weight=\"bold\">a&lt;b&gt;&amp;\\x0a</text>\n"
      "</svg>\n");
}

train::RunHistory falling_run(const std::string& name, std::size_t count) {
  train::RunHistory run;
  run.name = name;
  for (std::size_t i = 1; i <= count; ++i) {
    const auto step = static_cast<double>(i);
    const double values[] = {1 + 3 / step, 1e-3, std::sqrt(step)};
    train::Series* const series[] = {&run.loss, &run.learning_rate, &run.grad_norm};
    for (std::size_t s = 0; s < 3; ++s) {
      series[s]->steps.push_back(step);
      series[s]->values.push_back(i % 7 == 6 ? NAN : values[s]);
    }
  }
  return run;
}

std::string draw_svg(std::span<const train::RunHistory> runs, const ChartOptions& options = {}) {
  SvgCanvas canvas(kChartWidth, kChartHeight);
  draw_loss_chart(canvas, runs, options);
  return canvas.finish();
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(LossChart, SaysWhatItShows) {
  train::RunHistory run = falling_run("wide <1>", 100);
  run.val_loss = {{50, 100}, {2, 1.5}};
  const std::string svg = draw_svg(std::array{run});
  for (const char* text :
       {"wide &lt;1&gt;<", ">training<", ">training, smoothed<", ">validation<", ">loss (nats per token)<",
        ">learning rate<", ">gradient norm (before clipping)<", ">step<", ">100<"}) {
    EXPECT_TRUE(contains(svg, text)) << text;
  }
  EXPECT_FALSE(contains(svg, "nan"));
  EXPECT_FALSE(contains(svg, "averaged"));
  run.ema_val_loss = {{50, 100}, {2, 1.4}};
  EXPECT_TRUE(contains(draw_svg(std::array{run}), ">validation, averaged weights<"));
  EXPECT_FALSE(contains(draw_svg(std::array{run}, {.smoothing = 0}), "smoothed"));
  EXPECT_TRUE(contains(draw_svg(std::array{run}, {.title = "A heading"}), ">A heading<"));
}

TEST(LossChart, SeveralRunsHaveTheirColoursAndNames) {
  const std::string svg = draw_svg(std::array{falling_run("one", 50), falling_run("two", 80)});
  EXPECT_TRUE(contains(svg, ">one<") && contains(svg, ">two<"));
  EXPECT_FALSE(contains(svg, ">validation<"));
  EXPECT_TRUE(contains(svg, "#2563eb") && contains(svg, "#ea580c"));
}

TEST(LossChart, DrawsWhatLittleThereIs) {
  train::RunHistory one;
  one.loss = {{1}, {4.2}};
  const std::string svg = draw_svg(std::array{one});
  EXPECT_TRUE(contains(svg, "<circle"));
  EXPECT_TRUE(contains(svg, ">not in the log<"));
  train::RunHistory broken;
  broken.loss = {{1, 2}, {NAN, INFINITY}};
  EXPECT_FALSE(contains(draw_svg(std::array{broken}), "inf"));
  train::RunHistory huge;
  huge.loss = {{1, 2}, {1e300, -1e300}};
  EXPECT_FALSE(contains(draw_svg(std::array{huge}), "nan"));
}

TEST(LossChart, LongRunsStaySmallFiles) {
  EXPECT_LT(draw_svg(std::array{falling_run("long", 200000)}).size(), 400000U);
}

TEST(PlotCommand, WritesBothKindsAndRefusesTheRest) {
  const TempDirectory directory;
  make_directories(directory / "run");
  write_file(directory / "run/metrics.jsonl", "{\"step\":1,\"loss\":4}\n{\"step\":2,\"loss\":3}\n");
  const std::string run = (directory / "run").string();
  const std::string svg = (directory / "a.svg").string();
  const RunResult drawn = run_vkgpt({"plot", run, "-o", svg});
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_EQ(drawn.out, svg + "\n");
  EXPECT_TRUE(read_file(svg).starts_with("<svg"));
  EXPECT_EQ(run_vkgpt({"plot", run, run + "/metrics.jsonl", "--out=" + (directory / "a.png").string()}).code,
            0);
  EXPECT_EQ(decode_png(read_file(directory / "a.png")).width, 2240U);

  const auto refuses = [&](const std::vector<std::string>& args, int code, const std::string& part) {
    const RunResult result = run_vkgpt(args);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_TRUE(contains(result.err, part)) << result.err;
  };
  refuses({"plot"}, 2, "no run is given");
  refuses({"plot", run, "-o", "a.gif"}, 2, ".svg or .png");
  refuses({"plot", run + "x", "-o", svg}, 1, "does not exist");
  write_file(directory / "bad.jsonl", "{\"step\":1}\nx\n");
  refuses({"plot", (directory / "bad.jsonl").string(), "-o", svg}, 1, "line 2");
}

}  // namespace
}  // namespace vkgpt::cli

#include "vkgpt/ops/embedding.hpp"

#include <algorithm>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

#include "check/block_operand.hpp"

namespace vkgpt::check {
namespace {

std::size_t position_of(TokenView positions, std::size_t b, std::size_t t, std::size_t T) {
  return positions.empty() ? t : static_cast<std::size_t>(positions[b * T + t]);
}

}  // namespace

Vector embedding_forward(TokenView tokens, View wte, View wpe, std::size_t B, std::size_t T, std::size_t C,
                         TokenView positions) {
  VKGPT_CHECK(tokens.size() == B * T && wpe.size() >= T * C);
  Vector out(B * T * C);
  for (std::size_t b = 0; b < B; ++b) {
    for (std::size_t t = 0; t < T; ++t) {
      const auto token = static_cast<std::size_t>(tokens[b * T + t]);
      VKGPT_CHECK((token + 1) * C <= wte.size(), "token {}", token);
      const std::size_t at = position_of(positions, b, t, T);
      for (std::size_t c = 0; c < C; ++c) out[(b * T + t) * C + c] = wte[token * C + c] + wpe[at * C + c];
    }
  }
  return out;
}

EmbeddingGradients embedding_backward(View dout, TokenView tokens, std::size_t B, std::size_t T,
                                      std::size_t C, std::size_t wte_rows, std::size_t wpe_rows,
                                      TokenView positions) {
  VKGPT_CHECK(dout.size() == B * T * C && tokens.size() == B * T && wpe_rows >= T);
  EmbeddingGradients gradients{.dwte = Vector(wte_rows * C, 0.0), .dwpe = Vector(wpe_rows * C, 0.0)};
  for (std::size_t b = 0; b < B; ++b) {
    for (std::size_t t = 0; t < T; ++t) {
      const auto token = static_cast<std::size_t>(tokens[b * T + t]);
      VKGPT_CHECK(token < wte_rows, "token {}", token);
      for (std::size_t c = 0; c < C; ++c) {
        const double d = dout[(b * T + t) * C + c];
        gradients.dwte[token * C + c] += d;
        gradients.dwpe[position_of(positions, b, t, T) * C + c] += d;
      }
    }
  }
  return gradients;
}

namespace {

struct TableSize {
  std::int64_t B, T, C, Vp, positions;  // positions: rows of wpe
  bool stores = false;                  // gradients instead of adding them to what is there

  std::string text() const { return vkgpt::format("{}x{}x{} of {}{}", B, T, C, Vp, stores ? " stored" : ""); }
  std::size_t tokens() const { return static_cast<std::size_t>(B * T); }
};

/// Forward and backward.
void both_passes(Trial& t, const TableSize& s, const std::vector<std::int32_t>& tokens, bool has_positions,
                 DType dtype = DType::kF32, const std::vector<std::int32_t>& documents = {},
                 float scale = 1) {
  const plan::Tensor ids = t.input({s.B, s.T}, tokens);
  const Operand wte = t.random({s.Vp, s.C}, 2), wpe = t.random({s.positions, s.C}, 3);
  const Operand dx = t.random({s.B, s.T, s.C}, 4, 3.0F, dtype);
  const Operand dwte = t.sum_target({s.Vp, s.C}, 5, s.stores),
                dwpe = t.sum_target({s.positions, s.C}, 6, s.stores);
  const plan::Tensor x = t.output({s.B, s.T, s.C}, dtype);
  const std::vector<std::uint32_t> order = ops::embedding_order(t.builder().caps(), tokens, s.C, dtype, s.Vp);
  const plan::Tensor places = t.input({2 * s.B * s.T}, std::span<const std::uint32_t>(order));
  ops::EmbeddingForward forward{.tokens = ids, .wte = wte, .x = x, .scale = scale};
  if (has_positions) forward.wpe = wpe;
  if (!documents.empty()) forward.positions = t.input({s.B, s.T}, documents);
  ops::embedding_forward(t.builder(), forward);
  if (has_positions) {
    ops::EmbeddingBackward backward{.dx = dx, .order = places, .dwte = dwte, .dwpe = dwpe, .scale = scale};
    if (!documents.empty()) {
      const std::vector<std::uint32_t> restarts =
          ops::embedding_order(t.builder().caps(), documents, s.C, dtype, s.T);
      backward.position_order = t.input({2 * s.B * s.T}, std::span<const std::uint32_t>(restarts));
    }
    ops::embedding_backward(t.builder(), backward);
  } else {  // frozen tables
    ops::embedding_backward(t.builder(), {.dx = dx, .order = places, .dwte = dwte, .scale = scale});
    ops::embedding_backward(t.builder(), {.dx = dx, .order = places, .dwpe = dwpe});
    ops::embedding_backward(t.builder(), {.dx = dx, .order = places});
  }
  std::vector<std::int32_t> inside = tokens;
  for (std::int32_t& token : inside) {
    if (token < 0 || token >= s.Vp) token = static_cast<std::int32_t>(s.Vp - 1);
  }
  const Vector no_positions(wpe.values.size(), 0.0);
  const auto scaled = [&](View values) { return map(values, [&](double v) { return scale * v; }); };
  t.expect("x", x,
           embedding_forward(inside, scaled(wte), has_positions ? View(wpe) : no_positions, s.B, s.T, s.C,
                             documents),
           rounding_bound(dtype));
  const EmbeddingGradients gradients =
      embedding_backward(dx, inside, s.B, s.T, s.C, s.Vp, s.positions, documents);
  t.expect("dwte", dwte, add(scaled(gradients.dwte), dwte), kFp32Nmse);
  t.expect("dwpe", dwpe, add(gradients.dwpe, dwpe), kFp32Nmse);
}

/// One token of each of B sequences, each at a position of its own.
void decoding(Trial& t, const TableSize& s, bool has_positions, DType dtype) {
  const std::vector<std::int32_t> tokens = random_tokens(s.tokens(), 1, static_cast<std::int32_t>(s.Vp));
  const Operand wte = t.random({s.Vp, s.C}, 2, 1.0F, dtype), wpe = t.random({s.positions, s.C}, 3);
  ops::EmbeddingDecode args{.tokens = t.input({s.B}, tokens),
                            .places = t.input({s.B, 2}, std::vector<std::int32_t>(2 * s.tokens())),
                            .wte = wte,
                            .x = t.output({s.B, s.C}, dtype),
                            .scale = has_positions ? 1 : 3.5F};
  if (has_positions) args.wpe = wpe;
  ops::embedding_decode(t.builder(), args);
  for (const std::int64_t shift : {0, 7, 15}) {
    t.replay({});
    std::vector<std::int32_t> places;
    Vector expected = embedding_forward(tokens, wte, Vector(static_cast<std::size_t>(s.C), 0.0), s.B, 1, s.C);
    for (double& value : expected) value *= args.scale;
    for (std::int64_t b = 0; b < s.B; ++b) {
      const std::int64_t position = (shift + 5 * b) % s.positions;
      places.insert(places.end(), {static_cast<std::int32_t>(position), 0});
      for (std::int64_t c = 0; has_positions && c < s.C; ++c) {
        expected[static_cast<std::size_t>(b * s.C + c)] +=
            wpe.values[static_cast<std::size_t>(position * s.C + c)];
      }
    }
    t.put(args.places, places);
    t.expect("x", args.x, expected, rounding_bound(dtype));
  }
}

/// Rows of a table in blocks, as a training step and as a decoder look them up.
void from_blocks(Trial& t, const TableSize& s, BlockType type, DType dtype) {
  const std::vector<std::int32_t> tokens = random_tokens(s.tokens(), 1, static_cast<std::int32_t>(s.Vp));
  const BlockOperand wte = random_blocks(t, type, {s.Vp, s.C}, 2);
  const Operand wpe = t.random({s.positions, s.C}, 3);
  const plan::Tensor x = t.output({s.B, s.T, s.C}, dtype), step = t.output({s.B * s.T, s.C}, dtype);
  ops::embedding_forward(
      t.builder(), {.tokens = t.input({s.B, s.T}, tokens), .wte = wte.weight, .wpe = wpe.tensor, .x = x});
  ops::embedding_decode(t.builder(),
                        {.tokens = t.input({s.B * s.T}, tokens),
                         .places = t.input({s.B * s.T, 2}, std::vector<std::int32_t>(2 * s.tokens())),
                         .wte = wte.weight,
                         .x = step});
  t.expect("x", x, embedding_forward(tokens, wte.values, wpe, s.B, s.T, s.C), rounding_bound(dtype));
  const Vector no_positions(wpe.values.size(), 0.0);
  t.expect("step", step, embedding_forward(tokens, wte.values, no_positions, s.B, s.T, s.C),
           rounding_bound(dtype));
}

/// Rows of the token table are cut at 64 of them; the positions are bound whole.
std::vector<Device> devices_of(const TableSize& s) {
  return folded_devices(static_cast<std::uint64_t>(std::max<std::int64_t>(64, s.positions) * s.C) *
                        sizeof(float));
}

}  // namespace

std::vector<Case> embedding_cases() {
  std::vector<Case> cases;
  const auto add_case = [&](const TableSize& s, const std::string& what, bool quick, const auto& build,
                            DType dtype = DType::kF32) {
    cases.push_back({.variant = vkgpt::format("{} {}{}", dtype_name(dtype), s.text(), what),
                     .dtype = dtype,
                     .quick = quick,
                     .devices = devices_of(s),
                     .build = build});
  };
  for (const TableSize& s : {TableSize{1, 1, 1, 1, 1},
                             {2, 5, 3, 64, 5},
                             {3, 33, 64, 128, 40},
                             {3, 33, 64, 128, 40, true},
                             {4, 61, 100, 65, 61},
                             {2, 128, 128, 320, 128},
                             {1, 7, 768, 1000, 9},
                             {2, 40, 1025, 70, 40},
                             {1, 300, 33, 2, 300}}) {
    const std::vector<std::int32_t> tokens = random_tokens(s.tokens(), 1, static_cast<std::int32_t>(s.Vp));
    const bool is_small = s.B == 3;
    add_case(s, "", is_small, [=](Trial& t) { both_passes(t, s, tokens, true); });
    if (is_small) {
      add_case(s, " without positions", false, [=](Trial& t) { both_passes(t, s, tokens, false); });
      add_case(s, " scaled", false,
               [=](Trial& t) { both_passes(t, s, tokens, true, DType::kF32, {}, 6.5F); });
    }
    for (const DType dtype : {DType::kF16, DType::kBF16}) {
      if (s.B != 3 && s.C != 1025) continue;
      add_case(s, "", is_small, [=](Trial& t) { both_passes(t, s, tokens, true, dtype); }, dtype);
    }
  }
  const TableSize packed{2, 6, 33, 64, 7};
  add_case(packed, " positions of documents", false, [=](Trial& t) {
    both_passes(t, packed, random_tokens(packed.tokens(), 1, 64), true, DType::kF32,
                {0, 1, 2, 0, 1, 0, 0, 0, 1, 2, 3, 4});
  });
  std::vector<std::int32_t> one_token(1024, 1);
  one_token[5] = 0;
  const TableSize many{4, 256, 40, 3, 256}, few{1, 4, 5, 4, 4}, row{3, 1, 100, 130, 16};
  add_case(many, " a long run of one token", false, [=](Trial& t) { both_passes(t, many, one_token, true); });
  add_case(few, " tokens outside of the table", false,
           [=](Trial& t) { both_passes(t, few, {-1, 3, 1 << 30, 0}, true); });
  add_case(row, " decode without positions", false, [=](Trial& t) { decoding(t, row, false, DType::kF32); });
  for (const DType dtype : kFloatTypes) {
    add_case(row, vkgpt::format(" decode {}", dtype_name(dtype)), true,
             [=](Trial& t) { decoding(t, row, true, dtype); });
    cases.back().dtype = dtype;
  }
  constexpr TableSize kTable{2, 9, 128, 300, 9};
  for (const BlockType type : kBlockTypes) {
    for (const DType dtype : {DType::kF32, DType::kF16}) {
      add_case(
          kTable, vkgpt::format(" {}", block_format(type).name), type == BlockType::kQ8_0,
          [=](Trial& t) { from_blocks(t, kTable, type, dtype); }, dtype);
    }
  }
  return cases;
}

}  // namespace vkgpt::check

#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/ops/attention/attention.hpp"

#include "check/attention_variants.hpp"

namespace vkgpt::check {
namespace {

using vk::Backend;

/// A size, with caches of another type than the rows where one is named.
struct DecodingVariant : AttentionVariant {
  std::optional<DType> cache = {};

  DType cache_dtype() const { return cache.value_or(dtype); }
  std::string text() const {
    const std::string rows = AttentionVariant::text();
    return cache ? vkgpt::format("{} over {}", rows, dtype_name(*cache)) : rows;
  }
  double bound() const { return attention_bound(cache_dtype()); }
};

/// Row t of every sequence of x (B, T, width).
std::vector<float> rows_at(View x, const DecodingVariant& v, std::int64_t width, std::int64_t t) {
  std::vector<float> result;
  for (std::int64_t b = 0; b < v.B; ++b) {
    const auto row = x.begin() + (b * v.T + t) * width;
    result.insert(result.end(), row, row + width);
  }
  return result;
}

/// The caches of `v.B` sequences, which lie in the slots in reverse, and a place in them.
struct Caches {
  plan::Tensor k, v;

  Caches(Trial& t, const DecodingVariant& variant)
      : k(t.output({variant.B, variant.kv_heads(), variant.T, variant.HS}, variant.cache_dtype())),
        v(t.output(k.shape, variant.cache_dtype())) {}
  std::int32_t slot(std::int64_t b) const { return static_cast<std::int32_t>(k.shape[0] - 1 - b); }
};

/// Fills the first `length` positions of every sequence of `all` (B, T, width) in, and tries to fill in a row
/// of padding, which stays out.
void fill(Trial& t, const DecodingVariant& v, const Caches& caches, View all, std::int64_t length) {
  std::vector<float> values(static_cast<std::size_t>(v.width()), 1e4F);
  std::vector<std::int32_t> places = {0, -1};
  for (std::int64_t b = 0; b < v.B; ++b) {
    const auto rows = all.begin() + b * v.T * v.width();
    values.insert(values.end(), rows, rows + length * v.width());
    for (std::int64_t p = 0; p < length; ++p) {
      places.insert(places.end(), {static_cast<std::int32_t>(p), caches.slot(b)});
    }
  }
  const auto count = static_cast<std::int64_t>(places.size() / 2);
  ops::attention_cache_fill(t.builder(), {.qkv = t.input({count, v.width()}, values, v.dtype),
                                          .places = t.input({count, 2}, places),
                                          .k_cache = caches.k,
                                          .v_cache = caches.v,
                                          .n_head = v.NH,
                                          .n_kv_head = v.NKV});
}

/// As the caches hold them.
Vector decoder_input(const DecodingVariant& v) {
  return to_double(
      rounded(random_floats(static_cast<std::size_t>(v.B * v.T * v.width()), 5, 2.0F), v.cache_dtype()));
}

/// Decodes every position after a prompt of `prompt` ones, which is filled in. The rest of the cache starts
/// as NaN.
void decoding(Trial& t, const DecodingVariant& v, std::int64_t prompt) {
  const Vector all = decoder_input(v);
  const Caches caches(t, v);
  const ops::AttentionDecode args{
      .qkv = t.input({v.B, v.width()}, rows_at(all, v, v.width(), prompt), v.dtype),
      .places = t.input({v.B, 2}, std::vector<std::int32_t>(static_cast<std::size_t>(2 * v.B))),
      .k_cache = caches.k,
      .v_cache = caches.v,
      .out = t.output({v.B, v.C()}, v.dtype),
      .n_head = v.NH,
      .n_kv_head = v.NKV,
      .window = v.window};
  if (prompt > 0) fill(t, v, caches, all, prompt);
  ops::attention_decode(t.builder(), args);
  const Attention full = attention_forward(all, v.shape());
  for (std::int64_t position = prompt; position < v.T; ++position) {
    t.replay({});
    t.put(args.qkv, rows_at(all, v, v.width(), position));
    std::vector<std::int32_t> places;
    for (std::int64_t b = 0; b < v.B; ++b) {
      places.insert(places.end(), {static_cast<std::int32_t>(position), caches.slot(b)});
    }
    t.put(args.places, places);
    t.expect(vkgpt::format("out at {}", position), args.out, to_double(rows_at(full.out, v, v.C(), position)),
             v.bound());
  }
}

/// The last `rows` positions of the last sequence at once, followed by padding up to a multiple of 4.
void decoding_a_run(Trial& t, const DecodingVariant& v, std::int64_t rows) {
  const Vector all = decoder_input(v);
  const Caches caches(t, v);
  const std::int64_t padded = (rows + 3) / 4 * 4, first = v.T - rows;
  const auto tail = [&](View x, std::int64_t width) {
    return x.last(static_cast<std::size_t>(rows * width));
  };
  std::vector<float> values = to_float(tail(all, v.width()));
  values.resize(static_cast<std::size_t>(padded * v.width()), 1.0F);
  std::vector<std::int32_t> places(static_cast<std::size_t>(2 * padded), -1);
  for (std::int64_t r = 0; r < padded; ++r) {
    places[static_cast<std::size_t>(2 * r)] = r < rows ? static_cast<std::int32_t>(first + r) : 0;
    if (r < rows) places[static_cast<std::size_t>(2 * r + 1)] = caches.slot(v.B - 1);
  }
  fill(t, v, caches, all, v.T);
  const ops::AttentionDecode args{.qkv = t.input({padded, v.width()}, values, v.dtype),
                                  .places = t.input({padded, 2}, places),
                                  .k_cache = caches.k,
                                  .v_cache = caches.v,
                                  .out = t.output({padded, v.C()}, v.dtype),
                                  .n_head = v.NH,
                                  .n_kv_head = v.NKV,
                                  .window = v.window,
                                  .is_run = true};
  ops::attention_decode(t.builder(), args);
  const Attention full = attention_forward(all, v.shape());
  const View wanted = tail(full.out, v.C());
  Vector expected(wanted.begin(), wanted.end());
  std::vector<std::size_t> at(expected.size());
  std::iota(at.begin(), at.end(), std::size_t{0});
  expected.resize(static_cast<std::size_t>(padded * v.C()));
  t.replay({.token_count = static_cast<std::uint32_t>(rows)});
  t.expect("out", args.out, expected, v.bound(), at);
}

/// On the device as it is and, unless it is quick, as a GPU.
Case step_case(const DecodingVariant& v, std::int64_t prompt, bool quick) {
  return {.variant = vkgpt::format("{} decode after {}", v.text(), prompt),
          .dtype = v.cache_dtype(),
          .quick = quick,
          .devices = quick ? std::vector<Device>{Device{}}
                           : std::vector<Device>{{}, {.name = "as a GPU", .is_gpu = true}},
          .build = [=](Trial& t) { decoding(t, v, prompt); }};
}

Case run_case(const DecodingVariant& v, std::int64_t rows, bool quick) {
  Case c = step_case(v, 0, quick);
  c.variant = vkgpt::format("{} decode the last {}", v.text(), rows);
  c.build = [=](Trial& t) { decoding_a_run(t, v, rows); };
  return c;
}

/// Runs on matrices: in one tile, from within a tile, over several workgroups, with windows and groups.
std::vector<Case> matrix_run_cases(Backend backend) {
  std::vector<Case> cases;
  for (const auto& [v, rows] :
       {std::pair{DecodingVariant{{.B = 2, .T = 21, .NH = 4, .HS = 32, .NKV = 2}}, 11},
        {DecodingVariant{{.B = 2, .T = 150, .NH = 2, .HS = 64, .NKV = 1}}, 101},
        {DecodingVariant{{.B = 1, .T = 150, .NH = 2, .HS = 16, .window = 37}}, 70},
        {DecodingVariant{{.B = 2, .T = 77, .NH = 2, .HS = 128}}, 77}}) {
    const bool takes_long = v.HS > 64;  // llvmpipe builds it for a minute
    if (takes_long && backend == Backend::kNv) continue;
    for (const DType dtype : {DType::kF16, DType::kF32}) {
      if (takes_long && dtype == DType::kF32) continue;
      DecodingVariant over_f16 = v;
      over_f16.dtype = dtype;
      if (dtype == DType::kF32) over_f16.cache = DType::kF16;
      Case& c = cases.emplace_back(run_case(over_f16, rows, false));
      c.variant += vkgpt::format(" by {}", vk::backend_name(backend));
      c.devices = {{.name = vkgpt::format("{} as a GPU", vk::backend_name(backend)),
                    .backend = backend,
                    .is_gpu = true}};
      c.has_own_kernel = v.HS == 32;
    }
  }
  return cases;
}

}  // namespace

std::vector<Case> attention_decoding_cases() {
  std::vector<Case> cases;
  const auto add = [&](const DecodingVariant& v, std::int64_t prompt, bool quick) {
    cases.push_back(step_case(v, prompt, quick));
  };
  const auto add_run = [&](const DecodingVariant& v, std::int64_t rows, bool quick) {
    cases.push_back(run_case(v, rows, quick));
  };
  for (const DType dtype : kFloatTypes) {
    add({{.B = 2, .T = 21, .NH = 4, .HS = 32, .NKV = 2, .dtype = dtype}}, 20, true);
    add_run({{.B = 2, .T = 21, .NH = 4, .HS = 32, .NKV = 2, .dtype = dtype}}, 11, true);
  }
  for (const DecodingVariant& v : {DecodingVariant{{2, 71, 2, 16}},
                                   {{1, 37, 3, 20}},
                                   {{3, 19, 1, 64}},
                                   {{1, 40, 1, 128}},
                                   {{1, 37, 2, 256}}}) {
    add(v, 0, false);
    add_run(v, v.T, false);
    add_run(v, 5, false);
  }
  for (const DecodingVariant& v :
       {DecodingVariant{{.B = 2, .T = 29, .NH = 4, .HS = 20, .NKV = 2, .window = 9}},
        {{.B = 1, .T = 40, .NH = 3, .HS = 20, .NKV = 1, .window = 40}},
        {{.B = 2, .T = 19, .NH = 3, .HS = 20, .NKV = 1, .window = 5, .dtype = DType::kF16}},
        {{.B = 1, .T = 19, .NH = 2, .HS = 20, .dtype = DType::kBF16}}}) {
    add(v, 6, false);
    add_run(v, 14, false);
  }
  // Keys that GPUs divide among workgroups: into blocks of 128, of which a window sees some.
  add({{.B = 1, .T = 260, .NH = 2, .HS = 16}}, 254, true);
  add({{.B = 1, .T = 132, .NH = 2, .HS = 16}}, 0, false);
  cases.back().has_own_kernel = true;  // the merge
  add({{.B = 3, .T = 132, .NH = 4, .HS = 20, .NKV = 2}}, 125, false);
  add({{.B = 2, .T = 270, .NH = 4, .HS = 32, .NKV = 2, .dtype = DType::kF16}}, 254, false);
  add({{.B = 1, .T = 140, .NH = 2, .HS = 256, .dtype = DType::kBF16}}, 136, false);
  add({{.B = 2, .T = 520, .NH = 2, .HS = 64, .window = 130}}, 505, false);
  add({{.B = 1, .T = 390, .NH = 3, .HS = 20, .NKV = 1, .window = 5}}, 378, false);
  // Caches of f16 beside f32.
  add({{.B = 2, .T = 21, .NH = 4, .HS = 32, .NKV = 2}, DType::kF16}, 17, true);
  add_run({{.B = 2, .T = 21, .NH = 4, .HS = 32, .NKV = 2}, DType::kF16}, 11, true);
  add({{.B = 2, .T = 270, .NH = 2, .HS = 20, .NKV = 1, .window = 140}, DType::kF16}, 258, false);
  append(cases, matrix_run_cases(Backend::kKhr));
  append(cases, matrix_run_cases(Backend::kNv));
  return cases;
}

}  // namespace vkgpt::check

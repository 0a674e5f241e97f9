#include "vkgpt/ops/attention/attention.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

#include "check/attention_variants.hpp"

// The definition is in attention_definition.cpp.

namespace vkgpt::check {
namespace {

using vk::Backend;

using Variant = AttentionVariant;

constexpr ops::StepParams kStep{.seed_lo = 0x12345678, .seed_hi = 0x9abcdef0, .dropout_step = 77};

/// Scores, probabilities and their gradients may be rounded to the type on the way, in gradients several
/// times.
double output_bound(DType dtype) {
  return (dtype == DType::kF32 ? 1 : 0.4) * rounding_bound(dtype);
}
double gradient_bound(DType dtype) {
  return (dtype == DType::kF32 ? 1 : 4) * rounding_bound(dtype);
}

/// The elements of a part (0 = q, 1 = k, 2 = v) of every row of qkv.
std::vector<std::size_t> part_of(const Variant& v, int part) {
  const std::int64_t kv = v.kv_heads() * v.HS;
  const std::int64_t first = part == 0 ? 0 : v.C() + (part - 1) * kv, count = part == 0 ? v.C() : kv;
  std::vector<std::size_t> at;
  for (std::int64_t row = 0; row < v.B * v.T; ++row) {
    for (std::int64_t i = 0; i < count; ++i)
      at.push_back(static_cast<std::size_t>(row * v.width() + first + i));
  }
  return at;
}

struct BothPasses {
  plan::Tensor out, lse, dqkv;
};

std::optional<ops::Documents> documents_of(Trial& t, const Variant& v) {
  if (v.document == 0) return std::nullopt;
  return ops::Documents{t.input({v.B, v.T}, v.positions()), t.input({v.B, v.T}, v.ends())};
}

BothPasses append_both(Trial& t, const Variant& v, const plan::Tensor& qkv, const plan::Tensor& dout) {
  const std::optional<ops::Documents> documents = documents_of(t, v);
  const BothPasses result{t.output({v.B, v.T, v.C()}, v.dtype), t.output({v.B, v.NH, v.T}),
                          t.output({v.B, v.T, v.width()}, v.dtype)};
  t.pass(v.text() + " forward", v.flops(2));
  ops::attention_forward(t.builder(), {.qkv = qkv,
                                       .out = result.out,
                                       .lse = result.lse,
                                       .n_head = v.NH,
                                       .n_kv_head = v.NKV,
                                       .window = v.window,
                                       .dropout = v.dropout,
                                       .documents = documents});
  t.pass(v.text() + " backward", v.flops(5));
  ops::attention_backward(t.builder(), {.dout = dout,
                                        .qkv = qkv,
                                        .out = result.out,
                                        .lse = result.lse,
                                        .dqkv = result.dqkv,
                                        .n_head = v.NH,
                                        .n_kv_head = v.NKV,
                                        .window = v.window,
                                        .dropout = v.dropout,
                                        .documents = documents});
  return result;
}

void both_passes(Trial& t, const Variant& v) {
  const Operand qkv = t.random({v.B, v.T, v.width()}, 1, 2.0F, v.dtype);
  const Operand dout = t.random({v.B, v.T, v.C()}, 2, 3.0F, v.dtype);
  const auto [out, lse, dqkv] = append_both(t, v, qkv, dout);
  if (t.is_timed()) return;
  ProbabilityMask mask;
  if (v.dropout.p > 0) {
    mask = probability_mask(v.dropout.p, {std::uint64_t{kStep.seed_hi} << 32 | kStep.seed_lo, v.dropout.site,
                                          kStep.dropout_step});
  }
  const std::vector<std::int32_t> positions = v.positions();
  AttentionShape shape = v.shape();
  shape.positions = positions;
  const Attention expected = attention_forward(qkv, shape, mask);
  t.replay(kStep);
  t.expect("out", out, expected.out, output_bound(v.dtype));
  t.expect("lse", lse, expected.lse, kFp32Nmse);
  // A query that sees only itself has p = 1 whatever q and k are: no gradient but rounding.
  const bool sees_itself = v.window == 1 || v.T == 1;
  const Vector gradient = attention_backward(dout, qkv, shape, mask);
  for (int part = sees_itself ? 2 : 0; part < 3; ++part) {
    constexpr const char* kParts[] = {"dq", "dk", "dv"};
    t.expect(kParts[part], dqkv, gradient, gradient_bound(v.dtype), part_of(v, part));
  }
}

/// Scores up to about 1e3, 1e5 and 1e29 stay finite.
void huge_scores(Trial& t, const Variant& v, float scale) {
  std::vector<float> values = random_floats(static_cast<std::size_t>(v.B * v.T * v.width()), 7);
  for (int part = 0; part < 2; ++part) {
    for (const std::size_t i : part_of(v, part)) values[i] *= scale;
  }
  const Operand qkv = t.given({v.B, v.T, v.width()}, values);
  const auto [out, lse, dqkv] = append_both(t, v, qkv, t.random({v.B, v.T, v.C()}, 8));
  const Attention expected = attention_forward(qkv, v.shape());
  // A score's rounding, 1e-7 of it, is an absolute error of the exponent.
  t.expect("out", out, expected.out, scale < 100 ? 1e-7 : 1e-3);
  t.expect("lse", lse, expected.lse, kFp32Nmse);
  t.expect_near("dqkv", dqkv, Vector(values.size(), 0.0), 0, 3e38);
}

/// Row t of every sequence of x (B, T, width).
std::vector<float> rows_at(View x, const Variant& v, std::int64_t width, std::int64_t t) {
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

  Caches(Trial& t, const Variant& variant)
      : k(t.output({variant.B, variant.kv_heads(), variant.T, variant.HS}, variant.dtype)),
        v(t.output(k.shape, variant.dtype)) {}
  std::int32_t slot(std::int64_t b) const { return static_cast<std::int32_t>(k.shape[0] - 1 - b); }
};

/// Fills the first `length` positions of every sequence of `all` (B, T, width) in, and tries to fill in a row
/// of padding, which stays out.
void fill(Trial& t, const Variant& v, const Caches& caches, View all, std::int64_t length) {
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

Vector decoder_input(const Variant& v) {
  return to_double(rounded(random_floats(static_cast<std::size_t>(v.B * v.T * v.width()), 5, 2.0F), v.dtype));
}

/// Decodes every position after a prompt of `prompt` ones, which is filled in. The rest of the cache starts
/// as NaN.
void decoding(Trial& t, const Variant& v, std::int64_t prompt) {
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
             output_bound(v.dtype));
  }
}

/// The last `rows` positions of the last sequence at once, followed by padding up to a multiple of 4.
void decoding_a_run(Trial& t, const Variant& v, std::int64_t rows) {
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
  t.expect("out", args.out, expected, output_bound(v.dtype), at);
}

/// The kernels of CPU drivers, those of GPUs by backend, and for heads of 20 those of a CPU driver without
/// 64-bit loads.
std::vector<Device> all_kernels(std::int64_t HS) {
  std::vector<Device> devices = {{},
                                 {.name = "scalar as a GPU", .backend = Backend::kScalar, .is_gpu = true},
                                 {.name = "simt", .backend = Backend::kSimt, .is_gpu = true}};
  if (HS == 20) devices.push_back({.name = "without int64", .has_int64 = false});
  const auto add_intel = [&](Backend backend) {
    devices.push_back({.name = vkgpt::format("{} as an Intel GPU", vk::backend_name(backend)),
                       .backend = backend,
                       .is_gpu = true,
                       .vendor_id = vk::kVendorIntel});
  };
  const bool is_small = HS == 20 || HS == 24;
  if (is_small) add_intel(Backend::kScalar);
  if (is_small || HS == 132 || HS == 256) add_intel(Backend::kSimt);
  return devices;
}

/// Each set of kernels once: those of CPU drivers with heads of 20 and 40, those of GPUs with heads of 24,
/// and those of GPUs with few registers with large heads.
std::vector<Device> some_kernels(const Variant& v) {
  const std::vector<Device> all = all_kernels(v.HS);
  if (v.HS == 24) return {all[1], all[2]};
  if (v.HS > 128) return {all.back()};
  if (v.HS != 20) return {all[0]};
  if (v.dtype != DType::kF32 || v.dropout.p > 0) return {all[3]};
  return {all[0], all[3]};
}

/// Kernels on cooperative matrices: of heads up to 24 "nv", else "khr", of 48 as on GPUs with few registers.
Device matrix_kernels(std::int64_t HS) {
  if (HS <= 24) return {.name = "nv", .backend = Backend::kNv};
  return {.name = "khr", .backend = Backend::kKhr, .vendor_id = HS == 48 ? vk::kVendorIntel : 0U};
}

void add_decoding(std::vector<Case>& cases) {
  const std::vector<Device> both = {{}, {.name = "as a GPU", .is_gpu = true}};
  const auto add = [&](const Variant& v, std::int64_t prompt, bool quick) {
    cases.push_back({.variant = vkgpt::format("{} decode after {}", v.text(), prompt),
                     .dtype = v.dtype,
                     .quick = quick,
                     .devices = quick ? std::vector<Device>{Device{}} : both,
                     .build = [=](Trial& t) { decoding(t, v, prompt); }});
  };
  const auto add_run = [&](const Variant& v, std::int64_t rows, bool quick) {
    cases.push_back({.variant = vkgpt::format("{} decode the last {}", v.text(), rows),
                     .dtype = v.dtype,
                     .quick = quick,
                     .devices = quick ? std::vector<Device>{Device{}} : both,
                     .build = [=](Trial& t) { decoding_a_run(t, v, rows); }});
  };
  for (const DType dtype : kFloatTypes) {
    add({.B = 2, .T = 21, .NH = 4, .HS = 32, .NKV = 2, .dtype = dtype}, 20, true);
    add_run({.B = 2, .T = 21, .NH = 4, .HS = 32, .NKV = 2, .dtype = dtype}, 11, true);
  }
  for (const Variant& v :
       {Variant{2, 71, 2, 16}, {1, 37, 3, 20}, {3, 19, 1, 64}, {1, 40, 1, 128}, {1, 37, 2, 256}}) {
    add(v, 0, false);
    add_run(v, v.T, false);
    add_run(v, 5, false);
  }
  for (const Variant& v : {Variant{.B = 2, .T = 29, .NH = 4, .HS = 20, .NKV = 2, .window = 9},
                           {.B = 1, .T = 40, .NH = 3, .HS = 20, .NKV = 1, .window = 40},
                           {.B = 2, .T = 19, .NH = 3, .HS = 20, .NKV = 1, .window = 5, .dtype = DType::kF16},
                           {.B = 1, .T = 19, .NH = 2, .HS = 20, .dtype = DType::kBF16}}) {
    add(v, 6, false);
    add_run(v, 14, false);
  }
  // Keys that GPUs divide among workgroups: into blocks of 128, of which a window sees some.
  add({.B = 1, .T = 260, .NH = 2, .HS = 16}, 254, true);
  add({.B = 1, .T = 132, .NH = 2, .HS = 16}, 0, false);
  cases.back().has_own_kernel = true;  // the merge
  add({.B = 3, .T = 132, .NH = 4, .HS = 20, .NKV = 2}, 125, false);
  add({.B = 2, .T = 270, .NH = 4, .HS = 32, .NKV = 2, .dtype = DType::kF16}, 254, false);
  add({.B = 1, .T = 140, .NH = 2, .HS = 256, .dtype = DType::kBF16}, 136, false);
  add({.B = 2, .T = 520, .NH = 2, .HS = 64, .window = 130}, 505, false);
  add({.B = 1, .T = 390, .NH = 3, .HS = 20, .NKV = 1, .window = 5}, 378, false);
}

}  // namespace

std::vector<Case> attention_cases() {
  std::vector<Case> cases;
  const auto add = [&](const Variant& v, std::vector<Device> devices, bool quick = false) {
    cases.push_back({.variant = v.text(),
                     .dtype = v.dtype,
                     .quick = quick,
                     .devices = std::move(devices),
                     .build = [v](Trial& t) { both_passes(t, v); }});
  };
  // Large heads first: they take the longest to build.
  for (const Variant& v : quick_attention_variants())
    add(v, {{.name = "scalar", .backend = Backend::kScalar}}, true);
  for (const DType dtype : kFloatTypes) {
    std::ranges::find(cases, whole_attention_head(dtype).text(), &Case::variant)->timed =
        [=](Trial& t, const Workload& work) {
          const auto& [B, T, NH, NKV, HS, window] = work.attention;
          both_passes(t, {.B = B, .T = T, .NH = NH, .HS = HS, .NKV = NKV, .window = window, .dtype = dtype});
        };
  }
  add_decoding(cases);
  for (const Variant& v : attention_sizes()) add(v, all_kernels(v.HS));
  for (const Variant& v : attention_variants()) add(v, some_kernels(v));
  for (const Variant& v : attention_matrix_variants()) {
    add(v, {matrix_kernels(v.HS)});
    cases.back().has_own_kernel = v.document == 0 && (v.HS == 40 || v.HS == 24);
  }
  for (const Variant& v : {Variant{1, 33, 2, 20}, {1, 33, 2, 24}}) {
    for (const float scale : {30.0F, 300.0F, 1e14F}) {
      cases.push_back({.variant = vkgpt::format("{} scores times {}", v.text(), scale),
                       .devices = all_kernels(v.HS),
                       .build = [=](Trial& t) { huge_scores(t, v, scale); }});
    }
  }
  return cases;
}

}  // namespace vkgpt::check

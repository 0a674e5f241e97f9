#include "vkgpt/ops/attention/attention.hpp"

#include <algorithm>
#include <optional>

#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/format.hpp"

#include "check/attention_variants.hpp"

// The definition is in attention_definition.cpp.

namespace vkgpt::check {
namespace {

using vk::Backend;

constexpr ops::StepParams kStep{.seed_lo = 0x12345678, .seed_hi = 0x9abcdef0, .dropout_step = 77};

/// Gradients are rounded to the type several times on the way.
double gradient_bound(DType dtype) {
  return (dtype == DType::kF32 ? 1 : 4) * rounding_bound(dtype);
}

/// The elements of a part (0 = q, 1 = k, 2 = v) of every row of qkv.
std::vector<std::size_t> part_of(const AttentionVariant& v, int part) {
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

std::optional<ops::Documents> documents_of(Trial& t, const AttentionVariant& v) {
  if (v.document == 0) return std::nullopt;
  return ops::Documents{t.input({v.B, v.T}, v.positions()), t.input({v.B, v.T}, v.ends())};
}

BothPasses append_both(Trial& t, const AttentionVariant& v, const plan::Tensor& qkv,
                       const plan::Tensor& dout) {
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

void both_passes(Trial& t, const AttentionVariant& v) {
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
  t.expect("out", out, expected.out, attention_bound(v.dtype));
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
void huge_scores(Trial& t, const AttentionVariant& v, float scale) {
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
std::vector<Device> some_kernels(const AttentionVariant& v) {
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

}  // namespace

std::vector<Case> attention_cases() {
  std::vector<Case> cases;
  const auto add = [&](const AttentionVariant& v, std::vector<Device> devices, bool quick = false) {
    cases.push_back({.variant = v.text(),
                     .dtype = v.dtype,
                     .quick = quick,
                     .devices = std::move(devices),
                     .build = [v](Trial& t) { both_passes(t, v); }});
  };
  // Before the decoding, since they take the longest to build.
  for (const AttentionVariant& v : quick_attention_variants())
    add(v, {{.name = "scalar", .backend = Backend::kScalar}}, true);
  for (const DType dtype : kFloatTypes) {
    std::ranges::find(cases, whole_attention_head(dtype).text(), &Case::variant)->timed =
        [=](Trial& t, const Workload& work) {
          const auto& [B, T, NH, NKV, HS, window] = work.attention;
          both_passes(t, {.B = B, .T = T, .NH = NH, .HS = HS, .NKV = NKV, .window = window, .dtype = dtype});
        };
  }
  append(cases, attention_decoding_cases());
  for (const AttentionVariant& v : attention_sizes()) add(v, all_kernels(v.HS));
  for (const AttentionVariant& v : attention_variants()) add(v, some_kernels(v));
  for (const AttentionVariant& v : attention_matrix_variants()) {
    add(v, {matrix_kernels(v.HS)});
    cases.back().has_own_kernel = v.document == 0 && (v.HS == 40 || v.HS == 24);
  }
  for (const AttentionVariant& v : {AttentionVariant{1, 33, 2, 20}, {1, 33, 2, 24}}) {
    for (const float scale : {30.0F, 300.0F, 1e14F}) {
      cases.push_back({.variant = vkgpt::format("{} scores times {}", v.text(), scale),
                       .devices = all_kernels(v.HS),
                       .build = [=](Trial& t) { huge_scores(t, v, scale); }});
    }
  }
  return cases;
}

}  // namespace vkgpt::check

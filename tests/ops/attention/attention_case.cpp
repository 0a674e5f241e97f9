#include "ops/attention/attention_case.hpp"

#include "vkgpt/ops/backend.hpp"

#include "gpu_context.hpp"

namespace vkgpt::test {

reference::AttentionShape AttentionCase::reference_shape() const {
  return {.B = static_cast<std::size_t>(B),
          .T = static_cast<std::size_t>(T),
          .C = static_cast<std::size_t>(C()),
          .NH = static_cast<std::size_t>(NH),
          .NKV = static_cast<std::size_t>(NKV),
          .window = static_cast<std::size_t>(window)};
}

std::ostream& operator<<(std::ostream& out, const AttentionCase& c) {
  return out << dtype_name(c.dtype) << " B " << c.B << " T " << c.T << " NH " << c.NH << " HS " << c.HS
             << " NKV " << c.NKV << " window " << c.window << " dropout " << c.dropout.p;
}

AttentionRun::AttentionRun(OpRunner& runner, const AttentionCase& c, const std::vector<float>& qkv_values,
                           const std::vector<float>& dout_values)
    : qkv(runner.input({c.B, c.T, c.width()}, qkv_values, c.dtype)),
      dout(runner.input({c.B, c.T, c.C()}, dout_values, c.dtype)),
      out(runner.output({c.B, c.T, c.C()}, c.dtype)),
      lse(runner.output({c.B, c.NH, c.T})),
      dqkv(runner.output({c.B, c.T, c.width()}, c.dtype)) {
  ops::attention_forward(runner.builder(), {.qkv = qkv,
                                            .out = out,
                                            .lse = lse,
                                            .n_head = c.NH,
                                            .n_kv_head = c.NKV,
                                            .window = c.window,
                                            .dropout = c.dropout});
  ops::attention_backward(runner.builder(), {.dout = dout,
                                             .qkv = qkv,
                                             .out = out,
                                             .lse = lse,
                                             .dqkv = dqkv,
                                             .n_head = c.NH,
                                             .n_kv_head = c.NKV,
                                             .window = c.window,
                                             .dropout = c.dropout});
}

bool is_gpu_assisted() {
  return shared_context().instance().validation() == vk::ValidationMode::kGpu;
}

std::vector<CapsVariant> attention_kernels(std::int64_t HS) {
  std::vector<CapsVariant> variants = caps_variants(0);
  variants[1].kernels.attention = vk::Backend::kScalar;
  variants[2] = {"without int64", variants[0].caps};
  variants[2].caps.shader_int64 = false;
  if (HS != 20) variants.pop_back();
  variants.push_back({"scalar as an Intel GPU", variants[1].caps, variants[1].kernels});
  variants.back().caps.vendor_id = vk::kVendorIntel;
  variants.push_back({"simt", variants[1].caps});
  variants.back().kernels.attention = vk::Backend::kSimt;
  variants.push_back({"simt as an Intel GPU", variants.back().caps, variants.back().kernels});
  variants.back().caps.vendor_id = vk::kVendorIntel;
  if (HS != 20 && HS != 24)
    std::erase_if(variants, [](const CapsVariant& v) { return v.caps.vendor_id == vk::kVendorIntel; });
  if (is_gpu_assisted() && HS == 20) return {variants[0]};
  if (is_gpu_assisted()) return {variants[HS == 24 ? 3 : 1]};
  return variants;
}

std::optional<CapsVariant> matrix_kernels(std::int64_t HS) {
  const vk::Backend backend = HS <= 24 ? vk::Backend::kNv : vk::Backend::kKhr;
  CapsVariant variant{HS <= 24 ? "nv" : "khr", shared_context().caps()};
  if (!ops::has_backend(variant.caps, backend, DType::kF16)) return std::nullopt;
  variant.kernels.attention = backend;
  if (HS == 48) variant.caps.vendor_id = vk::kVendorIntel;
  return variant;
}

}  // namespace vkgpt::test

#include "vkgpt/ops/matmul/matmul.hpp"

#include <algorithm>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/op_table.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/format.hpp"

#include "check/matmul_blocks.hpp"

namespace vkgpt::check {
namespace {

using vk::Backend;

/// y (M, N) = x (M, K) W^T, W (N, K), and its gradients.
struct ProductSize {
  std::int64_t M, N, K;

  std::string text() const { return vkgpt::format("{}x{}x{}", M, N, K); }
};

/// The products and what is done beside them.
enum class Product {
  kForward,       // y
  kForwardBias,   // y with a bias
  kForwardAdd,    // y += with a bias
  kGelu,          // y = gelu(pre), with a bias
  kGeluPlain,     // the same without
  kInput,         // dx
  kInputGelu,     // dx through a GELU
  kInputAdd,      // dx +=
  kInputGeluAdd,  // dx += through a GELU
  kWeight,        // dweight +=
  kWeightBias,    // dweight += and dbias +=
  kWeightStored,  // dweight =
  kWeightBiasStored,
};
constexpr std::string_view kProductNames[] = {"nt",
                                              "nt bias",
                                              "nt bias accumulate",
                                              "nt bias gelu",
                                              "nt gelu",
                                              "nn",
                                              "nn gelu_grad",
                                              "nn accumulate",
                                              "nn gelu_grad accumulate",
                                              "tn",
                                              "tn row_sums",
                                              "tn stored",
                                              "tn row_sums stored"};
constexpr Product kPlainProducts[] = {
    Product::kForward,    Product::kForwardBias,  Product::kGelu,
    Product::kInput,      Product::kInputGelu,    Product::kWeight,
    Product::kWeightBias, Product::kWeightStored, Product::kWeightBiasStored};

void forward(Trial& t, Product product, DType dtype, const ProductSize& s) {
  const Operand x = t.random({s.M, s.K}, 1, 1.0F, dtype), weight = t.random({s.N, s.K}, 2, 1.0F, dtype);
  const Operand bias = t.random({s.N}, 3);
  const bool has_bias = product != Product::kForward && product != Product::kGeluPlain;
  const Vector y = linear_forward(x, weight, has_bias ? View(bias) : View{}, s.M, s.N, s.K);
  if (product == Product::kGelu || product == Product::kGeluPlain) {
    ops::LinearGeluForward args{
        .x = x, .weight = weight, .pre = t.output({s.M, s.N}, dtype), .y = t.output({s.M, s.N}, dtype)};
    if (has_bias) args.bias = bias;
    ops::linear_gelu_forward(t.builder(), args);
    t.expect("pre", args.pre, y, rounding_bound(dtype));
    // GELU is taken of sums that were rounded before.
    t.expect("y", args.y, gelu_forward(y), (dtype == DType::kF32 ? 1 : 4) * rounding_bound(dtype));
    return;
  }
  const Operand old = t.random({s.M, s.N}, 6, 1.0F, dtype);
  const bool adds = product == Product::kForwardAdd;
  ops::LinearForward args{
      .x = x, .weight = weight, .y = adds ? old.tensor : t.output({s.M, s.N}, dtype), .accumulate = adds};
  if (has_bias) args.bias = bias;
  ops::linear_forward(t.builder(), args);
  t.expect("y", args.y, adds ? add(y, old) : y, rounding_bound(dtype));
}

void backward_input(Trial& t, Product product, DType dtype, const ProductSize& s) {
  const Operand dy = t.random({s.M, s.N}, 4, 3.0F, dtype), weight = t.random({s.N, s.K}, 2, 1.0F, dtype);
  const Operand pre = t.random({s.M, s.K}, 5, 2.0F, dtype), old = t.random({s.M, s.K}, 7, 5.0F, dtype);
  const bool has_gelu = product == Product::kInputGelu || product == Product::kInputGeluAdd;
  const bool adds = product == Product::kInputAdd || product == Product::kInputGeluAdd;
  ops::LinearBackwardInput args{
      .dy = dy, .weight = weight, .dx = adds ? old.tensor : t.output({s.M, s.K}, dtype), .accumulate = adds};
  if (has_gelu) args.pre_gelu = pre;
  ops::linear_backward_input(t.builder(), args);
  Vector dx = matmul_nn(dy, weight, s.M, s.K, s.N);
  if (has_gelu) dx = gelu_backward(dx, pre);
  t.expect("dx", args.dx, adds ? add(dx, old) : dx, rounding_bound(dtype));
}

void backward_weight(Trial& t, Product product, DType dtype, const ProductSize& s) {
  const Operand dy = t.random({s.M, s.N}, 4, 3.0F, dtype), x = t.random({s.M, s.K}, 1, 1.0F, dtype);
  const bool stores = product >= Product::kWeightStored;
  const Operand weight = t.random({s.N, s.K}, 2), dweight = t.sum_target({s.N, s.K}, 8, stores),
                dbias = t.sum_target({s.N}, 3, stores);
  ops::LinearBackwardWeight args{.dy = dy, .x = x, .dweight = dweight};
  if (product == Product::kWeightBias || product == Product::kWeightBiasStored) args.dbias = dbias;
  ops::linear_backward_weight(t.builder(), args);
  const LinearGradients gradients = linear_backward(dy, x, weight, s.M, s.N, s.K);
  t.expect("dweight", dweight, add(gradients.dweight, dweight), kFp32Nmse);
  if (args.dbias) t.expect("dbias", dbias, add(gradients.dbias, dbias), kFp32Nmse);
}

/// A product by itself, to be timed. What a backend reads again, or keeps between parts of K, does not count.
void one_product(Trial& t, DType dtype, const GemmShape& shape) {
  const auto& [form, m, n, k] = shape;
  const auto matrix = [&](std::int64_t rows, std::int64_t columns) {
    return t.random({rows, columns}, 1, 1.0F, dtype).tensor;
  };
  t.pass(vkgpt::format("{} {} {}x{}x{}", form, dtype_name(dtype), m, n, k), 2 * m * n * k);
  if (form == "nt") {
    ops::linear_forward(t.builder(),
                        {.x = matrix(m, k), .weight = matrix(n, k), .y = t.output({m, n}, dtype)});
  } else if (form == "nn") {
    ops::linear_backward_input(t.builder(),
                               {.dy = matrix(m, k), .weight = matrix(k, n), .dx = t.output({m, n}, dtype)});
  } else {
    ops::linear_backward_weight(
        t.builder(), {.dy = matrix(k, m), .x = matrix(k, n), .dweight = t.sum_target({m, n}, 8, true)});
  }
}

/// K of a product is cut because bindings are small. What the slices sum up to in between overflows f16, and
/// bf16 would lose what is left of it.
void sums_of_slices(Trial& t, DType dtype, bool adds) {
  constexpr ProductSize s{1, 384, 150};
  std::vector<float> upstream = random_floats(384, 4, 3.0F),
                     values = random_floats(std::size_t{384} * 150, 2);
  for (std::size_t n = 0; n < 256; ++n) {
    upstream[n] = n < 128 ? 640.0F : -640.0F;
    std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(n * 150), 150, 2.0F);
  }
  const Operand dy = t.given({s.M, s.N}, upstream, dtype), weight = t.given({s.N, s.K}, values, dtype);
  const Operand pre = t.random({s.M, s.K}, 5, 2.0F, dtype), old = t.random({s.M, s.K}, 7, 5.0F, dtype);
  const ops::LinearBackwardInput args{.dy = dy,
                                      .weight = weight,
                                      .dx = adds ? old.tensor : t.output({s.M, s.K}, dtype),
                                      .pre_gelu = pre,
                                      .accumulate = adds};
  ops::linear_backward_input(t.builder(), args);
  const Vector dx = gelu_backward(matmul_nn(dy, weight, s.M, s.K, s.N), pre);
  t.expect("dx", args.dx, adds ? add(dx, old) : dx, rounding_bound(dtype));
}

void overflow(Trial& t, DType dtype) {
  const float large = dtype == DType::kF16 ? 256.0F : 0x1p64F;
  const std::vector<float> signs{large, large, -large, -large}, values{large, 0.0F, 0.0F, large};
  const plan::Tensor y = t.output({2, 2}, dtype);
  ops::linear_forward(t.builder(),
                      {.x = t.input({2, 2}, signs, dtype), .weight = t.input({2, 2}, values, dtype), .y = y});
  t.expect_exactly("y", y, std::vector{kInfinity, kInfinity, -kInfinity, -kInfinity});
}

/// The scalar and the simt backend: as the device is, taken for a GPU and for one of Intel's, without 64-bit
/// integers, without control of the subgroup size, and with bindings so small that rows are cut.
std::vector<Device> f32_devices(const ProductSize& s) {
  const auto sliced = static_cast<std::uint64_t>(256 * std::max({s.M, s.N, s.K}));
  constexpr auto kScalar = Backend::kScalar, kSimt = Backend::kSimt;
  return {{.name = "scalar", .backend = kScalar},
          {.name = "scalar as a GPU", .backend = kScalar, .is_gpu = true},
          {.name = "scalar, sliced", .backend = kScalar, .max_binding_bytes = sliced},
          {.name = "simt", .backend = kSimt},
          {.name = "simt, sliced", .backend = kSimt, .max_binding_bytes = sliced},
          {.name = "without int64", .backend = kScalar, .has_int64 = false},
          {.name = "without subgroup size control", .backend = kScalar, .has_subgroup_size_control = false},
          {.name = "as an Intel GPU", .backend = kScalar, .is_gpu = true, .vendor_id = vk::kVendorIntel},
          {.name = "as a GPU", .is_gpu = true}};
}

/// Rows that these bindings cut, in each role of `kSliced`.
constexpr std::uint64_t kSlicedProductBytes = std::uint64_t{128} * 4 * 150;
// Tails of everything; of tiles of words; one row; sliced rows; odd ones; rows of eight, with tails and none.
constexpr ProductSize kTails{8, 70, 42}, kVectors{20, 36, 28}, kOneRow{1, 34, 48}, kSliced{140, 150, 34},
    kOdd{7, 5, 33}, kMatrixTails{40, 72, 24}, kMatrixWhole{64, 32, 32};
// For every device: whole tiles of most kernels; tails of everything; one row; sums that GPUs cut.
constexpr ProductSize kAligned{128, 192, 64}, kAnyOdd{67, 131, 53}, kAnyRow{1, 192, 64}, kTall{2049, 70, 66};

class Cases {
 public:
  Case& add(Product product, DType dtype, const ProductSize& s, std::vector<Device> devices,
            bool quick = false) {
    auto build = product < Product::kInput    ? forward
                 : product < Product::kWeight ? backward_input
                                              : backward_weight;
    return add(
        vkgpt::format("{} {} {}", dtype_name(dtype), s.text(), kProductNames[static_cast<int>(product)]),
        dtype, std::move(devices), [=](Trial& t) { build(t, product, dtype, s); }, quick);
  }
  /// A case that is there already also runs on these devices.
  Case& add(std::string variant, DType dtype, std::vector<Device> devices, std::function<void(Trial&)> build,
            bool quick = false) {
    const auto found = std::ranges::find(list, variant, &Case::variant);
    if (found == list.end()) {
      list.push_back({std::move(variant), dtype, quick, std::move(devices), std::move(build)});
      return list.back();
    }
    found->quick = found->quick || quick;
    found->devices.insert(found->devices.end(), devices.begin(), devices.end());
    return *found;
  }

  std::vector<Case> list;
};

/// What `vkgpt selftest` runs by each backend.
void add_quick(Cases& cases) {
  const std::vector<Device> scalar = {{.name = "scalar", .backend = Backend::kScalar}};
  cases.add(Product::kWeightBias, DType::kF32, kTall, scalar, true);
  cases.add(Product::kWeightBiasStored, DType::kF32, kTall, scalar, true);
  for (const DType dtype : kFloatTypes) {
    cases.add(Product::kForwardBias, dtype, kAnyOdd, scalar, true);
    cases.list.back().timed = [=](Trial& t, const Workload& work) { one_product(t, dtype, work.gemm); };
    cases.add(Product::kGelu, dtype, kAligned, scalar, true);
    cases.add(Product::kInput, dtype, kAligned, scalar, true);
    cases.add(Product::kWeightBias, dtype, kAnyOdd, scalar, true);
    cases.add(Product::kWeightBiasStored, dtype, kAnyOdd, scalar, true);
    cases.add(Product::kForwardBias, dtype, kAnyRow, scalar, true);
    // bf16 differs in conversions alone, and CPU drivers take long to build these kernels.
    if (dtype == DType::kBF16) continue;
    cases.add(Product::kForwardAdd, dtype, kAnyOdd, scalar, true);
    cases.add(Product::kInputGelu, dtype, kAnyOdd, scalar, true);
    cases.add(Product::kInputGeluAdd, dtype, kAligned, scalar, true);
    cases.add(Product::kWeightStored, dtype, kAligned, scalar, true);
  }
}

void add_f32(Cases& cases) {
  // 1 element; odd; one row; even with a tail of k; tile borders +-1; several strips; the widths of small
  // models; few long rows.
  for (const ProductSize& s : {ProductSize{1, 1, 1},
                               {3, 5, 7},
                               {1, 384, 128},
                               {1, 33, 17},
                               {2, 2, 2},
                               {6, 34, 10},
                               {17, 33, 65},
                               {65, 64, 63},
                               {130, 96, 72},
                               {16, 32, 8},
                               {128, 384, 128},
                               {200, 70, 514},
                               {31, 257, 96},
                               {5, 70, 516}}) {
    for (const Product product : kPlainProducts) cases.add(product, DType::kF32, s, f32_devices(s));
  }
  // The long one is cut along k on CPU drivers.
  const std::vector<Device> native = {Device{}}, simt = {{.name = "simt", .backend = Backend::kSimt}},
                            gpu = {{.name = "as a GPU", .is_gpu = true}};
  for (const Product product : {Product::kForwardAdd, Product::kInputAdd, Product::kInputGeluAdd}) {
    for (const ProductSize& s : {ProductSize{17, 33, 65}, {1, 9, 33}, {1, 1030, 64}}) {
      cases.add(product, DType::kF32, s, native);
    }
    cases.add(product, DType::kF32, {17, 36, 20}, simt);
    cases.add(product, DType::kF32, {1, 9, 33}, gpu);
  }
  cases.add(Product::kGeluPlain, DType::kF32, {1, 9, 33}, native);
  cases.add(Product::kWeightBias, DType::kF32, {2048, 48, 40}, native);
  cases.add(Product::kWeightBiasStored, DType::kF32, {2048, 48, 40}, native);
}

/// `kernel` of the simt backend, as if it had been measured to be the fastest for all products of a size.
Device measured_device(const ProductSize& s, const std::string& kernel) {
  return {.name = kernel,
          .backend = Backend::kSimt,
          .measured = {{vkgpt::format("nt f32 {}x{}x{} bias gelu", s.M, s.N, s.K), kernel},
                       {vkgpt::format("nn f32 {}x{}x{} gelu_grad", s.M, s.K, s.N), kernel},
                       {vkgpt::format("tn f32 {}x{}x{} accumulate row_sums", s.N, s.K, s.M), kernel},
                       {vkgpt::format("tn f32 {}x{}x{} row_sums", s.N, s.K, s.M), kernel}},
          .is_gpu = true};
}

void add_simt_tiles(Cases& cases) {
  std::vector<Device> tiles;
  constexpr ProductSize kSize{131, 140, 36};
  for (const char* tile :
       {"128x128x8 8x8", "128x64x8 8x8", "128x64x16 8x4", "64x64x8 8x4", "64x64x16 4x4", "32x32x16 4x4"}) {
    tiles.push_back(measured_device(kSize, vkgpt::format("simt {}", tile)));
  }
  for (const Product product :
       {Product::kGelu, Product::kInputGelu, Product::kWeightBias, Product::kWeightBiasStored}) {
    cases.add(product, DType::kF32, kSize, tiles);
    // K in parts, of which the last is short; rows of words, and odd ones.
    for (const std::int64_t width : {12, 7}) {
      const ProductSize s{1030, 40 + width, width};
      cases.add(product, DType::kF32, s, {measured_device(s, "simt 32x32x16 4x4 k4")});
    }
  }
}

/// bf16 differs in conversions alone, and a pipeline takes a CPU driver up to half a second to build.
void add_16bit(Cases& cases, Product product, DType dtype) {
  constexpr auto kScalar = Backend::kScalar, kSimt = Backend::kSimt, kKhr = Backend::kKhr, kNv = Backend::kNv;
  const bool is_weight = product == Product::kWeightBias || product == Product::kWeightBiasStored;
  const bool is_plain =
      product == Product::kForwardBias || product == Product::kInput || product == Product::kWeightBiasStored;
  const auto on = [&](const ProductSize& s, std::vector<Device> devices) -> Case& {
    return cases.add(product, dtype, s, std::move(devices));
  };
  const bool adds = product == Product::kForwardAdd || product == Product::kInputAdd;
  on(kTails, {{.name = "scalar", .backend = kScalar}});
  on(kVectors, {{.name = "simt", .backend = kSimt}}).has_own_kernel = is_plain && dtype == DType::kF16;
  if (!adds) on(kOdd, {Device{}});
  if (dtype == DType::kBF16) return;
  on(kTails, {{.name = "scalar as a GPU", .backend = kScalar, .is_gpu = true}});
  on(kOneRow, {{.name = "scalar", .backend = kScalar},
               {.name = "scalar as a GPU", .backend = kScalar, .is_gpu = true}})
      .has_own_kernel = product == Product::kForwardBias;  // matrix-vector products
  on(kSliced, {{.name = "scalar, sliced", .backend = kScalar, .max_binding_bytes = kSlicedProductBytes},
               {.name = "simt, sliced", .backend = kSimt, .max_binding_bytes = kSlicedProductBytes},
               {.name = "khr, sliced", .backend = kKhr, .max_binding_bytes = kSlicedProductBytes}});
  on(kMatrixTails, {{.name = "khr", .backend = kKhr}, {.name = "nv", .backend = kNv}}).has_own_kernel =
      is_plain;
  on(kMatrixWhole,
     {{.name = "nv", .backend = kNv},
      {.name = "khr as NVIDIA's", .backend = kKhr, .is_gpu = true, .vendor_id = vk::kVendorNvidia}});
  if (is_weight || product == Product::kInput || product == Product::kInputAdd) {
    on(is_weight ? ProductSize{600, 24, 32}
                 : ProductSize{24, 600, 32},  // K in parts, which fill a large device
       {{.name = "khr as a GPU", .backend = kKhr, .is_gpu = true},
        {.name = "nv as a GPU", .backend = kNv, .is_gpu = true}})
        .has_own_kernel = true;  // the reduction
  }
}

}  // namespace

std::vector<Case> matmul_cases() {
  Cases cases;
  add_quick(cases);
  add_f32(cases);
  add_simt_tiles(cases);
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (const Product product :
         {Product::kForwardBias, Product::kForwardAdd, Product::kGelu, Product::kInput, Product::kInputGelu,
          Product::kInputAdd, Product::kWeightBias, Product::kWeightBiasStored}) {
      add_16bit(cases, product, dtype);
    }
    cases.add(Product::kInputGeluAdd, dtype, kOdd, {Device{}});
    for (const bool adds : {false, true}) {
      std::vector<Device> devices = {{.name = "sliced", .max_binding_bytes = kSlicedProductBytes}};
      if (adds) {
        devices.push_back(
            {.name = "simt, sliced", .backend = Backend::kSimt, .max_binding_bytes = kSlicedProductBytes});
      }
      cases.add(vkgpt::format("{} sums of slices stay f32{}", dtype_name(dtype), adds ? " accumulate" : ""),
                dtype, devices, [=](Trial& t) { sums_of_slices(t, dtype, adds); });
    }
    cases.add(vkgpt::format("{} overflow is infinite", dtype_name(dtype)), dtype, {Device{}},
              [=](Trial& t) { overflow(t, dtype); });
  }
  append(cases.list, matmul_block_cases());
  return std::move(cases.list);
}

}  // namespace vkgpt::check

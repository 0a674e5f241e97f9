#include "vkgpt/ops/matmul.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/grid.hpp"
#include "vkgpt/ops/launch.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

/// Operands as stored: NN a (M, K), b (K, N); NT a (M, K), b (N, K); TN a (K, M), b (K, N). c is (M, N).
enum class Transposition { kNN, kNT, kTN };

/// What happens to a finished element of C; the numbers are those of shaders/include/matmul_scalar.glsl.
enum class Epilogue { kNone = 0, kBias = 1, kBiasGelu = 2, kGeluGrad = 3 };

struct Product {
  std::string stem;
  Transposition transposition;
  Tensor a, b, c;
  bool accumulate = false;  // c +=
  Epilogue epilogue = Epilogue::kNone;
  std::optional<Tensor> bias = {};      // (N), of kBias and kBiasGelu
  std::optional<Tensor> pre = {};       // (M, N), written by kBiasGelu, read by kGeluGrad
  std::optional<Tensor> row_sums = {};  // (M), TN only: += the sums of a's columns
};

struct Extents {
  std::int64_t m, n, k;
};

Extents extents_of(const Product& p) {
  const bool a_is_transposed = p.transposition == Transposition::kTN;
  const std::int64_t m = a_is_transposed ? p.a.shape.back() : p.a.shape.rows();
  const std::int64_t k = a_is_transposed ? p.a.shape.rows() : p.a.shape.back();
  const bool b_is_transposed = p.transposition == Transposition::kNT;
  const std::int64_t n = b_is_transposed ? p.b.shape.rows() : p.b.shape.back();
  const std::int64_t b_k = b_is_transposed ? p.b.shape.back() : p.b.shape.rows();
  VKGPT_CHECK(b_k == k && p.c.shape.rows() == m && p.c.shape.back() == n, "{}: a {}, b {}, c {}", p.stem,
              p.a.shape.to_string(), p.b.shape.to_string(), p.c.shape.to_string());
  VKGPT_CHECK(!p.bias || p.bias->shape.numel() == n, "{}: bias {} for N = {}", p.stem,
              p.bias->shape.to_string(), n);
  VKGPT_CHECK(!p.row_sums || p.row_sums->shape.numel() == m, "{}: dbias {} for {} outputs", p.stem,
              p.row_sums->shape.to_string(), m);
  VKGPT_CHECK(!p.pre || (p.pre->shape.rows() == m && p.pre->shape.back() == n), "{}: pre {}, c {}", p.stem,
              p.pre->shape.to_string(), p.c.shape.to_string());
  for (const Tensor& t : {p.a, p.b, p.c}) {
    VKGPT_CHECK(t.dtype == DType::kF32, "{}: {} operand", p.stem, dtype_name(t.dtype));
  }
  return {m, n, k};
}

/// Cuts `extent` into equal parts of at most `limit`; all but the last are multiples of 64, so that a row, or
/// an element, that starts a part is bound at a multiple of 256 bytes.
std::vector<Slice> slices_of(std::int64_t extent, std::int64_t limit) {
  if (extent <= limit) return {{0, extent}};
  constexpr std::int64_t kGranule = 64;
  VKGPT_CHECK(limit >= kGranule, "{} rows do not fit a binding", kGranule);
  const auto divide_up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t parts = divide_up(extent, limit / kGranule * kGranule);
  const std::int64_t step = divide_up(divide_up(extent, parts), kGranule) * kGranule;
  std::vector<Slice> slices;
  for (std::int64_t first = 0; first < extent; first += step) {
    slices.push_back({first, std::min(step, extent - first)});
  }
  return slices;
}

/// A dispatch stays far below a watchdog's patience on the slowest devices.
constexpr std::int64_t kMaxFlops = 4'000'000'000;

/// Rows of B that a CPU's caches hold while every tile of C passes over them.
constexpr std::int64_t kCachedK = 512;

struct Slicing {
  std::vector<Slice> m, n, k;
};

Slicing slice(const vk::DeviceCaps& caps, const Product& p, const Extents& e) {
  const auto fitting = [&](std::int64_t row_elements) {
    const std::uint64_t bytes = std::min<std::uint64_t>(caps.max_storage_buffer_range, 1ull << 32);
    return static_cast<std::int64_t>(bytes / sizeof(float)) / row_elements;
  };
  const std::int64_t k_limit = caps.is_cpu() ? kCachedK : e.k;
  Slicing s{{}, {{0, e.n}}, {{0, e.k}}};
  std::int64_t m_limit = fitting(e.n);
  switch (p.transposition) {
    case Transposition::kNN:
      m_limit = std::min(m_limit, fitting(e.k));
      s.k = slices_of(e.k, std::min(k_limit, fitting(e.n)));
      break;
    case Transposition::kNT:
      m_limit = std::min(m_limit, fitting(e.k));
      s.n = slices_of(e.n, fitting(e.k));
      break;
    case Transposition::kTN:
      s.k = slices_of(e.k, std::min(k_limit, fitting(std::max(e.m, e.n))));
      break;
  }
  const std::int64_t row_flops = 2 * s.n[0].count * s.k[0].count;
  s.m = slices_of(e.m, std::min(m_limit, std::max<std::int64_t>(64, kMaxFlops / row_flops)));
  return s;
}

/// What a shader variant depends on beside the product.
struct Variant {
  std::uint32_t lanes;          // of a workgroup, all in one subgroup
  std::uint32_t tile_rows;      // 16, 8 or 1
  std::uint32_t k_step;         // k of an iteration
  bool is_wide;                 // loads and stores 64-bit pairs
  std::uint32_t subgroup_size;  // to be required of the driver, or 0
};

Variant choose_variant(const vk::DeviceCaps& caps, const Product& p, const Extents& e) {
  constexpr std::uint32_t kMaxLanes = 64;
  Variant v{};
  const std::uint32_t subgroup = caps.subgroup_size_control ? caps.subgroup_size : caps.min_subgroup_size;
  v.lanes = std::min(subgroup, kMaxLanes);
  v.subgroup_size = caps.subgroup_size_control && v.lanes == caps.subgroup_size ? v.lanes : 0;
  v.tile_rows = e.m <= 8 && v.lanes <= 32 ? 8 : 16;
  v.k_step = 8;
  if (e.m == 1 && p.transposition != Transposition::kTN) {
    v.tile_rows = 1;
    v.k_step = 2 * v.lanes;  // a pair of A for every lane
  }
  const bool rows_are_even =
      p.a.shape.back() % 2 == 0 && p.b.shape.back() % 2 == 0 && p.c.shape.back() % 2 == 0;
  v.is_wide = caps.is_cpu() && caps.shader_int64 && caps.storage_buffer_alignment % 8 == 0 && rows_are_even;
  return v;
}

/// One dispatch: rows `m` and columns `n` of C, over `k`.
struct Part {
  Slice m, n, k;
  bool is_first_k, is_last_k;
};

void append(PlanBuilder& builder, const Product& p, const Variant& variant, const Part& part) {
  const bool accumulate = p.accumulate || !part.is_first_k;
  const Epilogue epilogue = part.is_last_k ? p.epilogue : Epilogue::kNone;
  const bool sums_rows = p.row_sums.has_value();

  const auto bind = [](Binding whole, const Tensor& t, Slice s) { return rows(whole, t, s.first, s.count); };
  const Slice a_rows = p.transposition == Transposition::kTN ? part.k : part.m;
  const Slice b_rows = p.transposition == Transposition::kNT ? part.n : part.k;
  Dispatch d;
  d.bindings = {bind(read(p.a), p.a, a_rows), bind(read(p.b), p.b, b_rows),
                bind(accumulate ? read_write(p.c) : write(p.c), p.c, part.m)};
  if (epilogue == Epilogue::kBias || epilogue == Epilogue::kBiasGelu) {
    d.bindings.push_back(elements(read(*p.bias), part.n));
  }
  if (epilogue == Epilogue::kBiasGelu) d.bindings.push_back(bind(write(*p.pre), *p.pre, part.m));
  if (epilogue == Epilogue::kGeluGrad) d.bindings.push_back(bind(read(*p.pre), *p.pre, part.m));
  if (sums_rows) d.bindings.push_back(elements(read_write(*p.row_sums), part.m));

  const auto macro = [](const char* name, auto value) { return vk::Macro{name, std::to_string(value)}; };
  d.kernel = {.stem = p.stem,
              .macros = {macro("LANES", variant.lanes), macro("TM", variant.tile_rows),
                         macro("K_STEP", variant.k_step), macro("WIDE", int{variant.is_wide}),
                         macro("K_TAIL", int{part.k.count % variant.k_step != 0}),
                         macro("ACCUMULATE", int{accumulate}), macro("EPILOGUE", static_cast<int>(epilogue)),
                         macro("ROW_SUMS", int{sums_rows})},
              .subgroup_size = variant.subgroup_size};

  const auto word = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  const std::int64_t a_column = p.transposition == Transposition::kTN   ? part.m.first
                                : p.transposition == Transposition::kNN ? part.k.first
                                                                        : 0;
  d.push = PushWords{}
               .u32(word(part.m.count))
               .u32(word(part.n.count))
               .u32(word(part.k.count))
               .u32(word(p.a.shape.back()))
               .u32(word(p.b.shape.back()))
               .u32(word(p.c.shape.back()))
               .u32(word(a_column))
               .u32(word(part.n.first));
  // The product of both is exactly the number of tiles, which the shader numbers anew in strips.
  d.groups = {static_cast<std::uint32_t>(ceil_div(word(part.n.count), 4 * variant.lanes)),
              static_cast<std::uint32_t>(ceil_div(word(part.m.count), variant.tile_rows)), 1};
  const std::uint64_t m = word(part.m.count), n = word(part.n.count), k = word(part.k.count);
  const std::uint64_t c_passes = 1 + (accumulate ? 1 : 0) + (epilogue >= Epilogue::kBiasGelu ? 1 : 0);
  d.cost = {.flops = 2 * m * n * k, .bytes = 4 * (m * k + k * n + c_passes * m * n)};
  builder.dispatch(std::move(d));
}

void append(PlanBuilder& builder, const Product& product) {
  const Extents extents = extents_of(product);
  const Variant variant = choose_variant(builder.caps(), product, extents);
  const Slicing slicing = slice(builder.caps(), product, extents);
  for (const Slice& m : slicing.m) {
    for (const Slice& n : slicing.n) {
      for (std::size_t i = 0; i < slicing.k.size(); ++i) {
        append(builder, product, variant, {m, n, slicing.k[i], i == 0, i + 1 == slicing.k.size()});
      }
    }
  }
}

}  // namespace

void linear_forward(PlanBuilder& builder, const LinearForward& args) {
  append(builder, {.stem = "linear_forward",
                   .transposition = Transposition::kNT,
                   .a = args.x,
                   .b = args.weight,
                   .c = args.y,
                   .epilogue = args.bias ? Epilogue::kBias : Epilogue::kNone,
                   .bias = args.bias});
}

void linear_gelu_forward(PlanBuilder& builder, const LinearGeluForward& args) {
  append(builder, {.stem = "linear_forward",
                   .transposition = Transposition::kNT,
                   .a = args.x,
                   .b = args.weight,
                   .c = args.y,
                   .epilogue = Epilogue::kBiasGelu,
                   .bias = args.bias,
                   .pre = args.pre});
}

void linear_backward_input(PlanBuilder& builder, const LinearBackwardInput& args) {
  append(builder, {.stem = "linear_backward_input",
                   .transposition = Transposition::kNN,
                   .a = args.dy,
                   .b = args.weight,
                   .c = args.dx,
                   .epilogue = args.pre_gelu ? Epilogue::kGeluGrad : Epilogue::kNone,
                   .pre = args.pre_gelu});
}

void linear_backward_weight(PlanBuilder& builder, const LinearBackwardWeight& args) {
  append(builder, {.stem = "linear_backward_weight",
                   .transposition = Transposition::kTN,
                   .a = args.dy,
                   .b = args.x,
                   .c = args.dweight,
                   .accumulate = true,
                   .row_sums = args.dbias});
}

}  // namespace vkgpt::ops

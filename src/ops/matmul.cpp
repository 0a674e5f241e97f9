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
enum class Epilogue { kNone = 0, kGelu = 1, kGeluGrad = 2 };

struct Product {
  std::string stem;
  Transposition transposition;
  Tensor a, b, c;                   // a and b of one type; c of theirs or f32
  bool accumulate = false;          // c += the finished elements
  std::optional<Tensor> bias = {};  // (N) f32, added before the epilogue
  Epilogue epilogue = Epilogue::kNone;
  std::optional<Tensor> pre = {};       // (M, N), a's type; written by kGelu, read by kGeluGrad
  std::optional<Tensor> row_sums = {};  // (M) f32, TN only: += the sums of a's columns
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
  return {m, n, k};
}

bool is_16bit(const Tensor& t) {
  return dtype_size(t.dtype) == 2;
}

void check_types(const vk::DeviceCaps& caps, const Product& p) {
  const DType dtype = p.a.dtype;
  const DType c_dtype = p.transposition == Transposition::kTN ? DType::kF32 : dtype;
  VKGPT_CHECK(p.b.dtype == dtype && p.c.dtype == c_dtype && (!p.pre || p.pre->dtype == dtype),
              "{}: a {}, b {}, c {}", p.stem, dtype_name(dtype), dtype_name(p.b.dtype),
              dtype_name(p.c.dtype));
  VKGPT_CHECK(!p.bias || p.bias->dtype == DType::kF32, "{}: bias {}", p.stem, dtype_name(p.bias->dtype));
  VKGPT_CHECK(!p.row_sums || p.row_sums->dtype == DType::kF32, "{}: dbias {}", p.stem,
              dtype_name(p.row_sums->dtype));
  VKGPT_CHECK(!is_16bit(p.a) || caps.storage_16bit, "{} of {} needs 16-bit storage", p.stem,
              dtype_name(dtype));
}

/// Cuts `extent` into equal parts of at most `limit`; all but the last are multiples of `granule`, so that a
/// row, or an element, that starts a part is bound at a multiple of 256 bytes.
std::vector<Slice> slices_of(std::int64_t extent, std::int64_t limit, std::int64_t granule) {
  if (extent <= limit) return {{0, extent}};
  VKGPT_CHECK(limit >= granule, "{} rows do not fit a binding", granule);
  const auto divide_up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t parts = divide_up(extent, limit / granule * granule);
  const std::int64_t step = divide_up(divide_up(extent, parts), granule) * granule;
  std::vector<Slice> slices;
  for (std::int64_t first = 0; first < extent; first += step) {
    slices.push_back({first, std::min(step, extent - first)});
  }
  return slices;
}

/// A dispatch stays far below a watchdog's patience on the slowest devices.
constexpr std::int64_t kMaxFlops = 4'000'000'000;

/// Bytes of a column of B that a CPU's caches hold while every tile of C passes over them.
constexpr std::int64_t kCachedColumnBytes = 2048;

struct Slicing {
  std::vector<Slice> m, n, k;
  bool has_partials;  // sums between slices of k are kept apart from c
};

Slicing slice(const vk::DeviceCaps& caps, const Product& p, const Extents& e) {
  const auto size = static_cast<std::int64_t>(dtype_size(p.a.dtype));
  const std::int64_t granule = slice_granule(size == 2);
  const auto fitting = [&](std::int64_t row_elements, std::int64_t element_size) {
    const std::uint64_t bytes = std::min<std::uint64_t>(caps.max_storage_buffer_range, 1ull << 32);
    return static_cast<std::int64_t>(bytes) / element_size / row_elements;
  };
  const std::int64_t k_limit = caps.is_cpu() ? kCachedColumnBytes / size : e.k;
  Slicing s{{}, {{0, e.n}}, {{0, e.k}}, false};
  std::int64_t m_limit = fitting(e.n, static_cast<std::int64_t>(dtype_size(p.c.dtype)));
  switch (p.transposition) {
    case Transposition::kNN:
      m_limit = std::min(m_limit, fitting(e.k, size));
      s.k = slices_of(e.k, std::min(k_limit, fitting(e.n, size)), granule);
      break;
    case Transposition::kNT:
      m_limit = std::min(m_limit, fitting(e.k, size));
      s.n = slices_of(e.n, fitting(e.k, size), granule);
      break;
    case Transposition::kTN:
      s.k = slices_of(e.k, std::min(k_limit, fitting(std::max(e.m, e.n), size)), granule);
      break;
  }
  // Sums stay fp32 up to the last slice, and what c held is not to pass the epilogue.
  s.has_partials = s.k.size() > 1 && (is_16bit(p.c) || (p.accumulate && p.epilogue != Epilogue::kNone));
  if (s.has_partials) m_limit = std::min(m_limit, fitting(e.n, sizeof(float)));
  const std::int64_t row_flops = 2 * s.n[0].count * s.k[0].count;
  s.m = slices_of(e.m, std::min(m_limit, std::max(granule, kMaxFlops / row_flops)), granule);
  return s;
}

/// What a shader variant depends on beside the product.
struct Variant {
  std::uint32_t lanes;          // of a workgroup, all in one subgroup
  std::uint32_t tile_rows;      // 16, 8 or 1
  std::uint32_t k_step;         // k of an iteration
  std::uint32_t b_step;         // of them, those whose B is in registers at a time
  bool is_wide;                 // reads two neighbours as one word, of 64 bits for f32
  bool has_wide_f32;            // so are bias, partials and an f32 c, which is written in pairs, too
  std::uint32_t subgroup_size;  // to be required of the driver, or 0
};

Variant choose_variant(const vk::DeviceCaps& caps, const Product& p, const Extents& e) {
  constexpr std::uint32_t kMaxLanes = 64;
  Variant v{};
  const RegisterBudget budget = register_budget(caps);
  v.lanes = std::min(budget.subgroup, kMaxLanes);
  v.subgroup_size = v.lanes == budget.subgroup ? budget.required_size : 0;
  // 16 rows are 64 sums in each lane, beside what is loaded of A and B.
  const bool fits_16_rows = budget.registers > 128;
  v.tile_rows = (e.m <= 8 || !fits_16_rows) && v.lanes <= 32 ? 8 : 16;
  v.k_step = 8;
  if (e.m == 1 && p.transposition != Transposition::kTN) {
    v.tile_rows = 1;
    v.k_step = 2 * v.lanes;  // a pair of A for every lane
  }
  v.b_step = caps.is_cpu() ? v.k_step : 8;
  const bool rows_are_even =
      p.a.shape.back() % 2 == 0 && p.b.shape.back() % 2 == 0 && p.c.shape.back() % 2 == 0;
  const bool has_pairs_of_f32 = caps.is_cpu() && caps.shader_int64 && caps.storage_buffer_alignment % 8 == 0;
  const bool has_pairs_of_16bit = caps.storage_buffer_alignment % 4 == 0;
  v.is_wide = rows_are_even && (is_16bit(p.a) ? has_pairs_of_16bit : has_pairs_of_f32);
  v.has_wide_f32 = v.is_wide && has_pairs_of_f32;
  return v;
}

/// Where the sums are that a dispatch continues; the numbers are those of the shader.
enum class Partial { kNone = 0, kInC = 1, kApart = 2 };

/// One dispatch: rows `m` and columns `n` of C, over `k`.
struct Part {
  Slice m, n, k;
  bool is_first_k, is_last_k;
};

/// `partials` (M, N) f32 holds the sums between slices of k; without, c does.
void append(PlanBuilder& builder, const Product& p, const std::optional<Tensor>& partials,
            const Variant& variant, const Part& part) {
  const bool is_last = part.is_last_k;
  const Tensor& c = partials && !is_last ? *partials : p.c;
  // Unless something comes between, the sums simply start from what c held.
  const bool starts_from_c = p.accumulate && !partials && p.epilogue == Epilogue::kNone;
  const Partial partial = part.is_first_k       ? (starts_from_c ? Partial::kInC : Partial::kNone)
                          : partials && is_last ? Partial::kApart
                                                : Partial::kInC;
  const bool accumulate = p.accumulate && !starts_from_c && is_last;
  const Epilogue epilogue = is_last ? p.epilogue : Epilogue::kNone;
  const bool has_bias = is_last && p.bias.has_value();
  const bool sums_rows = p.row_sums.has_value();
  const bool reads_c = accumulate || partial == Partial::kInC;

  const auto bind = [](Binding whole, const Tensor& t, Slice s) { return rows(whole, t, s.first, s.count); };
  const Slice a_rows = p.transposition == Transposition::kTN ? part.k : part.m;
  const Slice b_rows = p.transposition == Transposition::kNT ? part.n : part.k;
  Dispatch d;
  d.bindings = {bind(read(p.a), p.a, a_rows), bind(read(p.b), p.b, b_rows),
                bind(reads_c ? read_write(c) : write(c), c, part.m)};
  if (has_bias) d.bindings.push_back(elements(read(*p.bias), part.n));
  if (epilogue == Epilogue::kGelu) d.bindings.push_back(bind(write(*p.pre), *p.pre, part.m));
  if (epilogue == Epilogue::kGeluGrad) d.bindings.push_back(bind(read(*p.pre), *p.pre, part.m));
  if (sums_rows) d.bindings.push_back(elements(read_write(*p.row_sums), part.m));
  if (partial == Partial::kApart) d.bindings.push_back(bind(read(*partials), *partials, part.m));

  const auto macro = [](const char* name, auto value) {
    return vk::Macro{name, std::to_string(static_cast<int>(value))};
  };
  d.kernel = {
      .stem = p.stem,
      .macros = {macro("LANES", variant.lanes), macro("TM", variant.tile_rows),
                 macro("K_STEP", variant.k_step), macro("B_STEP", variant.b_step), dtype_macro(p.a.dtype),
                 dtype_macro(c.dtype, "C_DTYPE"), macro("WIDE", variant.is_wide),
                 macro("WIDE_F32", variant.has_wide_f32), macro("K_TAIL", part.k.count % variant.k_step != 0),
                 macro("PARTIAL", partial), macro("BIAS", has_bias), macro("EPILOGUE", epilogue),
                 macro("ACCUMULATE", accumulate), macro("ROW_SUMS", sums_rows)},
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
  const std::uint64_t size = dtype_size(p.a.dtype);
  const std::uint64_t c_bytes = dtype_size(c.dtype) * (reads_c ? 2 : 1) +
                                (epilogue != Epilogue::kNone ? size : 0) +
                                (partial == Partial::kApart ? sizeof(float) : 0);
  d.cost = {.flops = 2 * m * n * k, .bytes = size * (m * k + k * n) + c_bytes * m * n};
  builder.dispatch(std::move(d));
}

void append(PlanBuilder& builder, const Product& product) {
  check_types(builder.caps(), product);
  const Extents extents = extents_of(product);
  const Variant variant = choose_variant(builder.caps(), product, extents);
  const Slicing slicing = slice(builder.caps(), product, extents);
  std::optional<Tensor> partials;
  if (slicing.has_partials) partials = builder.transient("matmul_partials", {extents.m, extents.n});
  for (const Slice& m : slicing.m) {
    for (const Slice& n : slicing.n) {
      for (std::size_t i = 0; i < slicing.k.size(); ++i) {
        append(builder, product, partials, variant, {m, n, slicing.k[i], i == 0, i + 1 == slicing.k.size()});
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
                   .accumulate = args.accumulate,
                   .bias = args.bias});
}

void linear_gelu_forward(PlanBuilder& builder, const LinearGeluForward& args) {
  append(builder, {.stem = "linear_forward",
                   .transposition = Transposition::kNT,
                   .a = args.x,
                   .b = args.weight,
                   .c = args.y,
                   .bias = args.bias,
                   .epilogue = Epilogue::kGelu,
                   .pre = args.pre});
}

void linear_backward_input(PlanBuilder& builder, const LinearBackwardInput& args) {
  append(builder, {.stem = "linear_backward_input",
                   .transposition = Transposition::kNN,
                   .a = args.dy,
                   .b = args.weight,
                   .c = args.dx,
                   .accumulate = args.accumulate,
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

#include "ops/matmul/matmul_product.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/backend.hpp"
#include "vkgpt/plan/limits.hpp"

#include "ops/grid.hpp"
#include "ops/product_flops.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

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

void check_types(const Product& p) {
  const DType dtype = p.a.dtype;
  const bool has_f32_c =
      p.c.dtype == DType::kF32 && (p.by_rows == ByRows::kFew || p.transposition == Transposition::kTN);
  const bool has_own_c = p.c.dtype == dtype && p.transposition != Transposition::kTN;
  VKGPT_CHECK(!p.b.blocks || p.transposition != Transposition::kTN, "{}: blocks", p.stem);
  VKGPT_CHECK(p.b.is_for(dtype) && (has_f32_c || has_own_c) && (!p.pre || p.pre->dtype == dtype),
              "{}: a {}, b {}, c {}", p.stem, dtype_name(dtype), dtype_name(p.b.values.dtype),
              dtype_name(p.c.dtype));
  VKGPT_CHECK(!p.bias || p.bias->dtype == DType::kF32, "{}: bias {}", p.stem, dtype_name(p.bias->dtype));
  VKGPT_CHECK(!p.row_sums || p.row_sums->dtype == DType::kF32, "{}: dbias {}", p.stem,
              dtype_name(p.row_sums->dtype));
}

/// Cuts `extent` into equal parts of at most `limit`; all but the last are multiples of `granule`, so that a
/// row, or an element, that starts a part is bound at a multiple of 256 bytes.
std::vector<Slice> slices_of(std::int64_t extent, std::int64_t limit, std::int64_t granule) {
  if (extent <= limit) return {{0, extent}};
  plan::check_fits(limit >= granule, "{} rows of a matrix exceed what the device binds at once", granule);
  const std::int64_t parts = ceil_div(extent, limit / granule * granule);
  const std::int64_t step = ceil_div(ceil_div(extent, parts), granule) * granule;
  std::vector<Slice> slices;
  for (std::int64_t first = 0; first < extent; first += step) {
    slices.push_back({first, std::min(step, extent - first)});
  }
  return slices;
}

}  // namespace

Extents checked_extents(const Product& product) {
  check_types(product);
  return extents_of(product);
}

DType operand_dtype(const vk::DeviceCaps& caps, const Product& p) {
  const bool is_rounded = p.a.dtype == DType::kF32 && p.b.blocks && p.by_rows == ByRows::kMany &&
                          has_backend(caps, Backend::kKhr, DType::kF16);
  return is_rounded ? DType::kF16 : p.a.dtype;
}

MatmulKey key_of(const Product& p) {
  return {.transposition = p.transposition,
          .dtype = p.a.dtype,
          .extents = extents_of(p),
          .bias = p.bias.has_value(),
          .epilogue = p.epilogue,
          .accumulate = p.accumulate,
          .row_sums = p.row_sums.has_value(),
          .blocks = p.b.blocks};
}

bool has_rows_of(const Product& p, std::int64_t elements) {
  return p.a.shape.back() % elements == 0 && p.b.shape.back() % elements == 0 &&
         p.c.shape.back() % elements == 0;
}

Slicing slice(const vk::DeviceCaps& caps, const Product& p, const Extents& e, std::int64_t k_limit) {
  const std::int64_t size = dtype_size(p.a.dtype);
  const std::int64_t granule = slice_granule(size == 2 || p.b.blocks);
  const std::int64_t b_rows = max_binding_bytes(caps) / bound_row_bytes(caps, p.b);
  const auto fitting = [&](std::int64_t row_elements, std::int64_t element_size) {
    return max_binding_bytes(caps) / element_size / row_elements;
  };
  std::vector<Slice> n_slices = {{0, e.n}}, k_slices = {{0, e.k}};
  std::int64_t m_limit = fitting(e.n, dtype_size(p.c.dtype));
  switch (p.transposition) {
    case Transposition::kNN:
      m_limit = std::min(m_limit, fitting(e.k, size));
      k_slices = slices_of(e.k, std::min(k_limit, b_rows), granule);
      break;
    case Transposition::kNT:
      m_limit = std::min(m_limit, fitting(e.k, size));
      n_slices = slices_of(e.n, b_rows, granule);
      break;
    case Transposition::kTN:
      k_slices = slices_of(e.k, std::min(k_limit, fitting(std::max(e.m, e.n), size)), granule);
      break;
  }
  Slicing slicing;
  // Sums stay fp32 up to the last slice, and what c held is not to pass the epilogue.
  slicing.has_partials =
      k_slices.size() > 1 && (dtype_size(p.c.dtype) == 2 || (p.accumulate && p.epilogue != Epilogue::kNone));
  if (slicing.has_partials) m_limit = std::min(m_limit, fitting(e.n, dtype_size(DType::kF32)));
  const std::int64_t row_flops = 2 * n_slices[0].count * k_slices[0].count;
  m_limit = std::min(m_limit, std::max(granule, max_product_flops(caps, p.a.dtype) / row_flops));
  for (const Slice& m : slices_of(e.m, m_limit, granule)) {
    for (const Slice& n : n_slices) {
      for (std::size_t i = 0; i < k_slices.size(); ++i) {
        slicing.parts.push_back({m, n, k_slices[i], i == 0, i + 1 == k_slices.size()});
      }
    }
  }
  return slicing;
}

PartWork work_of(const Product& p, const std::optional<Tensor>& partials, const Part& part) {
  const bool is_last = part.is_last_k;
  // Unless something comes between, the sums simply start from what c held.
  const bool starts_from_c = p.accumulate && !partials && p.epilogue == Epilogue::kNone;
  using Partial = PartWork::Partial;
  return {.c = partials && !is_last ? *partials : p.c,
          .partial = part.is_first_k       ? (starts_from_c ? Partial::kInC : Partial::kNone)
                     : partials && is_last ? Partial::kApart
                                           : Partial::kInC,
          .accumulate = p.accumulate && !starts_from_c && is_last,
          .epilogue = is_last ? p.epilogue : Epilogue::kNone,
          .has_bias = is_last && p.bias.has_value(),
          .row_sums = !p.row_sums                        ? PartWork::RowSums::kNone
                      : p.accumulate || !part.is_first_k ? PartWork::RowSums::kAdd
                                                         : PartWork::RowSums::kStore};
}

Dispatch part_dispatch(const Product& p, const std::optional<Tensor>& partials, const Part& part,
                       const PartWork& work) {
  const auto bind = [](Binding whole, const Tensor& t, Slice s) { return rows(whole, t, s.first, s.count); };
  const Slice k_rows = part.all_k.value_or(part.k);
  const Slice a_rows = p.transposition == Transposition::kTN ? k_rows : part.m;
  const Slice b_rows = p.transposition == Transposition::kNT ? part.n : k_rows;
  Dispatch d;
  d.bindings = {bind(read(p.a), p.a, a_rows), bind(read(p.b.values), p.b.values, b_rows),
                bind(work.reads_c() ? read_write(work.c) : write(work.c), work.c, part.m)};
  if (work.has_bias) d.bindings.push_back(elements(read(*p.bias), part.n));
  if (work.epilogue == Epilogue::kGelu) d.bindings.push_back(bind(write(*p.pre), *p.pre, part.m));
  if (work.epilogue == Epilogue::kGeluGrad) d.bindings.push_back(bind(read(*p.pre), *p.pre, part.m));
  if (work.row_sums != PartWork::RowSums::kNone) {
    const bool adds = work.row_sums == PartWork::RowSums::kAdd;
    d.bindings.push_back(elements(adds ? read_write(*p.row_sums) : write(*p.row_sums), part.m));
  }
  const bool reads_partials = work.partial == PartWork::Partial::kApart;
  if (reads_partials) d.bindings.push_back(bind(read(*partials), *partials, part.m));

  d.kernel = {.stem = p.stem,
              .macros = Macros{}
                            .dtype("DTYPE", p.a.dtype)
                            .dtype("C_DTYPE", work.c.dtype)
                            .value("PARTIAL", work.partial)
                            .value("BIAS", work.has_bias)
                            .value("EPILOGUE", work.epilogue)
                            .value("ACCUMULATE", work.accumulate)
                            .value("ROW_SUMS", work.row_sums)};
  add_block_bindings(d, p.b, b_rows.first, b_rows.count);

  const std::int64_t a_column = p.transposition == Transposition::kTN   ? part.m.first
                                : p.transposition == Transposition::kNN ? part.k.first
                                                                        : 0;
  d.push = PushWords{}.u32(part.m.count, part.n.count, part.k.count, p.a.shape.back(), p.b.shape.back(),
                           p.c.shape.back(), a_column, part.n.first);
  const std::int64_t m = part.m.count, n = part.n.count, k = k_rows.count;
  const std::int64_t size = dtype_size(p.a.dtype);
  const std::int64_t c_bytes = dtype_size(work.c.dtype) * (work.reads_c() ? 2 : 1) +
                               (work.epilogue != Epilogue::kNone ? size : 0) + (reads_partials ? 4 : 0);
  d.cost = {.flops = 2 * m * n * k,
            .bytes = size * m * k + p.b.row_bytes() * k * n / p.b.shape.back() + c_bytes * m * n};
  return d;
}

}  // namespace vkgpt::ops

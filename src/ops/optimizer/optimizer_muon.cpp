#include "vkgpt/ops/optimizer/optimizer_muon.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "vkgpt/core/check.hpp"
#include "vkgpt/ops/fill.hpp"
#include "vkgpt/ops/launch.hpp"
#include "vkgpt/ops/matmul/matmul.hpp"
#include "vkgpt/ops/step_params.hpp"

#include "ops/grid.hpp"

namespace vkgpt::ops {

using namespace plan;

namespace {

/// X becomes a X + b A X + c A^2 X with A = X X^T.
struct Polynomial {
  double a, b, c;
};
constexpr std::array<Polynomial, 5> kFiveSteps{{{3.4445, -4.7750, 2.0315},
                                                {3.4445, -4.7750, 2.0315},
                                                {3.4445, -4.7750, 2.0315},
                                                {3.4445, -4.7750, 2.0315},
                                                {3.4445, -4.7750, 2.0315}}};
constexpr std::array<Polynomial, 3> kThreeSteps{{{8.287212018145630, -23.595886519098837, 17.300387312530933},
                                                 {4.107059111542203, -2.947849916737910, 0.544843108292660},
                                                 {3.948690853482295, -2.908902115962949, 0.551819139437014}}};
constexpr float kEps = 1e-7F;
constexpr double kRmsOfAdamW = 0.2;

/// Transient elements of the matrices that are worked on side by side: independent dispatches share a barrier
/// and keep a wide device busy where one small product would not.
constexpr std::int64_t kWaveElements = 8 << 20;

/// A matrix on its way through the iteration.
struct Work {
  MuonMatrix place;
  Tensor x, y;           // (rows, cols): the iterate and the next one
  Tensor gram, squared;  // (n, n) with n = min(rows, cols)
  Tensor partials;       // (blocks of all slices): sums of squares
  std::int64_t blocks;   // of one slice
  bool is_tall() const { return place.rows > place.cols; }
};

/// A slice of a matrix as a part of an arena: it is bound from the 64 elements in which it begins.
struct ArenaPart {
  Slice bound;        // of the arena
  std::int64_t lead;  // elements of `bound` before the slice
};

ArenaPart arena_part(const MuonMatrix& matrix, Slice slice) {
  const std::int64_t begin = matrix.offset + slice.first;
  const std::int64_t aligned = begin / 64 * 64;
  return {{aligned, begin - aligned + slice.count}, begin - aligned};
}

/// Slices of a matrix that leave room for the lead of an `ArenaPart`.
std::vector<Slice> matrix_slices(const vk::DeviceCaps& caps, std::int64_t elements) {
  vk::DeviceCaps narrower = caps;
  narrower.max_storage_buffer_range -= 64 * sizeof(float);
  return row_slices(narrower, elements, sizeof(float));
}

std::int64_t work_elements(const MuonMatrix& m) {
  const std::int64_t n = std::min(m.rows, m.cols);
  return 2 * (m.rows * m.cols + n * n);
}

Work begin_work(PlanBuilder& builder, const MuonMatrix& matrix) {
  const vk::DeviceCaps& caps = builder.caps();
  const std::int64_t elements = matrix.rows * matrix.cols;
  const std::int64_t n = std::min(matrix.rows, matrix.cols);
  const std::int64_t slices = std::ssize(matrix_slices(caps, elements));
  const std::int64_t blocks = std::clamp<std::int64_t>(ceil_div(elements, 2048), 1, caps.is_cpu() ? 16 : 256);
  return {.place = matrix,
          .x = builder.transient("muon_x", {matrix.rows, matrix.cols}),
          .y = builder.transient("muon_y", {matrix.rows, matrix.cols}),
          .gram = builder.transient("muon_gram", {n, n}),
          .squared = builder.transient("muon_squared", {n, n}),
          .partials = builder.transient("muon_partials", {slices * blocks}),
          .blocks = blocks};
}

void append_momentum(PlanBuilder& builder, const OptimizerMuon& args, const Muon& constants,
                     const Work& work) {
  const vk::DeviceCaps& caps = builder.caps();
  std::int64_t first_block = 0;
  for (const Slice slice : matrix_slices(caps, work.x.shape.numel())) {
    const ArenaPart part = arena_part(work.place, slice);
    Dispatch d = workgroups(caps, "optimizer_muon_momentum", work.blocks, subgroups_per_workgroup(caps));
    d.bindings = {elements(read(args.gradients), part.bound), elements(read_write(args.momentum), part.bound),
                  elements(write(work.x), slice),
                  first_block == 0 ? write(work.partials) : read_write(work.partials), read(args.norm)};
    d.push = PushWords{}
                 .u32(slice.count, part.lead, work.blocks, reduction_block_size(slice.count, work.blocks),
                      first_block)
                 .f32(constants.momentum, 1.0 - constants.momentum);
    d.cost.flops = 9 * slice.count;
    builder.dispatch(std::move(d));
    first_block += work.blocks;
  }
}

void append_normalize(PlanBuilder& builder, const Work& work) {
  const vk::DeviceCaps& caps = builder.caps();
  for (const Slice slice : matrix_slices(caps, work.x.shape.numel())) {
    const std::int64_t groups = std::clamp<std::int64_t>(ceil_div(slice.count, 4096), 1, 1024);
    Dispatch d = workgroups(caps, "optimizer_muon_normalize", groups, subgroups_per_workgroup(caps));
    d.bindings = {elements(read_write(work.x), slice), read(work.partials)};
    d.push =
        PushWords{}
            .u32(slice.count, groups, reduction_block_size(slice.count, groups), work.partials.shape.numel())
            .f32(kEps);
    d.cost.flops = slice.count;
    builder.dispatch(std::move(d));
  }
}

/// gram = X X^T, or X^T X of a tall matrix: the smaller one.
void append_gram(PlanBuilder& builder, const Work& work) {
  if (work.is_tall()) {
    zero(builder, work.gram);
    linear_backward_weight(builder, {.dy = work.x, .x = work.x, .dweight = work.gram});
  } else {
    linear_forward(builder, {.x = work.x, .weight = work.x, .y = work.gram});
  }
}

/// squared = a I + b gram + c squared: what the iterate is multiplied by.
void append_polynomial(PlanBuilder& builder, const Work& work, const Polynomial& p) {
  const std::int64_t n = work.gram.shape.back();
  for (const Slice slice : row_slices(builder.caps(), n, 4 * n)) {
    Dispatch d = subgroup_per_row(builder.caps(), "optimizer_muon_polynomial", slice.count);
    d.bindings = {matrix_rows(read(work.gram), n, slice), matrix_rows(read_write(work.squared), n, slice)};
    d.push = PushWords{}.u32(slice.count, slice.first, n).f32(p.a, p.b, p.c);
    d.cost.flops = 3 * slice.count * n;
    builder.dispatch(std::move(d));
  }
}

/// y = polynomial X, or X polynomial, which is symmetric; then the two change places.
void append_next(PlanBuilder& builder, Work& work) {
  if (work.is_tall()) {
    linear_forward(builder, {.x = work.x, .weight = work.squared, .y = work.y});
  } else {
    linear_backward_input(builder, {.dy = work.squared, .weight = work.x, .dx = work.y});
  }
  std::swap(work.x, work.y);
}

void append_update(PlanBuilder& builder, const OptimizerMuon& args, const Muon& constants, const Work& work) {
  const auto longer = static_cast<double>(std::max(work.place.rows, work.place.cols));
  for (const Slice slice : matrix_slices(builder.caps(), work.x.shape.numel())) {
    const ArenaPart part = arena_part(work.place, slice);
    Dispatch d = elementwise(builder.caps(), "optimizer_muon_update", slice.count);
    d.bindings = {elements(read_write(args.weights), part.bound), elements(read(work.x), slice),
                  read(args.norm), read(step_params(builder))};
    d.push =
        PushWords{}.u32(slice.count, part.lead).f32(kRmsOfAdamW * std::sqrt(longer), constants.weight_decay);
    d.cost.flops = 5 * slice.count;
    builder.dispatch(std::move(d));
  }
}

void append_wave(PlanBuilder& builder, const OptimizerMuon& args, const Muon& constants,
                 std::span<const MuonMatrix> matrices) {
  std::vector<Work> wave;
  for (const MuonMatrix& matrix : matrices) wave.push_back(begin_work(builder, matrix));
  for (const Work& work : wave) append_momentum(builder, args, constants, work);
  for (const Work& work : wave) append_normalize(builder, work);
  const std::span<const Polynomial> polynomials = constants.steps == 5
                                                      ? std::span<const Polynomial>(kFiveSteps)
                                                      : std::span<const Polynomial>(kThreeSteps);
  for (const Polynomial& polynomial : polynomials) {
    for (const Work& work : wave) append_gram(builder, work);
    for (const Work& work : wave) {
      linear_forward(builder, {.x = work.gram, .weight = work.gram, .y = work.squared});
    }
    for (const Work& work : wave) append_polynomial(builder, work, polynomial);
    for (Work& work : wave) append_next(builder, work);
  }
  for (const Work& work : wave) append_update(builder, args, constants, work);
}

}  // namespace

void optimizer_muon(PlanBuilder& builder, const OptimizerMuon& args, const Muon& constants) {
  const std::int64_t n = args.weights.shape.numel();
  for (const Tensor* t : {&args.weights, &args.gradients, &args.momentum}) {
    VKGPT_CHECK(t->shape == Shape{n} && t->dtype == DType::kF32, "{} beside {} weights", t->shape.to_string(),
                n);
  }
  VKGPT_CHECK(constants.steps == 5 || constants.steps == 3, "{} steps", constants.steps);
  VKGPT_CHECK(args.norm.shape == Shape{4}, "norm {}", args.norm.shape.to_string());
  for (const MuonMatrix& m : args.matrices) {
    VKGPT_CHECK(m.rows > 0 && m.cols > 0 && m.offset >= 0 && m.offset + m.rows * m.cols <= n,
                "matrix ({}, {}) at {} of {} weights", m.rows, m.cols, m.offset, n);
  }
  for (std::size_t first = 0; first < args.matrices.size();) {
    std::size_t end = first;
    std::int64_t size = 0;
    while (end < args.matrices.size() &&
           (end == first || size + work_elements(args.matrices[end]) <= kWaveElements)) {
      size += work_elements(args.matrices[end++]);
    }
    append_wave(builder, args, constants, args.matrices.subspan(first, end - first));
    first = end;
  }
}

}  // namespace vkgpt::ops

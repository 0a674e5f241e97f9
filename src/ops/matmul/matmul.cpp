#include "vkgpt/ops/matmul/matmul.hpp"

#include <vector>

#include "vkgpt/ops/fill.hpp"

#include "ops/matmul/matmul_choice.hpp"

namespace vkgpt::ops {

void linear_forward(plan::PlanBuilder& builder, const LinearForward& args) {
  append_product(builder, {.stem = "linear_forward",
                           .transposition = Transposition::kNT,
                           .a = args.x,
                           .b = args.weight,
                           .c = args.y,
                           .accumulate = args.accumulate,
                           .by_rows = args.by_rows,
                           .bias = args.bias});
}

void linear_gelu_forward(plan::PlanBuilder& builder, const LinearGeluForward& args) {
  append_product(builder, {.stem = "linear_forward",
                           .transposition = Transposition::kNT,
                           .a = args.x,
                           .b = args.weight,
                           .c = args.y,
                           .by_rows = args.by_rows,
                           .bias = args.bias,
                           .epilogue = Epilogue::kGelu,
                           .pre = args.pre});
}

void linear_backward_input(plan::PlanBuilder& builder, const LinearBackwardInput& args) {
  append_product(builder, {.stem = "linear_backward_input",
                           .transposition = Transposition::kNN,
                           .a = args.dy,
                           .b = args.weight,
                           .c = args.dx,
                           .accumulate = args.accumulate,
                           .epilogue = args.pre_gelu ? Epilogue::kGeluGrad : Epilogue::kNone,
                           .pre = args.pre_gelu});
}

void linear_backward_weight(plan::PlanBuilder& builder, const LinearBackwardWeight& args) {
  std::vector<plan::Tensor> sums = {args.dweight};
  if (args.dbias) sums.push_back(*args.dbias);
  append_product(builder, {.stem = "linear_backward_weight",
                           .transposition = Transposition::kTN,
                           .a = args.dy,
                           .b = args.x,
                           .c = args.dweight,
                           .accumulate = adds_to(builder, sums),
                           .row_sums = args.dbias});
}

}  // namespace vkgpt::ops

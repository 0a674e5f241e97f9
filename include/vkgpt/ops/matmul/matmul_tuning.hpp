#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vkgpt/ops/matmul/matmul_kernel.hpp"
#include "vkgpt/plan/plan_builder.hpp"

// What a tuner needs of the matmul ops. A product's key, "nt f16 2048x768x768 bias gelu", says all that its
// speed depends on: the form, the type, M x N x K and what is done beside it. `KernelChoices::measured` has
// the kernels by it.

namespace vkgpt::ops {

/// Notes the products that this thread puts into plans while the object lives. There is one at a time.
class MatmulWatch {
 public:
  MatmulWatch();
  ~MatmulWatch();
  MatmulWatch(const MatmulWatch&) = delete;
  MatmulWatch& operator=(const MatmulWatch&) = delete;

  /// How often each product occurs, by its key.
  const std::map<std::string, std::size_t>& products() const { return products_; }
  void add(const std::string& key) { ++products_[key]; }

 private:
  std::map<std::string, std::size_t> products_;
};

/// The product's multiplications and additions. A text that is no key is a `CheckFailure`, also below.
double matmul_flops(std::string_view key);

/// Every kernel that the device can do the product with, the one that is taken without a measurement first.
std::vector<MatmulKernel> matmul_candidates(const vk::DeviceCaps& caps, std::string_view key);

/// Appends the product on tensors of its own, the same for every call on one builder.
void append_matmul(plan::PlanBuilder& builder, std::string_view key, const MatmulKernel& kernel);

}  // namespace vkgpt::ops

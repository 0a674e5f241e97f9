#include "reference/softcap.hpp"

#include <cmath>

#include "vkgpt/core/check.hpp"

namespace vkgpt::reference {

Vector softcap_forward(View x, double cap) {
  Vector y(x.begin(), x.end());
  if (cap == 0.0) return y;
  for (double& value : y) value = cap * std::tanh(value / cap);
  return y;
}

Vector softcap_backward(View dout, View x, double cap) {
  VKGPT_CHECK(dout.size() == x.size());
  Vector dx(dout.begin(), dout.end());
  if (cap == 0.0) return dx;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double t = std::tanh(x[i] / cap);
    dx[i] *= 1.0 - t * t;
  }
  return dx;
}

}  // namespace vkgpt::reference

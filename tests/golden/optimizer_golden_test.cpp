// Twenty steps of every optimizer on the device beside PyTorch's: the regression y = W2 tanh(W1 x + b1) + b2.

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/check/definitions.hpp"
#include "vkgpt/check/update_rules.hpp"
#include "vkgpt/ops/optimizer/global_norm.hpp"
#include "vkgpt/ops/optimizer/optimizer.hpp"
#include "vkgpt/ops/optimizer/optimizer_adamw8.hpp"
#include "vkgpt/ops/optimizer/optimizer_lion.hpp"
#include "vkgpt/ops/optimizer/optimizer_muon.hpp"

#include "check/compare.hpp"
#include "golden/golden_file.hpp"
#include "ops/op_runner.hpp"

namespace vkgpt::ops {
namespace {

using check::Vector;
using golden::Tensor;
using test::OpRunner;

constexpr const char* kFile = "optimizers.safetensors";
constexpr std::int64_t kSteps = 20;
constexpr std::size_t kStride = 7;  // of the final weights in the file
constexpr float kClip = 1.0F;
constexpr double kWeightDecay = 0.1;
constexpr AdamW kAdamW{.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = kWeightDecay};

/// Where the parameters lie in the arenas: at multiples of 256 elements, in the order of the file.
struct Layout {
  std::int64_t hidden = 0, inputs = 0, outputs = 0;
  Slice w1 = {}, b1 = {}, w2 = {}, b2 = {};
  std::int64_t elements = 0;
  std::vector<Slice> all() const { return {w1, b1, w2, b2}; }
};

Layout layout_of(const std::map<std::string, Tensor>& file) {
  const auto& w1 = file.at("param/w1").shape;
  const auto& w2 = file.at("param/w2").shape;
  Layout l{.hidden = w1[0], .inputs = w1[1], .outputs = w2[0]};
  std::int64_t end = 0;
  const auto place = [&](std::int64_t count) {
    const Slice slice{end, count};
    end += (count + 255) / 256 * 256;
    return slice;
  };
  l.w1 = place(l.hidden * l.inputs);
  l.b1 = place(l.hidden);
  l.w2 = place(l.outputs * l.hidden);
  l.b2 = place(l.outputs);
  l.elements = end;
  return l;
}

Vector part(std::span<const float> arena, Slice slice) {
  return check::to_double(
      arena.subspan(static_cast<std::size_t>(slice.first), static_cast<std::size_t>(slice.count)));
}

void store(std::span<float> arena, Slice slice, const Vector& values) {
  std::ranges::transform(values, arena.begin() + slice.first, [](double v) { return static_cast<float>(v); });
}

/// The mean squared error at `weights`, and its gradient.
double loss_and_gradient(const std::map<std::string, Tensor>& file, const Layout& l,
                         std::span<const float> weights, std::span<float> gradients) {
  const Vector x = check::to_double(file.at("x").values), y = check::to_double(file.at("y").values);
  const auto H = static_cast<std::size_t>(l.hidden), I = static_cast<std::size_t>(l.inputs),
             O = static_cast<std::size_t>(l.outputs), B = x.size() / I;
  const Vector w1 = part(weights, l.w1), b1 = part(weights, l.b1), w2 = part(weights, l.w2),
               b2 = part(weights, l.b2);
  Vector h = check::matmul_nt(x, w1, B, H, I);
  for (std::size_t i = 0; i < h.size(); ++i) h[i] = std::tanh(h[i] + b1[i % H]);
  Vector d = check::matmul_nt(h, w2, B, O, H);
  double loss = 0.0;
  Vector db1(H), db2(O);
  for (std::size_t i = 0; i < d.size(); ++i) {
    d[i] += b2[i % O] - y[i];
    loss += d[i] * d[i] / static_cast<double>(d.size());
    d[i] *= 2.0 / static_cast<double>(d.size());
    db2[i % O] += d[i];
  }
  Vector dh = check::matmul_nn(d, w2, B, H, O);
  for (std::size_t i = 0; i < dh.size(); ++i) {
    dh[i] *= 1.0 - h[i] * h[i];
    db1[i % H] += dh[i];
  }
  store(gradients, l.w1, check::matmul_tn(dh, x, H, I, B));
  store(gradients, l.b1, db1);
  store(gradients, l.w2, check::matmul_tn(d, h, O, H, B));
  store(gradients, l.b2, db2);
  return loss;
}

/// What an optimizer is given: arenas, and the state that the test declares for it.
struct Arenas {
  OpRunner& runner;
  const Layout& layout;
  plan::Tensor weights, gradients, norm, decay;

  plan::Tensor zeros() const {
    return runner.input({layout.elements}, std::vector<float>(static_cast<std::size_t>(layout.elements)));
  }
  plan::Tensor bits(std::span<const Slice> ranges) const {
    const std::vector<std::uint32_t> words = make_decay_bits(layout.elements, ranges);
    return runner.input({static_cast<std::int64_t>(words.size())}, words);
  }
};

using Append = std::function<void(const Arenas&)>;

void expect_golden(const std::string& name, double learning_rate, const Append& append,
                   double loss_bound = 1e-6, double nmse_bound = check::kFp32Nmse) {
  const std::map<std::string, Tensor> file = golden::load(kFile);
  const Layout l = layout_of(file);
  std::vector<float> weights(static_cast<std::size_t>(l.elements)), gradients(weights.size());
  for (const auto& [key, slice] : std::map<std::string, Slice>{
           {"param/w1", l.w1}, {"param/b1", l.b1}, {"param/w2", l.w2}, {"param/b2", l.b2}}) {
    std::ranges::copy(file.at(key).values, weights.begin() + slice.first);
  }
  OpRunner runner;
  Arenas arenas{.runner = runner, .layout = l, .weights = {}, .gradients = {}, .norm = {}, .decay = {}};
  arenas.weights = runner.input({l.elements}, weights);
  arenas.gradients = runner.input({l.elements}, gradients);
  arenas.norm = runner.input({4}, std::vector<std::uint32_t>(4));
  arenas.decay = arenas.bits(std::vector<Slice>{l.w1, l.w2});
  global_norm(runner.builder(), arenas.gradients, kClip, arenas.norm);
  append(arenas);

  std::vector<float> losses, norms;
  for (std::int64_t step = 1; step <= kSteps; ++step) {
    losses.push_back(static_cast<float>(loss_and_gradient(file, l, weights, gradients)));
    runner.set(arenas.gradients, gradients);
    runner.run(check::step_params_at(step, learning_rate, kAdamW.beta1, kAdamW.beta2));
    norms.push_back(std::bit_cast<float>(runner.words(arenas.norm)[0]));
    weights = runner.floats(arenas.weights);
  }
  const Vector golden_losses = check::to_double(file.at(name + "/losses").values);
  EXPECT_EQ(golden_losses.size(), losses.size());
  EXPECT_LE(check::max_rel(losses, golden_losses), loss_bound);
  EXPECT_LE(check::max_rel(norms, check::to_double(file.at(name + "/grad_norms").values)), 1e-5);

  std::vector<float> flat, sample;
  for (const Slice slice : l.all()) {
    flat.insert(flat.end(), weights.begin() + slice.first, weights.begin() + slice.first + slice.count);
  }
  for (std::size_t i = 0; i < flat.size(); i += kStride) sample.push_back(flat[i]);
  check::expect_close(sample, check::to_double(file.at(name + "/weights").values), nmse_bound);
}

TEST(GpuOptimizerGolden, AdamW) {
  expect_golden("adamw", 1e-3, [](const Arenas& a) {
    optimizer_adamw(a.runner.builder(),
                    {.weights = a.weights,
                     .gradients = a.gradients,
                     .m = a.zeros(),
                     .v = a.zeros(),
                     .decay = a.decay,
                     .norm = a.norm},
                    kAdamW);
  });
}

TEST(GpuOptimizerGolden, AdamW8) {
  // A moment midway between two codes, within a rounding error, may get the other one.
  expect_golden(
      "adamw8", 1e-3,
      [](const Arenas& a) {
        const std::vector<Slice> tensors = a.layout.all();
        optimizer_adamw8(a.runner.builder(),
                         {.weights = a.weights,
                          .gradients = a.gradients,
                          .decay = a.decay,
                          .norm = a.norm,
                          .tensors = tensors},
                         kAdamW);
      },
      1e-5, 1e-8);
}

TEST(GpuOptimizerGolden, Lion) {
  expect_golden("lion", 3e-4, [](const Arenas& a) {
    optimizer_lion(
        a.runner.builder(),
        {.weights = a.weights, .gradients = a.gradients, .m = a.zeros(), .decay = a.decay, .norm = a.norm},
        {.beta1 = 0.9, .beta2 = 0.99, .weight_decay = kWeightDecay});
  });
}

TEST(GpuOptimizerGolden, MuonForMatricesAndAdamWForTheRest) {
  expect_golden("muon", 1e-3, [](const Arenas& a) {
    const Layout& l = a.layout;
    const std::vector<MuonMatrix> matrices{{l.w1.first, l.hidden, l.inputs},
                                           {l.w2.first, l.outputs, l.hidden}};
    const plan::Tensor m = a.zeros();  // one arena for both: each has its part
    optimizer_muon(
        a.runner.builder(),
        {.weights = a.weights, .gradients = a.gradients, .momentum = m, .norm = a.norm, .matrices = matrices},
        {.momentum = 0.95, .weight_decay = kWeightDecay});
    optimizer_adamw(a.runner.builder(),
                    {.weights = a.weights,
                     .gradients = a.gradients,
                     .m = m,
                     .v = a.zeros(),
                     .decay = a.decay,
                     .norm = a.norm,
                     .active = a.bits(std::vector<Slice>{l.b1, l.b2})},
                    kAdamW);
  });
}

}  // namespace
}  // namespace vkgpt::ops

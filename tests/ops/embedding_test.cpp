#include "vkgpt/ops/embedding.hpp"

#include <algorithm>
#include <format>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/check.hpp"

#include "ops/op_runner.hpp"
#include "reference/compare.hpp"
#include "reference/embedding.hpp"

namespace vkgpt::ops {
namespace {

using reference::expect_close;
using reference::random_floats;
using reference::to_double;
using test::OpRunner;

struct EmbeddingSize {
  std::int64_t B, T, C, Vp, positions;  // positions: rows of wpe
};

constexpr EmbeddingSize kSizes[] = {{1, 1, 1, 1, 1},       {2, 5, 3, 64, 5},        {3, 33, 64, 128, 40},
                                    {4, 61, 100, 65, 61},  {2, 128, 128, 320, 128}, {1, 7, 768, 1000, 9},
                                    {2, 40, 1025, 70, 40}, {1, 300, 33, 2, 300}};

struct Inputs {
  explicit Inputs(const EmbeddingSize& size)
      : B(static_cast<std::size_t>(size.B)),
        T(static_cast<std::size_t>(size.T)),
        C(static_cast<std::size_t>(size.C)),
        Vp(static_cast<std::size_t>(size.Vp)),
        positions(static_cast<std::size_t>(size.positions)),
        tokens(reference::random_tokens(B * T, 1, static_cast<std::int32_t>(size.Vp))),
        wte(random_floats(Vp * C, 2)),
        wpe(random_floats(positions * C, 3)),
        dx(random_floats(B * T * C, 4, 3.0F)) {}

  std::size_t B, T, C, Vp, positions;
  std::vector<std::int32_t> tokens;
  std::vector<float> wte, wpe, dx;
};

std::vector<test::CapsVariant> variants(const EmbeddingSize& size) {
  return test::caps_variants_folded(64 * static_cast<std::uint64_t>(size.C) * sizeof(float));
}

std::string describe(const test::CapsVariant& variant, const EmbeddingSize& size) {
  return std::format("{}, B {} T {} C {} Vp {}", variant.name, size.B, size.T, size.C, size.Vp);
}

TEST(GpuEmbedding, ForwardMatchesTheReference) {
  for (const EmbeddingSize& size : kSizes) {
    const Inputs in(size);
    const reference::Vector expected =
        reference::embedding_forward(in.tokens, to_double(in.wte), to_double(in.wpe), in.B, in.T, in.C);
    for (test::CapsVariant& variant : variants(size)) {
      SCOPED_TRACE(describe(variant, size));
      // wpe is bound whole.
      variant.caps.max_storage_buffer_range =
          std::max(variant.caps.max_storage_buffer_range, std::uint64_t{in.positions * in.C * sizeof(float)});
      OpRunner runner(variant.caps);
      const EmbeddingForward args{.tokens = runner.input({size.B, size.T}, in.tokens),
                                  .wte = runner.input({size.Vp, size.C}, in.wte),
                                  .wpe = runner.input({size.positions, size.C}, in.wpe),
                                  .x = runner.output({size.B, size.T, size.C})};
      embedding_forward(runner.builder(), args);
      runner.run();
      expect_close(runner.floats(args.x), expected);
    }
  }
}

TEST(GpuEmbedding, TokensOutsideTheTableStayInside) {
  const std::vector<std::int32_t> tokens{-1, 3, 1 << 30, 0};
  const std::vector<float> wte = random_floats(4 * 5, 1), wpe(4 * 5, 0.0F), dx(4 * 5, 1.0F);
  OpRunner runner;
  const plan::Tensor ttokens = runner.input({1, 4}, tokens);
  const plan::Tensor twte = runner.input({4, 5}, wte), twpe = runner.input({4, 5}, wpe);
  const plan::Tensor x = runner.output({1, 4, 5}), tdx = runner.input({1, 4, 5}, dx);
  const plan::Tensor dwte = runner.input({4, 5}, wpe), dwpe = runner.input({4, 5}, wpe);
  embedding_forward(runner.builder(), {ttokens, twte, twpe, x});
  embedding_backward(runner.builder(), {tdx, ttokens, dwte, dwpe});
  runner.run();
  const std::vector<std::int32_t> clamped{3, 3, 3, 0};
  expect_close(runner.floats(x),
               reference::embedding_forward(clamped, to_double(wte), to_double(wpe), 1, 4, 5));
  expect_close(runner.floats(dwte),
               reference::embedding_backward(to_double(dx), clamped, 1, 4, 5, 4, 4).dwte);
}

TEST(GpuEmbedding, DecodeStandsAtTheStepsPosition) {
  const EmbeddingSize size{3, 1, 100, 130, 16};
  const Inputs in(size);
  for (const test::CapsVariant& variant : variants(size)) {
    SCOPED_TRACE(describe(variant, size));
    OpRunner runner(variant.caps);
    const EmbeddingDecode args{.tokens = runner.input({size.B}, in.tokens),
                               .wte = runner.input({size.Vp, size.C}, in.wte),
                               .wpe = runner.input({size.positions, size.C}, in.wpe),
                               .x = runner.output({size.B, size.C})};
    embedding_decode(runner.builder(), args);
    for (const std::uint32_t position : {0U, 7U, 15U}) {
      StepParams step;
      step.position = position;
      runner.run(step);
      const std::vector<double> wpe = to_double(std::span(in.wpe).subspan(position * in.C, in.C));
      expect_close(runner.floats(args.x),
                   reference::embedding_forward(in.tokens, to_double(in.wte), wpe, in.B, 1, in.C));
    }
  }
}

TEST(GpuEmbedding, BackwardMatchesTheReferenceAndAccumulates) {
  for (const EmbeddingSize& size : kSizes) {
    const Inputs in(size);
    const reference::EmbeddingGradients expected =
        reference::embedding_backward(to_double(in.dx), in.tokens, in.B, in.T, in.C, in.Vp, in.positions);
    for (test::CapsVariant& variant : variants(size)) {
      SCOPED_TRACE(describe(variant, size));
      variant.caps.max_storage_buffer_range =
          std::max(variant.caps.max_storage_buffer_range, std::uint64_t{in.positions * in.C * sizeof(float)});
      OpRunner runner(variant.caps);
      const EmbeddingBackward args{.dx = runner.input({size.B, size.T, size.C}, in.dx),
                                   .tokens = runner.input({size.B, size.T}, in.tokens),
                                   .dwte = runner.input({size.Vp, size.C}, in.wte),
                                   .dwpe = runner.input({size.positions, size.C}, in.wpe)};
      embedding_backward(runner.builder(), args);
      runner.run();
      expect_close(runner.floats(*args.dwte), reference::add(to_double(in.wte), expected.dwte));
      expect_close(runner.floats(*args.dwpe), reference::add(to_double(in.wpe), expected.dwpe));
    }
  }
}

TEST(GpuEmbedding, WithoutPositionsOrWithFrozenTables) {
  const EmbeddingSize size{3, 33, 64, 128, 40};
  const Inputs in(size);
  const std::vector<float> no_positions(in.positions * in.C, 0.0F);
  const reference::Vector expected =
      reference::embedding_forward(in.tokens, to_double(in.wte), to_double(no_positions), in.B, in.T, in.C);
  const reference::EmbeddingGradients gradients =
      reference::embedding_backward(to_double(in.dx), in.tokens, in.B, in.T, in.C, in.Vp, in.positions);
  for (const test::CapsVariant& variant : variants(size)) {
    SCOPED_TRACE(describe(variant, size));
    OpRunner runner(variant.caps);
    const plan::Tensor tokens = runner.input({size.B, size.T}, in.tokens);
    const plan::Tensor first_tokens = runner.input({size.T}, std::span(in.tokens).first(in.T));
    const plan::Tensor wte = runner.input({size.Vp, size.C}, in.wte);
    const plan::Tensor dx = runner.input({size.B, size.T, size.C}, in.dx);
    const plan::Tensor dwte = runner.input({size.Vp, size.C}, in.wte);
    const plan::Tensor dwpe = runner.input({size.positions, size.C}, in.wpe);
    const plan::Tensor x = runner.output({size.B, size.T, size.C});
    const plan::Tensor decoded = runner.output({size.T, size.C});
    plan::PlanBuilder& builder = runner.builder();
    embedding_forward(builder, {.tokens = tokens, .wte = wte, .x = x});
    embedding_decode(builder, {.tokens = first_tokens, .wte = wte, .x = decoded});
    embedding_backward(builder, {.dx = dx, .tokens = tokens, .dwte = dwte});
    embedding_backward(builder, {.dx = dx, .tokens = tokens, .dwpe = dwpe});
    embedding_backward(builder, {.dx = dx, .tokens = tokens});  // all frozen: nothing is done
    runner.run();
    expect_close(runner.floats(x), expected);
    expect_close(runner.floats(decoded), std::span(expected).first(in.T * in.C));
    expect_close(runner.floats(dwte), reference::add(to_double(in.wte), gradients.dwte));
    expect_close(runner.floats(dwpe), reference::add(to_double(in.wpe), gradients.dwpe));
  }
}

TEST(GpuEmbedding, BackwardSumsALongRunOfOneTokenTheSameWayEachTime) {
  const EmbeddingSize size{4, 256, 40, 3, 256};
  Inputs in(size);
  std::ranges::fill(in.tokens, 1);
  in.tokens[5] = 0;
  const reference::EmbeddingGradients expected =
      reference::embedding_backward(to_double(in.dx), in.tokens, in.B, in.T, in.C, in.Vp, in.positions);
  for (const test::CapsVariant& variant : test::caps_variants_folded(1 << 20)) {
    std::vector<std::uint32_t> first;
    for (int run = 0; run < 3; ++run) {
      SCOPED_TRACE(describe(variant, size));
      OpRunner runner(variant.caps);
      const std::vector<float> zeros(in.Vp * in.C), zero_positions(in.positions * in.C);
      const EmbeddingBackward args{.dx = runner.input({size.B, size.T, size.C}, in.dx),
                                   .tokens = runner.input({size.B, size.T}, in.tokens),
                                   .dwte = runner.input({size.Vp, size.C}, zeros),
                                   .dwpe = runner.input({size.positions, size.C}, zero_positions)};
      embedding_backward(runner.builder(), args);
      runner.run();
      expect_close(runner.floats(*args.dwte), expected.dwte);
      const std::vector<std::uint32_t> words = runner.words(*args.dwte);
      if (run == 0) first = words;
      EXPECT_EQ(words, first);
    }
  }
}

TEST(Embedding, RefusesATableThatIsTooShort) {
  plan::PlanBuilder builder{vk::DeviceCaps{}};
  builder.begin_segment("op");
  const auto make = [&](const char* name, const Shape& shape, DType dtype = DType::kF32) {
    return builder.persistent(name, shape, plan::Role::kActivations, dtype);
  };
  const EmbeddingForward args{.tokens = make("tokens", {2, 9}, DType::kI32),
                              .wte = make("wte", {64, 8}),
                              .wpe = make("wpe", {8, 8}),
                              .x = make("x", {2, 9, 8})};
  EXPECT_THROW(embedding_forward(builder, args), CheckFailure);
}

}  // namespace
}  // namespace vkgpt::ops

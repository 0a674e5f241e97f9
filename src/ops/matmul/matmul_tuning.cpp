#include "vkgpt/ops/matmul/matmul_tuning.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "vkgpt/core/check.hpp"

#include "ops/matmul/matmul_choice.hpp"

namespace vkgpt::ops {

using plan::Tensor;

namespace {

thread_local MatmulWatch* t_watch = nullptr;

/// What a key says.
struct Key {
  Transposition transposition;
  DType dtype;
  Extents extents;
  bool bias = false, gelu = false, gelu_grad = false, accumulate = false, row_sums = false;
};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t space = std::min(text.find(' ', start), text.size());
    words.push_back(text.substr(start, space - start));
    start = space + 1;
  }
  return words;
}

std::optional<Extents> parse_extents(std::string_view text) {
  std::array<std::int64_t, 3> values = {};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < 3; ++i) {
    if (i > 0 && (at == end || *at++ != 'x')) return std::nullopt;
    const auto [next, error] = std::from_chars(at, end, values[i]);
    if (error != std::errc{} || values[i] < 1) return std::nullopt;
    at = next;
  }
  if (at != end) return std::nullopt;
  return Extents{values[0], values[1], values[2]};
}

std::optional<Key> parse(std::string_view text) {
  constexpr std::array<std::string_view, 3> kForms = {"nn", "nt", "tn"};
  const std::vector<std::string_view> words = words_of(text);
  if (words.size() < 3) return std::nullopt;
  const auto form = std::ranges::find(kForms, words[0]);
  const std::optional<Extents> extents = parse_extents(words[2]);
  std::optional<DType> dtype;
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (dtype_name(type) == words[1]) dtype = type;
  }
  if (form == kForms.end() || !extents || !dtype) return std::nullopt;
  Key key{.transposition = static_cast<Transposition>(form - kForms.begin()),
          .dtype = *dtype,
          .extents = *extents};
  for (std::size_t i = 3; i < words.size(); ++i) {
    const std::array<std::pair<std::string_view, bool*>, 5> flags = {{{"bias", &key.bias},
                                                                      {"gelu", &key.gelu},
                                                                      {"gelu_grad", &key.gelu_grad},
                                                                      {"accumulate", &key.accumulate},
                                                                      {"row_sums", &key.row_sums}}};
    const auto flag = std::ranges::find(flags, words[i], &std::pair<std::string_view, bool*>::first);
    if (flag == flags.end()) return std::nullopt;
    *flag->second = true;
  }
  return key;
}

/// The product that the key tells of, on tensors that `builder` has by name.
Product product_of(plan::PlanBuilder& builder, std::string_view text) {
  const std::optional<Key> key = parse(text);
  VKGPT_CHECK(key.has_value(), "no product has the key {}", text);
  constexpr std::array kStems = {"linear_backward_input", "linear_forward", "linear_backward_weight"};
  const auto& [m, n, k] = key->extents;
  const bool is_nt = key->transposition == Transposition::kNT;
  const bool is_tn = key->transposition == Transposition::kTN;
  const auto tensor = [&](const char* name, Shape shape, DType dtype) {
    return builder.persistent(name, std::move(shape), plan::Role::kActivations, dtype);
  };
  Product product{.stem = kStems[static_cast<std::size_t>(key->transposition)],
                  .transposition = key->transposition,
                  .a = tensor("a", is_tn ? Shape{k, m} : Shape{m, k}, key->dtype),
                  .b = tensor("b", is_nt ? Shape{n, k} : Shape{k, n}, key->dtype),
                  .c = tensor("c", {m, n}, is_tn ? DType::kF32 : key->dtype),
                  .accumulate = key->accumulate};
  if (key->bias) product.bias = tensor("bias", {n}, DType::kF32);
  if (key->gelu || key->gelu_grad) {
    product.epilogue = key->gelu ? Epilogue::kGelu : Epilogue::kGeluGrad;
    product.pre = tensor("pre", {m, n}, key->dtype);
  }
  if (key->row_sums) product.row_sums = tensor("row_sums", {m}, DType::kF32);
  return product;
}

}  // namespace

MatmulWatch::MatmulWatch() {
  VKGPT_CHECK(t_watch == nullptr, "products are watched already");
  t_watch = this;
}

MatmulWatch::~MatmulWatch() {
  t_watch = nullptr;
}

void note_product(const std::string& key) {
  if (t_watch != nullptr) t_watch->add(key);
}

double matmul_flops(std::string_view key) {
  const std::optional<Key> parsed = parse(key);
  VKGPT_CHECK(parsed.has_value(), "no product has the key {}", key);
  const auto& [m, n, k] = parsed->extents;
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

std::vector<MatmulKernel> matmul_candidates(const vk::DeviceCaps& caps, std::string_view key) {
  plan::PlanBuilder builder(caps);
  const Product product = product_of(builder, key);
  return matmul_kernels(caps, product, checked_extents(caps, product));
}

void append_matmul(plan::PlanBuilder& builder, std::string_view key, const MatmulKernel& kernel) {
  const Product product = product_of(builder, key);
  append_product(builder, product, checked_extents(builder.caps(), product), kernel);
}

}  // namespace vkgpt::ops

#include "vkgpt/model/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/half.hpp"
#include "vkgpt/core/json.hpp"

namespace vkgpt::model {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensor data are little-endian and read as they are");

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxRank = 32;

struct DTypeInfo {
  std::string_view name;
  std::uint64_t size;  // bytes of an element
};

// In the order of the reference implementation, whose writer puts later ones first.
constexpr std::array kDTypes = {DTypeInfo{"BOOL", 1},    DTypeInfo{"U8", 1},      DTypeInfo{"I8", 1},
                                DTypeInfo{"F8_E5M2", 1}, DTypeInfo{"F8_E4M3", 1}, DTypeInfo{"F8_E8M0", 1},
                                DTypeInfo{"I16", 2},     DTypeInfo{"U16", 2},     DTypeInfo{"F16", 2},
                                DTypeInfo{"BF16", 2},    DTypeInfo{"I32", 4},     DTypeInfo{"U32", 4},
                                DTypeInfo{"F32", 4},     DTypeInfo{"C64", 8},     DTypeInfo{"F64", 8},
                                DTypeInfo{"I64", 8},     DTypeInfo{"U64", 8}};

const DTypeInfo* find_dtype(std::string_view name) {
  const auto* it = std::ranges::find(kDTypes, name, &DTypeInfo::name);
  return it == kDTypes.end() ? nullptr : it;
}

const DTypeInfo& written_dtype(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return *find_dtype("F32");
    case DType::kF16:
      return *find_dtype("F16");
    case DType::kBF16:
      return *find_dtype("BF16");
    case DType::kU32:
      return *find_dtype("U32");
    case DType::kI32:
      return *find_dtype("I32");
  }
  VKGPT_CHECK(false, "dtype {}", static_cast<int>(dtype));
  return kDTypes[0];
}

SafetensorsEntry parse_entry(const std::string& name, const Json& json, std::uint64_t data_size,
                             const std::string& where) {
  const std::string dtype_name = json_string(json, "dtype", where);
  const DTypeInfo* dtype = find_dtype(dtype_name);
  if (dtype == nullptr) fail("{}: dtype {} is not supported", where, json_quoted(dtype_name));

  const Json& shape = json_member(json, "shape", where);
  if (!shape.is_array() || shape.size() > kMaxRank) {
    fail("{}: \"shape\" must be a list of at most {} numbers", where, kMaxRank);
  }
  std::vector<std::int64_t> dims;
  std::int64_t bytes = static_cast<std::int64_t>(dtype->size);
  std::int64_t numel = 1;
  for (const Json& dim : shape) {
    // Fractions, negative numbers and whatever exceeds 64 bits are not "unsigned" to the parser.
    if (!dim.is_number_unsigned()) fail("{}: a dimension is not a whole number >= 0", where);
    const auto d = dim.get<std::uint64_t>();
    if (std::cmp_greater(d, INT64_MAX) ||
        __builtin_mul_overflow(numel, static_cast<std::int64_t>(d), &numel) ||
        __builtin_mul_overflow(bytes, static_cast<std::int64_t>(d), &bytes)) {
      fail("{}: the product of its dimensions overflows", where);
    }
    dims.push_back(static_cast<std::int64_t>(d));
  }

  const Json& offsets = json_member(json, "data_offsets", where);
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    fail("{}: \"data_offsets\" must be two whole numbers >= 0", where);
  }
  const auto begin = offsets[0].get<std::uint64_t>();
  const auto end = offsets[1].get<std::uint64_t>();
  if (begin > end) fail("{}: its data end at byte {} before they begin at {}", where, end, begin);
  if (end > data_size) {
    fail("{}: its data end at byte {} of {}; the file is truncated or damaged", where, end, data_size);
  }
  if (std::cmp_not_equal(end - begin, bytes)) {
    fail("{}: its data have {} bytes, its shape and dtype need {}", where, end - begin, bytes);
  }
  return {.name = name, .dtype = dtype->name, .shape = Shape(std::move(dims)), .begin = begin, .end = end};
}

void check_tiling(std::span<const SafetensorsEntry> entries, std::uint64_t data_size,
                  const std::string& where) {
  std::uint64_t at = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != at) {
      fail("{}: the data of tensor {} begin at byte {}, {} {}", where, json_quoted(entry.name), entry.begin,
           entry.begin < at ? "overlapping the tensor that ends at" : "leaving a hole after", at);
    }
    at = entry.end;
  }
  if (at != data_size) {
    fail("{}: the tensors end at byte {} but the file has {} bytes of data; it is damaged", where, at,
         data_size);
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const Path& path) : file_(path) {
  const std::string where = path.string();
  if (file_.size() < 8) fail("{}: too short for a safetensors file ({} bytes)", where, file_.size());
  std::uint64_t header_size = 0;
  file_.read_at(0, std::as_writable_bytes(std::span(&header_size, 1)));
  if (header_size > kMaxHeaderBytes) {
    fail(
        "{}: its header claims {} bytes, more than the {} allowed; it is not a safetensors file or is "
        "damaged",
        where, header_size, kMaxHeaderBytes);
  }
  if (header_size > file_.size() - 8) {
    fail("{}: its header has {} bytes but only {} follow; the file is truncated", where, header_size,
         file_.size() - 8);
  }
  data_offset_ = 8 + header_size;
  const std::uint64_t data_size = file_.size() - data_offset_;

  std::string text(header_size, '\0');
  file_.read_at(8, std::as_writable_bytes(std::span(text)));
  if (!text.starts_with('{')) fail("{}: its header does not start with '{{'; not a safetensors file", where);
  constexpr int kMaxDepth = 4;  // {"name": {"shape": [1]}} has three
  const Json header = parse_json(text, where, kMaxDepth);

  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (!value.is_object()) fail("{}: __metadata__ must be an object of strings", where);
      for (const auto& [key, word] : value.items()) {
        if (!word.is_string()) fail("{}: __metadata__ {} must be a string", where, json_quoted(key));
        metadata_[key] = word.get<std::string>();
      }
      continue;
    }
    entries_.push_back(
        parse_entry(name, value, data_size, vkgpt::format("{}: tensor {}", where, json_quoted(name))));
  }
  std::ranges::sort(entries_, {}, [](const SafetensorsEntry& e) { return std::tie(e.begin, e.end, e.name); });
  check_tiling(entries_, data_size, where);
  for (std::size_t i = 0; i < entries_.size(); ++i) by_name_[entries_[i].name] = i;
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &entries_[it->second];
}

const SafetensorsEntry& SafetensorsFile::expect(std::string_view name, const Shape& shape) const {
  const SafetensorsEntry* entry = find(name);
  if (entry == nullptr) {
    fail("{}: tensor {} is missing; check that the file belongs to this model", path().string(),
         json_quoted(name));
  }
  if (entry->shape != shape) {
    fail("{}: tensor {} has shape {}, the model needs {}", path().string(), json_quoted(name),
         entry->shape.to_string(), shape.to_string());
  }
  return *entry;
}

void SafetensorsFile::read(const SafetensorsEntry& entry, std::span<std::byte> out) const {
  VKGPT_CHECK(out.size() == entry.size_bytes(), "{}: {} of {}", entry.name, out.size(), entry.size_bytes());
  file_.read_at(data_offset_ + entry.begin, out);
}

void SafetensorsFile::read(const SafetensorsEntry& entry, std::span<float> out) const {
  VKGPT_CHECK(std::cmp_equal(out.size(), entry.shape.numel()), "{}: {}", entry.name, out.size());
  if (entry.dtype == "F32") return read(entry, std::as_writable_bytes(out));
  if (entry.dtype != "F16" && entry.dtype != "BF16") {
    fail("{}: tensor {} has dtype {}; F32, F16 or BF16 is needed", path().string(), json_quoted(entry.name),
         entry.dtype);
  }
  const auto widen = entry.dtype == "F16" ? f16_to_float : bf16_to_float;
  std::array<std::uint16_t, 4096> piece;
  for (std::size_t i = 0; i < out.size(); i += piece.size()) {
    const std::size_t n = std::min(piece.size(), out.size() - i);
    file_.read_at(data_offset_ + entry.begin + 2 * i, std::as_writable_bytes(std::span(piece).first(n)));
    std::ranges::transform(std::span(piece).first(n), out.begin() + static_cast<std::ptrdiff_t>(i), widen);
  }
}

void write_safetensors(OutputFile& file, std::vector<SafetensorsTensor> tensors,
                       const std::function<void(const SafetensorsTensor&, const SafetensorsSink&)>& data) {
  std::ranges::sort(tensors, [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
    const auto* rank_a = &written_dtype(a.dtype);
    const auto* rank_b = &written_dtype(b.dtype);
    return rank_a != rank_b ? rank_a > rank_b : a.name < b.name;
  });
  nlohmann::ordered_json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t at = 0;
  std::unordered_set<std::string_view> names = {"__metadata__"};
  for (const SafetensorsTensor& tensor : tensors) {
    VKGPT_CHECK(names.insert(tensor.name).second, "tensor name {}", tensor.name);
    const std::uint64_t end = at + tensor.size_bytes();
    const auto dims = tensor.shape.dims();
    header[tensor.name] = {{"dtype", written_dtype(tensor.dtype).name},
                           {"shape", std::vector(dims.begin(), dims.end())},
                           {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t header_size = text.size();
  VKGPT_CHECK(header_size <= kMaxHeaderBytes);
  file.write(std::as_bytes(std::span(&header_size, 1)));
  file.write(text);
  for (const SafetensorsTensor& tensor : tensors) {
    std::uint64_t given = 0;
    data(tensor, [&](std::span<const std::byte> bytes) {
      given += bytes.size();
      VKGPT_CHECK(given <= tensor.size_bytes(), "{}: more than {} bytes", tensor.name, tensor.size_bytes());
      file.write(bytes);
    });
    VKGPT_CHECK(given == tensor.size_bytes(), "{}: {} of {} bytes", tensor.name, given, tensor.size_bytes());
  }
}

}  // namespace vkgpt::model

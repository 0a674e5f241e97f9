#include "vkgpt/vk/device_profile.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/json.hpp"
#include "vkgpt/core/suggest.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::vk {
namespace {

constexpr std::string_view kProfileFormat = "vkgpt device 1";
constexpr std::uint64_t kMaxProfileBytes = 1 << 20;
constexpr std::array<std::string_view, 5> kTypes = {"discrete", "integrated", "virtual", "cpu", "other"};

// The fields of each structure, for reading and writing.

template <typename Self, typename Visit>
  requires std::is_same_v<std::remove_const_t<Self>, CooperativeMatrixShape>
void visit_fields(Self& shape, Visit&& visit) {
  visit("m", shape.m);
  visit("n", shape.n);
  visit("k", shape.k);
  visit("ab_type", shape.ab_type);
  visit("result_type", shape.result_type);
}

template <typename Self, typename Visit>
  requires std::is_same_v<std::remove_const_t<Self>, FlexibleMatrixShape>
void visit_fields(Self& shape, Visit&& visit) {
  visit("m", shape.m);
  visit("n", shape.n);
  visit("k", shape.k);
  visit("ab_type", shape.ab_type);
  visit("result_type", shape.result_type);
  visit("invocations", shape.invocations);
}

template <typename Self, typename Visit>
  requires std::is_same_v<std::remove_const_t<Self>, CooperativeMatrix2>
void visit_fields(Self& matrix, Visit&& visit) {
  visit("workgroup_scope", matrix.workgroup_scope);
  visit("flexible_dimensions", matrix.flexible_dimensions);
  visit("reductions", matrix.reductions);
  visit("conversions", matrix.conversions);
  visit("per_element_operations", matrix.per_element_operations);
  visit("tensor_addressing", matrix.tensor_addressing);
  visit("block_loads", matrix.block_loads);
  visit("max_workgroup_invocations", matrix.max_workgroup_invocations);
  visit("max_dimension", matrix.max_dimension);
  visit("reserved_shared_memory_bytes", matrix.reserved_shared_memory_bytes);
  visit("shapes", matrix.shapes);
}

template <typename Self, typename Visit>
  requires std::is_same_v<std::remove_const_t<Self>, DeviceCaps>
void visit_fields(Self& caps, Visit&& visit) {
  visit("name", caps.name);
  visit("type", caps.type);
  visit("driver", caps.driver);
  visit("uuid", caps.uuid);
  visit("vendor_id", caps.vendor_id);
  visit("device_id", caps.device_id);
  visit("driver_version", caps.driver_version);
  visit("api_version", caps.api_version);
  visit("compute_units", caps.compute_units);
  visit("heap_bytes", caps.heap_bytes);
  visit("heap_budget_bytes", caps.heap_budget_bytes);
  visit("max_allocation_bytes", caps.max_allocation_bytes);
  visit("max_storage_buffer_range", caps.max_storage_buffer_range);
  visit("storage_buffer_alignment", caps.storage_buffer_alignment);
  visit("subgroup_size", caps.subgroup_size);
  visit("min_subgroup_size", caps.min_subgroup_size);
  visit("max_subgroup_size", caps.max_subgroup_size);
  visit("subgroup_size_control", caps.subgroup_size_control);
  visit("max_workgroup_invocations", caps.max_workgroup_invocations);
  visit("max_workgroup_size", caps.max_workgroup_size);
  visit("max_workgroup_count", caps.max_workgroup_count);
  visit("shared_memory_bytes", caps.shared_memory_bytes);
  visit("max_push_constant_bytes", caps.max_push_constant_bytes);
  visit("shader_f16", caps.shader_f16);
  visit("shader_bf16", caps.shader_bf16);
  visit("storage_16bit", caps.storage_16bit);
  visit("shader_int64", caps.shader_int64);
  visit("buffer_device_address", caps.buffer_device_address);
  visit("timestamp_period_ns", caps.timestamp_period_ns);
  visit("pipeline_statistics", caps.pipeline_statistics);
  visit("cooperative_matrices", caps.cooperative_matrices);
  visit("cooperative_matrix2", caps.cooperative_matrix2);
}

template <typename T>
constexpr bool is_structure = std::is_same_v<T, CooperativeMatrixShape> ||
                              std::is_same_v<T, FlexibleMatrixShape> || std::is_same_v<T, CooperativeMatrix2>;

template <typename T>
nlohmann::ordered_json json_of(const std::vector<T>& values);
template <typename T>
nlohmann::ordered_json json_of(const std::optional<T>& value);

template <typename T>
nlohmann::ordered_json json_of(const T& value) {
  if constexpr (is_structure<T> || std::is_same_v<T, DeviceCaps>) {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    visit_fields(value, [&](const char* name, const auto& field) { json[name] = json_of(field); });
    return json;
  } else if constexpr (std::is_same_v<T, DeviceType>) {
    return kTypes[static_cast<std::size_t>(value)];
  } else {
    return value;
  }
}

template <typename T>
nlohmann::ordered_json json_of(const std::vector<T>& values) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const T& value : values) json.push_back(json_of(value));
  return json;
}

template <typename T>
nlohmann::ordered_json json_of(const std::optional<T>& value) {
  return value ? json_of(*value) : nlohmann::ordered_json();
}

/// Reads values out of a file that may be anything.
class Reader {
 public:
  explicit Reader(std::string_view where) : where_(where) {}

  template <typename T>
  void read_object(const Json& json, std::string_view name, T& object) {
    if (!json.is_object()) wrong(name, "an object");
    std::set<std::string> known;
    visit_fields(object, [&](const char* field, auto& value) {
      known.insert(field);
      read(json_member(json, field, where_), field, value);
    });
    for (const auto& [key, value] : json.items()) {
      if (known.contains(key)) continue;
      const std::vector<std::string> words(known.begin(), known.end());
      const std::string nearest = nearest_word(key, words);
      fail("{}: unknown field {}{}", where_, json_quoted(key),
           nearest.empty() ? "" : vkgpt::format(": did you mean '{}'?", nearest));
    }
  }

 private:
  [[noreturn]] void wrong(std::string_view field, std::string_view wanted) {
    fail("{}: '{}' is not {}", where_, field, wanted);
  }

  void read(const Json& json, std::string_view field, std::string& text) {
    if (!json.is_string()) wrong(field, "a text");
    text = json.get<std::string>();
  }
  void read(const Json& json, std::string_view field, bool& flag) {
    if (!json.is_boolean()) wrong(field, "true or false");
    flag = json.get<bool>();
  }
  void read(const Json& json, std::string_view field, double& number) {
    if (!json.is_number()) wrong(field, "a number");
    number = json.get<double>();
    if (!std::isfinite(number) || number < 0) wrong(field, "a number of at least 0");
  }
  void read(const Json& json, std::string_view field, std::uint64_t& number) {
    if (!json.is_number_unsigned()) wrong(field, "a whole number of at least 0");
    number = json.get<std::uint64_t>();
  }
  void read(const Json& json, std::string_view field, std::uint32_t& number) {
    std::uint64_t wide = 0;
    read(json, field, wide);
    if (wide > UINT32_MAX) wrong(field, "below 2^32");
    number = static_cast<std::uint32_t>(wide);
  }
  void read(const Json& json, std::string_view field, DeviceType& type) {
    std::string text;
    read(json, field, text);
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      if (text != kTypes[i]) continue;
      type = static_cast<DeviceType>(i);
      return;
    }
    wrong(field, "discrete, integrated, virtual, cpu or other");
  }
  void read(const Json& json, std::string_view field, std::array<std::uint32_t, 3>& numbers) {
    if (!json.is_array() || json.size() != numbers.size()) wrong(field, "three numbers");
    for (std::size_t i = 0; i < numbers.size(); ++i) read(json[i], field, numbers[i]);
  }
  template <typename T>
  void read(const Json& json, std::string_view field, std::vector<T>& values) {
    if (!json.is_array()) wrong(field, "a list");
    values.clear();
    for (const Json& element : json) read_object(element, field, values.emplace_back());
  }
  template <typename T>
  void read(const Json& json, std::string_view field, std::optional<T>& value) {
    value.reset();
    if (!json.is_null()) read_object(json, field, value.emplace());
  }

  std::string_view where_;
};

/// Holds a profile to what plans divide by and rely on: no less than Vulkan guarantees.
void check_limits(const DeviceCaps& caps, std::string_view where) {
  const auto at_least = [&](std::string_view field, std::uint64_t value, std::uint64_t least) {
    if (value < least) fail("{}: '{}' is {}, Vulkan guarantees {}", where, field, value, least);
  };
  const DeviceCaps least;
  at_least("max_allocation_bytes", caps.max_allocation_bytes, least.max_allocation_bytes);
  at_least("max_storage_buffer_range", caps.max_storage_buffer_range, least.max_storage_buffer_range);
  at_least("max_workgroup_invocations", caps.max_workgroup_invocations, least.max_workgroup_invocations);
  at_least("shared_memory_bytes", caps.shared_memory_bytes, least.shared_memory_bytes);
  at_least("max_push_constant_bytes", caps.max_push_constant_bytes, least.max_push_constant_bytes);
  for (std::size_t i = 0; i < 3; ++i) {
    at_least("max_workgroup_size", caps.max_workgroup_size[i], least.max_workgroup_size[i]);
    at_least("max_workgroup_count", caps.max_workgroup_count[i], least.max_workgroup_count[i]);
  }
  const auto is_power_up_to = [](std::uint64_t value, std::uint64_t most) {
    return std::has_single_bit(value) && value <= most;
  };
  const std::uint64_t alignment = caps.storage_buffer_alignment;
  if (!is_power_up_to(alignment, least.storage_buffer_alignment)) {
    fail("{}: 'storage_buffer_alignment' is {}, not a power of two up to 256", where, alignment);
  }
  const std::array sizes = {caps.min_subgroup_size, caps.subgroup_size, caps.max_subgroup_size};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (is_power_up_to(sizes[i], 128) && (i == 0 || sizes[i] >= sizes[i - 1])) continue;
    fail("{}: subgroup sizes {} ({} to {}) are not powers of two up to 128 in order", where,
         caps.subgroup_size, caps.min_subgroup_size, caps.max_subgroup_size);
  }
  const auto check_shape = [&](const auto& shape) {
    for (const std::uint32_t size : {shape.m, shape.n, shape.k}) {
      if (size == 0 || size > 1024) fail("{}: a matrix shape has {} rows or columns", where, size);
    }
  };
  for (const CooperativeMatrixShape& shape : caps.cooperative_matrices) check_shape(shape);
  if (!caps.cooperative_matrix2) return;
  for (const FlexibleMatrixShape& shape : caps.cooperative_matrix2->shapes) check_shape(shape);
}

/// "h100" of "h100.json".
std::string_view stem(const DeviceProfileFile& file) {
  return file.name.substr(0, file.name.find('.'));
}

}  // namespace

nlohmann::ordered_json caps_json(const DeviceCaps& caps) {
  return json_of(caps);
}

std::string device_profile(const DeviceCaps& caps) {
  nlohmann::ordered_json json = {{"format", kProfileFormat}};
  json.update(caps_json(caps));
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

DeviceCaps parse_device_profile(std::string_view text, std::string_view where) {
  Json json = parse_json(text, where);
  if (!json.is_object() || json_string(json, "format", where) != kProfileFormat) {
    fail("{}: not a device profile ('vkgpt devices --save FILE' writes one)", where);
  }
  json.erase("format");
  DeviceCaps caps;
  Reader(where).read_object(json, "profile", caps);
  check_limits(caps, where);
  return caps;
}

DeviceCaps load_device_profile(const std::string& name_or_file) {
  std::string names;
  for (const DeviceProfileFile& file : device_profile_files()) {
    if (stem(file) == name_or_file) return parse_device_profile(file.text, file.name);
    names += vkgpt::format("{}{}", names.empty() ? "" : ", ", stem(file));
  }
  const Path path(name_or_file);
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    fail_usage("there is no device profile '{}': give a file of 'vkgpt devices --save FILE', or one of {}",
               printable(name_or_file), names);
  }
  return parse_device_profile(read_file(path, kMaxProfileBytes), name_or_file);
}

}  // namespace vkgpt::vk

#include "vkgpt/train/tensorboard.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <map>
#include <vector>

#include <unistd.h>

#include "vkgpt/core/format.hpp"
#include "vkgpt/train/run_settings.hpp"

namespace vkgpt::train {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
    table[byte] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

template <typename Word>
void append_little_endian(std::string& out, Word word) {
  for (std::size_t i = 0; i < sizeof(Word); ++i) out += static_cast<char>(word >> (8 * i) & 0xff);
}

/// Protocol Buffers' wire format: fields are a tag (number and wire type) and a value.
enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

void append_tag(std::string& out, unsigned field, Wire wire) {
  append_varint(out, field << 3 | static_cast<unsigned>(wire));
}

void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
  append_tag(out, field, Wire::kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

void append_double(std::string& out, unsigned field, double value) {
  append_tag(out, field, Wire::kFixed64);
  append_little_endian(out, std::bit_cast<std::uint64_t>(value));
}

std::string event_head(double wall_time, std::int64_t step) {
  std::string event;
  append_tag(event, 1, Wire::kFixed64);
  append_little_endian(event, std::bit_cast<std::uint64_t>(wall_time));
  append_tag(event, 2, Wire::kVarint);
  append_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

/// TensorFlow stores checksums rotated and shifted, since a CRC of bytes that contain their CRC is weak.
std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8U;
}

double wall_time_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// TensorBoard takes the files of a directory in the order of their names.
constexpr std::string_view kNameBegins = "events.out.tfevents.";

std::string file_name() {
  static std::atomic<int> count = 0;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {'h', 'o', 's', 't'};
  return vkgpt::format("{}{:010}.{}.{}.{}", kNameBegins, static_cast<std::int64_t>(wall_time_now()),
                       host.data(), ::getpid(), count++);
}

std::ptrdiff_t count_logs(const Path& directory) {
  return std::ranges::count_if(list_directory(directory), [](const Path& path) {
    return path.filename().string().starts_with(kNameBegins);
  });
}

std::string tag_of(const std::string& key) {
  const bool of_evaluation = key == "train_loss" || key.starts_with("val_") || key.ends_with("_val_loss");
  return (of_evaluation ? "eval/" : "train/") + key;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xff];
  return ~crc;
}

std::string scalar_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars) {
    std::string value;
    append_bytes(value, 1, scalar.tag);
    append_tag(value, 2, Wire::kFixed32);
    append_little_endian(value, std::bit_cast<std::uint32_t>(scalar.value));
    append_bytes(summary, 1, value);
  }
  std::string event = event_head(wall_time, step);
  append_bytes(event, 5, summary);
  return event;
}

namespace {

/// An event with the one value `value`, of which the tag is missing.
std::string summary_event(double wall_time, std::int64_t step, std::string_view tag, std::string_view value) {
  std::string tagged, summary;
  append_bytes(tagged, 1, tag);
  tagged += value;
  append_bytes(summary, 1, tagged);
  std::string event = event_head(wall_time, step);
  append_bytes(event, 5, summary);
  return event;
}

/// SummaryMetadata, which says what page of TensorBoard shows a value.
std::string metadata(std::string_view plugin, std::string_view content) {
  std::string data, result;
  append_bytes(data, 1, plugin);
  if (!content.empty()) append_bytes(data, 2, content);
  append_bytes(result, 1, data);
  return result;
}

/// google.protobuf.Value.
std::string value_message(const std::string& text) {
  std::string message;
  bool truth = false;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) {
    append_double(message, 2, number);
  } else if ((text == "true" || text == "false") && parse_bool(text, truth)) {
    append_tag(message, 4, Wire::kVarint);
    append_varint(message, truth ? 1 : 0);
  } else {
    append_bytes(message, 3, text);
  }
  return message;
}

/// Limits of buckets, ten for each power of ten.
double bucket_limit(double value) {
  if (value == 0) return 1e-12;
  const double limit = std::pow(10.0, std::ceil(std::log10(std::abs(value)) * 10) / 10);
  return value > 0 ? limit : -limit / std::pow(10.0, 0.1);
}

}  // namespace

std::string text_event(double wall_time, std::int64_t step, std::string_view tag, std::string_view text) {
  constexpr std::uint64_t kString = 7;  // DataType
  std::string size, shape, tensor, value;
  append_tag(size, 1, Wire::kVarint);
  append_varint(size, 1);
  append_bytes(shape, 2, size);
  append_tag(tensor, 1, Wire::kVarint);
  append_varint(tensor, kString);
  append_bytes(tensor, 2, shape);
  append_bytes(tensor, 8, text);
  append_bytes(value, 8, tensor);
  append_bytes(value, 9, metadata("text", {}));
  return summary_event(wall_time, step, tag, value);
}

std::string histogram_event(double wall_time, std::int64_t step, std::string_view tag,
                            std::span<const double> values) {
  std::map<double, double> buckets;  // counts by upper limit
  double least = INFINITY, largest = -INFINITY, count = 0, sum = 0, squares = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    least = std::min(least, value);
    largest = std::max(largest, value);
    ++count;
    sum += value;
    squares += value * value;
    ++buckets[bucket_limit(value)];
  }
  if (count == 0) least = largest = 0;
  std::string limits, counts, histogram, value;
  for (const auto& [limit, number] : buckets) {
    append_little_endian(limits, std::bit_cast<std::uint64_t>(limit));
    append_little_endian(counts, std::bit_cast<std::uint64_t>(number));
  }
  unsigned field = 1;
  for (const double number : {least, largest, count, sum, squares}) append_double(histogram, field++, number);
  append_bytes(histogram, 6, limits);
  append_bytes(histogram, 7, counts);
  append_bytes(value, 5, histogram);
  return summary_event(wall_time, step, tag, value);
}

std::string settings_event(double wall_time, std::span<const Setting> settings) {
  constexpr std::uint64_t kFloat = 1;  // DataType, of a tensor that holds nothing
  std::string session, content, tensor, value;
  for (const Setting& setting : settings) {
    std::string entry;
    append_bytes(entry, 1, setting.key);
    append_bytes(entry, 2, value_message(setting.text));
    append_bytes(session, 1, entry);
  }
  append_double(session, 5, wall_time);
  append_bytes(content, 3, session);
  append_tag(tensor, 1, Wire::kVarint);
  append_varint(tensor, kFloat);
  append_bytes(tensor, 2, {});
  append_bytes(value, 8, tensor);
  append_bytes(value, 9, metadata("hparams", content));
  return summary_event(wall_time, 0, "_hparams_/session_start_info", value);
}

std::string version_event(double wall_time) {
  std::string event = event_head(wall_time, 0);
  append_bytes(event, 3, "brain.Event:2");
  return event;
}

std::string restart_event(double wall_time, std::int64_t step) {
  constexpr std::uint64_t kStart = 1;  // SessionLog.SessionStatus
  std::string session;
  append_tag(session, 1, Wire::kVarint);
  append_varint(session, kStart);
  std::string event = event_head(wall_time, step);
  append_bytes(event, 7, session);
  return event;
}

std::string event_record(std::string_view message) {
  std::string record;
  append_little_endian(record, static_cast<std::uint64_t>(message.size()));
  append_little_endian(record, masked_crc(record));
  record += message;
  append_little_endian(record, masked_crc(message));
  return record;
}

TensorBoardLog::TensorBoardLog(const Path& directory, std::int64_t finished_steps)
    : file_(directory / file_name()) {
  const double now = wall_time_now();
  std::string head = event_record(version_event(now));
  // Also of a run that was killed before its first checkpoint and begins anew.
  if (count_logs(directory) > 1) head += event_record(restart_event(now, finished_steps + 1));
  const std::vector<Setting> settings = saved_settings(directory);
  if (!settings.empty()) head += event_record(settings_event(now, settings));
  stopped_ = !file_.append(head);
}

void TensorBoardLog::append(const std::string& message) {
  if (!stopped_) stopped_ = !file_.append(event_record(message));
}

void TensorBoardLog::sample(std::int64_t step, std::string_view text) {
  append(text_event(wall_time_now(), step, "sample", text));
}

void TensorBoardLog::write(const nlohmann::ordered_json& record) {
  std::vector<Scalar> scalars;
  for (const auto& [key, value] : record.items()) {
    if (key == "step" || !value.is_number() || !std::isfinite(value.get<double>())) continue;
    scalars.push_back({tag_of(key), value.get<float>()});
  }
  if (!record.contains("step")) return;
  const auto step = record["step"].get<std::int64_t>();
  if (!scalars.empty()) append(scalar_event(wall_time_now(), step, scalars));
  for (const char* key : {"gradients", "activations"}) {
    const auto tensors = record.find(key);
    if (tensors == record.end() || !tensors->is_object()) continue;
    std::vector<double> norms;
    for (const auto& [name, tensor] : tensors->items()) {
      const auto norm = tensor.is_object() ? tensor.value("norm", nlohmann::ordered_json()) : tensor;
      if (norm.is_number()) norms.push_back(norm.get<double>());
    }
    append(histogram_event(wall_time_now(), step, std::string("norms/") + key, norms));
  }
}

}  // namespace vkgpt::train

#include "vkgpt/train/tensorboard.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <vector>

#include <unistd.h>

#include "vkgpt/core/format.hpp"

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
std::string file_name() {
  static std::atomic<int> count = 0;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {'h', 'o', 's', 't'};
  return vkgpt::format("events.out.tfevents.{:010}.{}.{}.{}", static_cast<std::int64_t>(wall_time_now()),
                       host.data(), ::getpid(), count++);
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
  if (finished_steps > 0) head += event_record(restart_event(now, finished_steps + 1));
  stopped_ = !file_.append(head);
}

void TensorBoardLog::write(const nlohmann::ordered_json& record) {
  std::vector<Scalar> scalars;
  for (const auto& [key, value] : record.items()) {
    if (key == "step" || !value.is_number() || !std::isfinite(value.get<double>())) continue;
    scalars.push_back({tag_of(key), value.get<float>()});
  }
  if (stopped_ || scalars.empty() || !record.contains("step")) return;
  stopped_ =
      !file_.append(event_record(scalar_event(wall_time_now(), record["step"].get<std::int64_t>(), scalars)));
}

}  // namespace vkgpt::train

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "vkgpt/core/config_field.hpp"
#include "vkgpt/train/log_file.hpp"

namespace vkgpt::train {

/// CRC-32C (Castagnoli), as RFC 3720 defines it.
std::uint32_t crc32c(std::string_view bytes);

/// One scalar of a TensorBoard summary.
struct Scalar {
  std::string tag;
  float value = 0;
};

/// The `Event` message of TensorBoard's event.proto, with its scalars.
std::string scalar_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars);
/// The same with a text.
std::string text_event(double wall_time, std::int64_t step, std::string_view tag, std::string_view text);
/// The same with the distribution of `values`, of which only finite ones count.
std::string histogram_event(double wall_time, std::int64_t step, std::string_view tag,
                            std::span<const double> values);
/// The settings of a run, by which TensorBoard's HParams page compares runs: a number or truth where the text
/// of one is, else a text.
std::string settings_event(double wall_time, std::span<const Setting> settings);
/// The message that every event file begins with.
std::string version_event(double wall_time);
/// The message by which a resumed run takes back what an earlier file says about `step` and later ones.
std::string restart_event(double wall_time, std::int64_t step);

/// `message` between its length and the checksums, as TFRecord files hold it.
std::string event_record(std::string_view message);

/// A TensorBoard event file in the run directory, new for every process: the finite numbers of the records of
/// `metrics.jsonl`, as "train/..." and, for evaluations, "eval/..."; of eager passes the distributions of the
/// norms of gradients and activations over the tensors; the settings in the directory; samples.
class TensorBoardLog {
 public:
  /// Throws `IoError`.
  TensorBoardLog(const Path& directory, std::int64_t finished_steps);

  void write(const nlohmann::ordered_json& record);
  void sample(std::int64_t step, std::string_view text);

 private:
  void append(const std::string& message);

  LogFile file_;
  bool stopped_ = false;  // a record was cut off: nothing behind it could be read
};

}  // namespace vkgpt::train

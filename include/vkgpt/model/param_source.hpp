#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "vkgpt/core/blocks.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/model/gpt_params.hpp"

namespace vkgpt::model {

/// A model's parameters where they are: in memory or in files, of which no more is read than what is asked
/// for.
class ParamSource {
 public:
  virtual ~ParamSource() = default;

  /// Rows [first, first + count) of a parameter as it is trained (of a vector, its numbers), by name: `spec`
  /// may be that of another table. Rows that pad a vocabulary are zero. Throws `Error`.
  virtual void read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
                    std::span<float> values) const = 0;

  /// The same rows in blocks of `type`, where the file holds them so: their very bits. False where it does
  /// not, and then nothing is written.
  virtual bool read_blocks(const ParamSpec& spec, BlockType type, std::int64_t first, std::int64_t count,
                           std::span<std::uint32_t> quants, std::span<std::uint32_t> scales) const {
    (void)spec, (void)type, (void)first, (void)count, (void)quants, (void)scales;
    return false;
  }
};

/// The parameters in an arena of `params`; both outlive the source.
class ArenaSource final : public ParamSource {
 public:
  ArenaSource(const GptParams& params, std::span<const float> arena) : params_(params), arena_(arena) {}
  void read(const ParamSpec& spec, std::int64_t first, std::int64_t count,
            std::span<float> values) const override;

 private:
  const GptParams& params_;
  std::span<const float> arena_;
};

/// The parameters of a directory's model, or of a .gguf file; the files are checked as `load_model` checks
/// them. Refuses a directory with adapters.
std::unique_ptr<ParamSource> open_params(const Path& path);

/// The same, with the adapters of a directory added to the model that is there or that they name; `average`
/// takes the averaged weights.
std::unique_ptr<ParamSource> open_model_params(const Path& path, bool average = false);

/// `initial_parameters` of the trainable ones alone, which come first in the arena.
std::vector<float> initial_trainable(const GptParams& params, std::uint64_t seed);

/// Numbers of a row: 1 of a vector.
std::int64_t row_width(const ParamSpec& spec);

/// Rows of a parameter that are moved at a time: a multiple of 64, 16 MiB of f32 or a little more.
inline std::int64_t rows_at_once(const ParamSpec& spec) {
  constexpr std::int64_t kMostNumbers = 1 << 22;
  return std::max<std::int64_t>(kMostNumbers / row_width(spec) / 64 * 64, 64);
}

/// Calls `take(first number, values)` for all of a parameter, some rows at a time.
template <typename Take>
void for_rows(const ParamSource& source, const ParamSpec& spec, Take&& take) {
  const std::int64_t width = row_width(spec), rows = spec.numel() / width, step = rows_at_once(spec);
  std::vector<float> values;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    values.resize(static_cast<std::size_t>(count * width));
    source.read(spec, first, count, values);
    take(first * width, std::span<const float>(values));
  }
}

}  // namespace vkgpt::model

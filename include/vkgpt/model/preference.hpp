#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace vkgpt::model {

/// Direct preference optimization in place of the mean loss of tokens: see `ops::preference_loss`.
struct Preference {
  double beta = 0.1;
  double label_smoothing = 0;
  std::int64_t pairs = 0;  ///< the most that a batch holds; 0: not this objective

  friend bool operator==(const Preference&, const Preference&) = default;
};

/// Tensors of its plan; P is `Preference::pairs`.
namespace tensor {
inline constexpr const char* kPairs = "pairs";                   // (P, 4) i32, upload
inline constexpr const char* kPairReference = "pair_reference";  // (P, 2), upload
inline constexpr const char* kPairScores = "pair_scores";        // (P, 2) of an evaluation's batch, readback
inline constexpr const char* kPreferenceResults = "preference_results";           // (4), readback, of a step
inline constexpr const char* kEvalPreferenceResults = "eval_preference_results";  // (4), of an evaluation
}  // namespace tensor

/// Means over the pairs of a step or an evaluation, as TRL reports them.
struct PreferenceResults {
  double chosen = 0;    ///< beta (log p - that of the reference) of what was chosen
  double rejected = 0;  ///< and of what was rejected
  double accuracy = 0;  ///< share of pairs of which the first is larger
  double pairs = 0;

  double margin() const { return chosen - rejected; }
};

/// The contents (4) of kPreferenceResults or kEvalPreferenceResults.
PreferenceResults preference_results(std::span<const float> readback);

}  // namespace vkgpt::model

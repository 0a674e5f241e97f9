#pragma once

// vkgpt as a library: load a model, encode, generate, evaluate, train. This header stands alone; the others
// below vkgpt/ are the program's own and change without notice.
//
//   vkgpt::Model model("runs/shakespeare");
//   std::cout << model.generate("ROMEO:", {.max_new_tokens = 100});
//
// Whatever the user's input or the environment does wrong throws `std::runtime_error` with one line that says
// what, where, and what to do. An object belongs to one thread at a time.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkgpt {

/// Where to compute.
struct DeviceOptions {
  std::string device = {};         ///< number, part of the name, or UUID; empty takes the best
  std::string validation = "off";  ///< Vulkan validation: off, core, sync, gpu
};

struct GenerateOptions {
  std::int64_t max_new_tokens = 200;  ///< at least 1
  double temperature = 1;             ///< from 0, which is the likeliest token each time
  std::int64_t top_k = 0;             ///< 0: all
  double top_p = 1;                   ///< above 0, at most 1
  std::uint64_t seed = 1337;
  std::uint32_t sample = 0;  ///< another number, another text; below 2^24
  std::string stop = {};     ///< the text ends before this one
  /// Called with each stretch of text as it comes, whole characters only; false ends it, and so does an
  /// exception, which goes on to the caller.
  std::function<bool(std::string_view)> on_text = {};
};

/// How well a model predicts a text.
struct Evaluation {
  std::uint64_t tokens = 0;  ///< predicted
  double loss = 0;           ///< nats per token
  double perplexity = 0;
};

/// A trained model on a device, with its tokenizer.
class Model {
 public:
  using Token = std::int32_t;

  /// Loads a run directory, a checkpoint, or a model directory of transformers.
  explicit Model(const std::filesystem::path& directory, const DeviceOptions& options = {});
  ~Model();
  Model(Model&& other) noexcept;
  Model& operator=(Model&& other) noexcept;

  std::int64_t parameter_count() const;
  std::int64_t context_length() const;  ///< tokens
  std::string device_name() const;

  std::vector<Token> encode(std::string_view text) const;
  /// The bytes of the tokens; they need not be whole characters.
  std::string decode(std::span<const Token> tokens) const;

  /// The text after `prompt`, which may not be empty.
  std::string generate(std::string_view prompt, const GenerateOptions& options = {});

  /// The text in windows of the context length, each without what stands before it.
  Evaluation evaluate(std::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A finished step of a training run.
struct TrainStep {
  std::int64_t step = 0;  ///< from 1
  std::int64_t max_steps = 0;
  double loss = 0;  ///< nats per token
  double learning_rate = 0;
  double grad_norm = 0;
  double tokens_per_second = 0;
};

struct TrainResult {
  std::int64_t steps = 0;
  double train_loss = 0;            ///< of the last step, NaN where none was left to make
  double val_loss = 0;              ///< NaN where nothing was kept for validation
  std::filesystem::path directory;  ///< for `Model`
};

/// Trains as `vkgpt train` does: `settings` are its flags without the dashes ({"data_path", "a.txt"},
/// {"out_dir", "runs/a"}, {"n_layer", "2"}). `on_step` is called after every step; false ends the run, which
/// is then saved and can be continued with {"resume", "true"}.
TrainResult train_model(const std::map<std::string, std::string>& settings, const DeviceOptions& options = {},
                        const std::function<bool(const TrainStep&)>& on_step = {});

}  // namespace vkgpt

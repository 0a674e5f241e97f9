#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/text/generate/stop_filter.hpp"
#include "vkgpt/text/tokenizer/tokenizer.hpp"

#include "serve/machine.hpp"

namespace vkgpt::serve {

enum class GenerationId : std::uint64_t {};

/// Texts that somebody waits for: `choices` continuations of each prompt.
struct Generation {
  std::vector<std::vector<text::Token>> prompts = {};
  std::uint32_t choices = 1;
  text::SamplerConfig sampling = {};
  std::vector<std::uint64_t> seeds = {};          // one a prompt
  std::int32_t adapter = -1;                      // number; -1: none
  std::vector<std::int64_t> max_new_tokens = {};  // one a prompt
  std::vector<std::string> stops = {};
  bool wants_logprobs = false;
  std::size_t likeliest = 0;

  std::size_t texts() const { return prompts.size() * choices; }
};

enum class Finish { kNone, kStop, kLength };

struct LikelyToken {
  std::string text;  // its bytes, whole characters or not
  double logprob = 0;
};

/// A token as it was drawn.
struct PieceToken {
  LikelyToken token;
  std::vector<LikelyToken> likeliest = {};
};

/// What a step added to a text.
struct Piece {
  std::size_t index = 0;  // prompt number times choices plus choice
  std::string text = {};
  std::vector<PieceToken> tokens = {};  // where log-probabilities are wanted
  std::uint64_t drawn = 0;              // tokens so far
  Finish finish = Finish::kNone;
};

/// Whom the engine tells, in its thread.
class EngineListener {
 public:
  virtual ~EngineListener() = default;
  virtual void advanced(GenerationId id, Piece piece) = 0;
  /// Nothing more comes.
  virtual void failed(GenerationId id, std::string why) = 0;
};

struct EngineState {
  std::size_t running = 0, waiting = 0;  // texts
  std::uint64_t run_tokens = 0;          // through the model, of prompts and of what was drawn
  std::uint64_t reused_tokens = 0;       // of prompts, that were in the cache
  std::uint64_t drawn_tokens = 0;
  std::uint64_t losses = 0;  // of the device
  bool is_ready = false;
};

/// The one thread that uses the device. When the device is lost what runs ends with an error, and the model
/// is loaded anew.
class Engine {
 public:
  /// Opens the machine in the calling thread: its errors are the caller's. At most `queue` texts wait beyond
  /// those that have slots.
  Engine(OpenMachine open, const text::Tokenizer& tokenizer, std::size_t slots, std::size_t queue,
         EngineListener& listener);
  /// What runs is given up.
  ~Engine();

  /// False where too many wait already.
  bool submit(GenerationId id, Generation generation);
  /// Its slots are free before the next token.
  void cancel(GenerationId id);

  EngineState state() const;

 private:
  struct Text {
    GenerationId generation;
    std::size_t index;
    text::StopFilter filter;
    std::uint64_t drawn = 0;
  };

  /// What is to be told of a generation.
  struct News {
    GenerationId id;
    Piece piece = {};
    std::string error = {};  // not empty: it failed
  };

  void work();
  bool take_orders();
  void start(GenerationId id, const Generation& generation);
  void drop(GenerationId id);
  void take(const text::DrawnToken& token);
  /// Tells the listener the news; `state` knows of them already.
  void tell();
  Piece piece_of(Text& text, const text::DrawnToken& token) const;
  PieceToken describe(const text::DrawnToken& token) const;
  void recover(const std::string& why);
  void note_state();

  OpenMachine open_;
  const text::Tokenizer& tokenizer_;
  std::size_t most_texts_;
  EngineListener& listener_;
  std::unique_ptr<Machine> machine_;  // null while it is opened again

  std::map<std::uint64_t, Text> texts_;  // by the batch's id
  std::vector<News> news_;
  EngineState counts_;  // without those of the machine that is there

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::vector<std::pair<GenerationId, Generation>> submitted_;
  std::vector<GenerationId> cancelled_;
  std::size_t submitted_texts_ = 0;
  EngineState state_;
  bool is_ending_ = false;
  std::thread thread_;  // last
};

}  // namespace vkgpt::serve

#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vkgpt/text/tokenizer/tokenizer.hpp"

namespace vkgpt::text {

/// The halves of a data set, as indices.
inline constexpr std::size_t kTrainSplit = 0;
inline constexpr std::size_t kValidationSplit = 1;

/// Text that is encoded as a whole.
struct TextPart {
  std::string text;
  std::size_t split = kTrainSplit;
  bool ends_document = false;
  bool continues = false;  ///< a document that another part began
};

/// Bytes of text in a job, more or less.
inline constexpr std::size_t kJobBytes = std::size_t{1} << 20;

/// Texts on their way to tokens.
struct EncodeJob {
  std::vector<TextPart> parts;
  std::string place;         ///< of the text, for messages
  std::size_t input = 0;     ///< where its source goes on behind it
  std::uint64_t offset = 0;  ///< the same, in bytes
  /// Of each split: the tokens of its parts, one after the other, documents ended by the end-of-text token.
  std::array<std::vector<Token>, 2> tokens;
};

/// Encodes jobs on several threads and hands them back in the order in which they came; few of them are in
/// memory at a time.
class EncodePipeline {
 public:
  /// Gives the next job, nothing after the last. Called by one thread at a time.
  using Next = std::function<std::optional<EncodeJob>()>;

  /// `tokenizer` outlives the pipeline. 0 threads: as many as the machine runs at once.
  EncodePipeline(const Tokenizer& tokenizer, Next next, unsigned threads = 0);
  EncodePipeline(const EncodePipeline&) = delete;
  EncodePipeline& operator=(const EncodePipeline&) = delete;
  ~EncodePipeline();

  /// The next job with its tokens; nothing at the end. Throws what `Next` or the tokenizer threw, after the
  /// jobs before it.
  std::optional<EncodeJob> take();

 private:
  struct Slot {
    EncodeJob job;
    bool ready = false;
    std::exception_ptr error;
  };

  void work();
  /// The next job, in its place; null when there is no more to do.
  Slot* read();
  void encode(EncodeJob& job) const;

  const Tokenizer& tokenizer_;
  Next next_;
  std::size_t window_;
  std::mutex reading_;  // held while a job is read: jobs get their places in that order
  std::mutex mutex_;    // guards what follows
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Slot>> slots_;
  bool ended_ = false;
  bool stopped_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace vkgpt::text

#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vkgpt/text/generate/decoder.hpp"
#include "vkgpt/text/generate/sampler.hpp"
#include "vkgpt/text/tokenizer/token.hpp"

namespace vkgpt::text {

/// A text to be continued.
struct Continuation {
  std::vector<Token> prompt;  // not empty
  SamplerConfig sampling = {};
  std::uint64_t seed = 0;
  std::uint32_t sample = 0;   // among texts of one seed
  std::int32_t adapter = -1;  // of those that the decoder has; -1: none
  std::int64_t max_new_tokens = 1;
  /// Where the context is full: a quarter of it (at least one token) is dropped from its beginning and the
  /// rest is run again. Else the text ends.
  bool slides = false;
  bool keeps_cache = true;  // else every token is run anew; it changes nothing but the time
  bool wants_logprobs = false;
  std::size_t likeliest = 0;  // tokens of which the log-probability is wanted besides the drawn one's
};

struct TokenLogprob {
  Token token = 0;
  double logprob = 0;
};

/// A token that was drawn for a text.
struct DrawnToken {
  std::uint64_t id = 0;
  Token token = 0;
  bool is_last = false;  // max_new_tokens is reached, the context is full, or there is an error
  bool has_logprobs = false;
  double logprob = 0;
  std::vector<TokenLogprob> likeliest = {};
  std::string error = {};  // why no token could be drawn: the logits are not finite
};

/// Continues many texts together (continuous batching, as in Orca, Yu et al. 2022): a text joins and leaves
/// between two steps. Each has a slot of the decoder's cache; a new one takes the slot whose tokens, of the
/// same adapter, it shares the longest beginning with (an empty one where more of another text would be
/// thrown away than is shared), and only the rest of its prompt is run, in pieces between the others' steps.
/// What a text becomes depends on its own `Continuation` alone: where the bits of runs and steps differ, all
/// of a prompt comes by runs, and a slot's beginning is used as far as it did.
class Batch {
 public:
  /// Only tokens below `vocab_size`, the tokenizer's, are drawn: a model may have more. 0 = all of the
  /// model's.
  Batch(Decoder& decoder, std::int64_t vocab_size = 0);

  /// Texts beyond the slots wait for their turn. Gives the text's id.
  std::uint64_t add(Continuation text);
  /// Ends a text at once.
  void remove(std::uint64_t id);

  /// Forgets what the cache holds, as when parameters have changed. There are no texts.
  void forget();

  bool is_empty() const { return texts_.empty(); }
  /// Texts that have a slot, and those that wait for one.
  std::size_t running() const;
  std::size_t waiting() const { return texts_.size() - running(); }
  /// Prompt tokens that were run, and those that were in the cache already.
  std::uint64_t tokens_run() const { return tokens_run_; }
  std::uint64_t tokens_reused() const { return tokens_reused_; }

  /// A step of every text whose prompt has been run, and a piece of one prompt. Texts whose last token is
  /// drawn are gone afterwards.
  std::vector<DrawnToken> step();

 private:
  struct Text {
    std::uint64_t id;
    Continuation wish;
    Sampler sampler;
    std::vector<Token> tokens;  // prompt and what was drawn
    std::size_t prompt_size;
    std::size_t window = 0;  // where the context begins
    std::size_t cached = 0;  // tokens of the window that are in the slot
    int slot = -1;
    std::uint64_t last_run = 0;  // step in which a piece of it was run

    std::size_t pending() const { return tokens.size() - window - cached; }
  };
  struct Slot {
    std::vector<Token> tokens;  // whose keys and values it holds
    std::size_t by_runs = 0;    // of them, from the first on, that came by runs
    std::size_t prompt = 0;     // length of the prompt whose text it was given to
    std::int32_t adapter = -1;  // with which they were computed
    bool is_taken = false;
    std::uint64_t last_use = 0;
  };

  struct Share {
    std::size_t common = 0, lost = 0;  // tokens
  };

  void give_slots();
  Share share_of(const Slot& slot, const Text& text) const;
  void give_slot(Text& text);
  void leave(std::list<Text>::iterator text);
  void step_ready(std::vector<DrawnToken>& drawn);
  void run_piece(std::vector<DrawnToken>& drawn);
  bool takes_step(const Text& text) const;
  void empty(Slot& slot);
  void note_cached(Text& text, std::size_t count, bool by_run);
  std::optional<ops::SampleControl> control_of(const Text& text) const;
  Token next_token(Text& text, std::size_t row);
  void draw(std::list<Text>::iterator text, std::size_t row, std::vector<DrawnToken>& drawn);

  Decoder& decoder_;
  std::size_t drawn_;  // tokens from 0 that may be drawn
  std::list<Text> texts_;
  std::vector<Slot> slots_;
  std::uint64_t next_id_ = 1;
  std::uint64_t steps_ = 0;
  std::uint64_t tokens_run_ = 0;
  std::uint64_t tokens_reused_ = 0;
};

}  // namespace vkgpt::text

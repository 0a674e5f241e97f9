#include "vkgpt/model/gguf_import.hpp"

#include "fuzz/fuzz_target.hpp"
#include "text/tokenizer/gguf_tokenizer.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(gguf_model) {
  const model::GgufFile file(write_input("model.gguf", input));
  model::read_gguf_model(file);
  const auto tokenizer = text::read_gguf_tokenizer(file);
  tokenizer->decode(tokenizer->encode_with_special("ab a"));
}

}  // namespace vkgpt::fuzz

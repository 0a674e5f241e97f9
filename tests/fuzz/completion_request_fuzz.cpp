#include "fuzz/fuzz_target.hpp"
#include "serve/completion_request.hpp"
#include "serve/request_error.hpp"

namespace vkgpt::fuzz {

VKGPT_FUZZ_TARGET(completion_request) {
  for (const bool is_chat : {false, true}) {
    try {
      serve::parse_completion_request(input, is_chat, {});
    } catch (const serve::RequestError& error) {
      if (error.body().empty()) throw;
    }
  }
}

}  // namespace vkgpt::fuzz

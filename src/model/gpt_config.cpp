#include "vkgpt/model/gpt_config.hpp"

#include "vkgpt/core/error.hpp"

namespace vkgpt::model {

void GptConfig::validate() const {
  if (n_embd % n_head != 0) {
    fail_usage("n_embd = {} is not a multiple of n_head = {}", n_embd, n_head);
  }
  if (head_size() < 16 || head_size() > 128 || head_size() % 4 != 0) {
    fail_usage("n_embd / n_head = {} / {} gives a head size of {}; it must be 16 to 128 and a multiple of 4",
               n_embd, n_head, head_size());
  }
}

}  // namespace vkgpt::model

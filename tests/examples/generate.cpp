// Continues a prompt, text as it comes: example_generate MODEL PROMPT

#include <cstdio>
#include <exception>
#include <string_view>

#include <vkgpt/vkgpt.hpp>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: example_generate MODEL PROMPT\n");
    return 2;
  }
  try {
    vkgpt::Model model(argv[1]);
    std::fprintf(stderr, "%.2f M parameters on %s\n", static_cast<double>(model.parameter_count()) / 1e6,
                 model.device_name().c_str());
    const auto show = [](std::string_view text) {
      std::printf("%.*s", static_cast<int>(text.size()), text.data());
      std::fflush(stdout);
      return true;
    };
    std::printf("%s", argv[2]);
    model.generate(argv[2], {.max_new_tokens = 100, .temperature = 0.8, .on_text = show});
    std::printf("\n");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "example_generate: %s\n", error.what());
    return 1;
  }
}

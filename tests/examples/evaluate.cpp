// Prints how well a model predicts a text, and the text's first tokens: example_evaluate MODEL TEXT

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <vkgpt/vkgpt.hpp>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: example_evaluate MODEL TEXT\n");
    return 2;
  }
  try {
    vkgpt::Model model(argv[1]);
    std::ifstream file(argv[2], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::vector<vkgpt::Model::Token> tokens = model.encode(text);
    for (std::size_t i = 0; i < std::min<std::size_t>(8, tokens.size()); ++i) {
      std::printf("%d '%s'\n", tokens[i], model.decode({&tokens[i], 1}).c_str());
    }
    const vkgpt::Evaluation result = model.evaluate(text);
    std::printf("%llu tokens, %.4f nats each, perplexity %.3f\n",
                static_cast<unsigned long long>(result.tokens), result.loss, result.perplexity);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "example_evaluate: %s\n", error.what());
    return 1;
  }
}

// Trains a small model on a text and prints its loss as it learns: example_train TEXT RUN_DIRECTORY [STEPS]

#include <cstdio>
#include <exception>
#include <string>

#include <vkgpt/vkgpt.hpp>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: example_train TEXT RUN_DIRECTORY [STEPS]\n");
    return 2;
  }
  try {
    const auto on_step = [](const vkgpt::TrainStep& step) {
      if (step.step % 10 == 0)
        std::printf("step %lld  loss %.3f\n", static_cast<long long>(step.step), step.loss);
      return true;  // false ends the run early, saved
    };
    const vkgpt::TrainResult result = vkgpt::train_model({{"data_path", argv[1]},
                                                          {"out_dir", argv[2]},
                                                          {"n_layer", "2"},
                                                          {"n_head", "2"},
                                                          {"n_embd", "64"},
                                                          {"block_size", "64"},
                                                          {"batch_size", "8"},
                                                          {"log_interval", "0"},
                                                          {"sample_interval", "0"},
                                                          {"max_steps", argc > 3 ? argv[3] : "100"}},
                                                         {}, on_step);
    std::printf("%lld steps, validation loss %.3f\n", static_cast<long long>(result.steps), result.val_loss);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "example_train: %s\n", error.what());
    return 1;
  }
}

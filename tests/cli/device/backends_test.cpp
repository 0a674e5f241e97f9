// Whole runs with every family of kernels give the losses of the scalar one, which the goldens vouch for.

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/vk/kernel_choices.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/temp_directory.hpp"

namespace vkgpt::cli {
namespace {

struct Curve {
  std::vector<double> losses, norms;
};

class GpuBackends : public testing::TestWithParam<const char*> {
 protected:
  /// Ten steps of a model of 2 blocks, its heads of 32, with both backends forced.
  Curve train(const std::string& backend, const std::string& amp) const {
    std::string text;
    for (int i = 0; i < 100; ++i)
      text += "line " + std::to_string(i * i % 97) + ": the quick brown fox, jumps!\n";
    write_file(directory_ / "text.txt", text);
    const Path out = directory_ / (backend + "-" + amp);
    const RunResult run = run_vkgpt({"train",
                                     "--data_path",
                                     (directory_ / "text.txt").string(),
                                     "--out_dir",
                                     out.string(),
                                     "--n_layer",
                                     "2",
                                     "--n_head",
                                     "2",
                                     "--n_embd",
                                     "64",
                                     "--block_size",
                                     "48",
                                     "--batch_size",
                                     "3",
                                     "--max_steps",
                                     "10",
                                     "--eval_iters",
                                     "1",
                                     "--log_interval",
                                     "1",
                                     "--amp",
                                     amp,
                                     "--warmup_steps",
                                     "0",
                                     "--matmul_backend",
                                     backend,
                                     "--attention_backend",
                                     backend});
    EXPECT_EQ(run.code, 0) << run.err;
    Curve curve;
    std::ifstream metrics(out / "metrics.jsonl");
    for (std::string line; std::getline(metrics, line);) {
      const auto record = nlohmann::json::parse(line);
      if (!record.contains("loss")) continue;
      curve.losses.push_back(record["loss"]);
      curve.norms.push_back(record["grad_norm"]);
    }
    EXPECT_EQ(curve.losses.size(), 10U);
    return curve;
  }

 private:
  TempDirectory directory_;
};

TEST_P(GpuBackends, TrainAlike) {
  const std::string amp = GetParam();
  // Sums in another order, and for fp16 activations rounded to another neighbour here and there.
  const double tolerance = amp == "off" ? 2e-5 : 2e-3;
  const Curve scalar = train("scalar", amp);
  for (const vk::Backend backend : {vk::Backend::kSimt, vk::Backend::kKhr, vk::Backend::kNv}) {
    const std::string name(vk::backend_name(backend));
    SCOPED_TRACE(name);
    const Curve curve = train(name, amp);
    ASSERT_EQ(curve.losses.size(), scalar.losses.size());
    for (std::size_t i = 0; i < curve.losses.size(); ++i) {
      EXPECT_NEAR(curve.losses[i], scalar.losses[i], tolerance * scalar.losses[i]) << "step " << i + 1;
      EXPECT_NEAR(curve.norms[i], scalar.norms[i], 10 * tolerance * scalar.norms[i]) << "step " << i + 1;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, GpuBackends, testing::Values("off", "fp16"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace vkgpt::cli

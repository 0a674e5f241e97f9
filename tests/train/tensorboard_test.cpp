#include "vkgpt/train/tensorboard.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "vkgpt/core/format.hpp"

#include "support/temp_directory.hpp"

namespace vkgpt::train {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += vkgpt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

/// The messages of an event file; fails where a length or a checksum is wrong.
std::vector<std::string> read_records(std::string_view file) {
  std::vector<std::string> messages;
  while (!file.empty()) {
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      length |= static_cast<std::uint64_t>(static_cast<unsigned char>(file.at(i))) << (8 * i);
    }
    const std::string message(file.substr(12, length));
    const std::string record = event_record(message);
    EXPECT_EQ(hex(file.substr(0, record.size())), hex(record));
    messages.push_back(message);
    file.remove_prefix(std::min(record.size(), file.size()));
  }
  return messages;
}

Path only_file(const TempDirectory& directory) {
  const std::vector<Path> files = list_directory(directory.path());
  EXPECT_EQ(files.size(), 1U);
  return files.at(0);
}

TEST(TensorBoard, Crc32cKnownAnswers) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);    // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);  // the same
}

// These bytes were read back with TensorBoard's own loader.
TEST(TensorBoard, GoldenBytes) {
  const std::vector<Scalar> scalars = {{"train/loss", 2.5F}, {"eval/val_loss", -0.125F}};
  EXPECT_EQ(hex(event_record(version_event(1.7e9)) + event_record(restart_event(1.7e9, 300)) +
                event_record(scalar_event(1700000000.25, 300, scalars))),
            "1a00000000000000129bd82d0900000040fc54d94110001a0d627261696e2e4576656e743a32e6773e1a100000000000"
            "000095fbfe180900000040fc54d94110ac023a020801954106183700000000000000e7e8ca590900001040fc54d94110"
            "ac022a290a110a0a747261696e2f6c6f737315000020400a140a0d6576616c2f76616c5f6c6f737315000000be62d806"
            "e9");
}

// Those of tensorboard's own protocol buffers (2.21).
TEST(TensorBoard, GoldenBytesOfTextsDistributionsAndSettings) {
  constexpr double kTime = 1700000000.25;
  EXPECT_EQ(hex(text_event(kTime, 300, "sample", "To be")),
            "0900001040fc54d94110ac022a250a230a0673616d706c65420f08071204120208014205546f2062654a080a060a0474"
            "657874");
  const std::vector<double> values = {0.0, 1.5, 1.6, -2.0, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_EQ(hex(histogram_event(kTime, 300, "norms/gradients", values)),
            "0900001040fc54d94110ac022a87010a84010a0f6e6f726d732f6772616469656e74732a710900000000000000c0119a"
            "99999999"
            "99f93f190000000000001040219a9999999999f13f291f85eb51b89e21403220afb85b2d98ecffbf11ea2d819997713d"
            "5360d4f6"
            "b85bf93fafb85b2d98ecff3f3a20000000000000f03f000000000000f03f000000000000f03f000000000000f03f");
  const std::vector<Setting> settings = {{.key = "n_layer", .text = "2", .where = {}}};
  EXPECT_EQ(hex(settings_event(kTime, settings)),
            "0900001040fc54d94110002a560a540a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f420408"
            "0112004a2e"
            "0a2c0a0768706172616d7312211a1f0a140a076e5f6c6179657212091100000000000000402900001040fc54d941");
}

TEST(TensorBoard, AFileBeginsWithItsVersionAndHoldsTheNumbers) {
  const TempDirectory directory;
  {
    TensorBoardLog log(directory.path(), 0);
    log.write({{"step", 3}, {"loss", 2.5}, {"skipped", false}, {"gradients", {{"wte", 1.0}}}});
    log.write({{"step", 4}, {"loss", std::numeric_limits<double>::quiet_NaN()}});
    log.write({{"step", 5}, {"val_loss", 1.5}, {"train_loss", 1.25}});
    log.sample(6, "To be");
    log.write({{"step", 7}, {"activations", {{"h0", {{"norm", 2.0}}}, {"h1", {{"norm", nullptr}}}}}});
  }
  const Path file = only_file(directory);
  EXPECT_TRUE(file.filename().string().starts_with("events.out.tfevents."));
  const std::vector<std::string> messages = read_records(read_file(file));
  // The gradients of step 3 are numbers here, which do as well.
  ASSERT_EQ(messages.size(), 6U);
  EXPECT_NE(messages[0].find("brain.Event:2"), std::string::npos);
  EXPECT_EQ(hex(messages[2].substr(9)),
            hex(histogram_event(0, 3, "norms/gradients", std::vector{1.0}).substr(9)));
  EXPECT_EQ(hex(messages[4].substr(9)), hex(text_event(0, 6, "sample", "To be").substr(9)));
  EXPECT_EQ(hex(messages[5].substr(9)),
            hex(histogram_event(0, 7, "norms/activations", std::vector{2.0}).substr(9)));
  const auto same_but_time = [](const std::string& message, std::int64_t step,
                                const std::vector<Scalar>& scalars) {
    EXPECT_EQ(hex(message.substr(9)), hex(scalar_event(0, step, scalars).substr(9)));
  };
  same_but_time(messages[1], 3, {{"train/loss", 2.5F}});
  same_but_time(messages[3], 5, {{"eval/val_loss", 1.5F}, {"eval/train_loss", 1.25F}});
}

TEST(TensorBoard, AResumedRunOpensAnotherFileThatTakesLaterStepsBack) {
  const TempDirectory directory;
  for (const std::int64_t finished : {0, 40, 0}) const TensorBoardLog log(directory.path(), finished);
  const std::vector<Path> files = list_directory(directory.path());
  ASSERT_EQ(files.size(), 3U);
  for (const auto& [file, step] : {std::pair{1U, 41}, {2U, 1}}) {
    const std::vector<std::string> messages = read_records(read_file(files[file]));
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(hex(messages[1].substr(9)), hex(restart_event(0, step).substr(9)));
  }
}

}  // namespace
}  // namespace vkgpt::train

// `vkgpt data`: get from a server on the loopback interface, prepare, info.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "vkgpt/core/hash.hpp"

#include "cli/run_vkgpt.hpp"
#include "support/http_server.hpp"

namespace vkgpt::cli {
namespace {

using test::HttpRequest;
using test::HttpServer;

std::string answer(const std::string& status, const std::string& headers, const std::string& body = {}) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Connection: close\r\n\r\n" + body;
}

/// What the hub does: it names size and checksum and sends the client to where the bytes are.
struct Hub {
  std::string contents = std::string(200'000, 's') + "the end";
  std::string sha256 = vkgpt::sha256(contents);
  std::atomic<std::size_t> truncate_at = SIZE_MAX;  ///< the connection breaks there
  std::atomic<bool> silent = false;                 ///< it names nothing
  std::atomic<std::uint64_t> last_range = 0;
  std::atomic<int> requests = 0;

  std::string operator()(const HttpRequest& request) {
    ++requests;
    if (request.path.starts_with("/datasets/")) {
      const std::string said = silent ? ""
                                      : "X-Linked-Size: " + std::to_string(contents.size()) +
                                            "\r\nX-Linked-ETag: \"" + sha256 + "\"\r\n";
      return answer("302 Found", "Location: /blob\r\nContent-Length: 0\r\n" + said);
    }
    last_range = request.range_begin;
    const std::string body = contents.substr(request.range_begin);
    std::string headers = "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if (request.range_begin > 0) {
      headers += "Content-Range: bytes " + std::to_string(request.range_begin) + "-" +
                 std::to_string(contents.size() - 1) + "/" + std::to_string(contents.size()) + "\r\n";
    }
    const std::string status = request.range_begin > 0 ? "206 Partial Content" : "200 OK";
    return answer(status, headers, request.method == "HEAD" ? "" : body.substr(0, truncate_at));
  }
};

class DataGet : public testing::Test {
 protected:
  RunResult get(const std::string& name = "tinystories") {
    return run_vkgpt({"data", "get", name, "--out", (directory_ / "data").string()},
                     {"HF_ENDPOINT=" + server_.address() + "/", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"});
  }
  Path file(const std::string& name = "TinyStoriesV2-GPT4-valid.txt") const {
    return directory_ / "data" / "tinystories" / name;
  }
  void refuses(const std::string& part) {
    const RunResult result = get();
    EXPECT_EQ(result.code, 1);
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_FALSE(std::filesystem::exists(file()));
  }

  TempDirectory directory_;
  Hub hub_;
  HttpServer server_{[this](const HttpRequest& request) { return hub_(request); }};
};

TEST_F(DataGet, FetchesWhatTheHubDescribes) {
  const RunResult fetched = get();
  ASSERT_EQ(fetched.code, 0) << fetched.err;
  EXPECT_EQ(read_file(file()), hub_.contents);
  EXPECT_EQ(read_file(file("TinyStoriesV2-GPT4-train.txt")), hub_.contents);
  EXPECT_EQ(fetched.out, (directory_ / "data" / "tinystories").string() + "\n");
  hub_.requests = 0;
  EXPECT_EQ(get().code, 0);
  EXPECT_EQ(hub_.requests, 0) << "it is known again without the net";
  write_file(file(), "changed");
  EXPECT_NE(get().err.find("is not what was fetched"), std::string::npos);
}

TEST_F(DataGet, GoesOnWhereTheConnectionBroke) {
  hub_.truncate_at = 50'000;
  refuses("ended with 18");
  EXPECT_EQ(std::filesystem::file_size(file().string() + ".part"), 50'000U);
  hub_.truncate_at = SIZE_MAX;
  EXPECT_EQ(get().code, 0);
  EXPECT_EQ(read_file(file()), hub_.contents);
}

TEST_F(DataGet, RefusesWrongContents) {
  hub_.contents[7] = 'S';
  refuses("what arrived is not the expected file");
  hub_.silent = true;
  refuses("does not say the size and checksum");
}

TEST_F(DataGet, SaysThatItIsOffline) {
  std::string address;
  {
    const HttpServer gone([](const HttpRequest&) { return std::string(); });
    address = gone.address();
  }
  const RunResult result = run_vkgpt({"data", "get", "tinystories", "--out", (directory_ / "data").string()},
                                     {"HF_ENDPOINT=" + address, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"});
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("is this machine online?"), std::string::npos) << result.err;
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
}

TEST(DataGetNames, AreListed) {
  const RunResult listed = run_vkgpt({"data", "get"});
  EXPECT_EQ(listed.code, 0);
  for (const char* name : {"tinyshakespeare ", "tinystories ", "fineweb-edu-sample ", "hellaswag ",
                           "arc_easy ", "arc_challenge "}) {
    EXPECT_NE(listed.out.find(name), std::string::npos) << listed.out;
  }
  const RunResult unknown = run_vkgpt({"data", "get", "shakespear"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("there is tinyshakespeare, tinystories"), std::string::npos) << unknown.err;
  EXPECT_EQ(run_vkgpt({"data"}).code, 2);
  EXPECT_EQ(run_vkgpt({"data", "put"}).code, 2);
  EXPECT_EQ(run_vkgpt({"data", "--help"}).code, 0);
}

class DataPrepare : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += "line " + std::to_string(i * i % 97) + " of the text\n";
    write_file(text_path(), text);
  }
  Path text_path() const { return directory_ / "text.txt"; }
  std::string out(const std::string& name) const { return (directory_ / name).string(); }
  RunResult prepare(const std::string& name, std::vector<std::string> more = {}) const {
    std::vector<std::string> args = {"data",        "prepare", text_path().string(), "--out", out(name),
                                     "--tokenizer", "char",    "--shard_tokens",     "20000"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }

  TempDirectory directory_;
};

TEST_F(DataPrepare, PreparesAndDescribes) {
  const RunResult made = prepare("a", {"--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  const auto record = nlohmann::json::parse(made.out);
  EXPECT_EQ(record["train"]["bytes"].get<int>() + record["val"]["bytes"].get<int>(),
            static_cast<int>(std::filesystem::file_size(text_path())));
  const RunResult again = prepare("a");
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.err.find("is complete"), std::string::npos) << again.err;

  const RunResult info = run_vkgpt({"data", "info", out("a"), "--verify"});
  ASSERT_EQ(info.code, 0) << info.err;
  EXPECT_NE(info.out.find("all checksums are right"), std::string::npos) << info.out;
  EXPECT_NE(info.out.find("line 0 of the text"), std::string::npos) << info.out;
  const std::string shard = out("a") + "/train_000001.bin";
  EXPECT_NE(
      run_vkgpt({"data", "info", shard, "--tokenizer", out("a")}).out.find("llm.c uint16, 20000 tokens"),
      std::string::npos);
  std::string bytes = read_file(shard);
  bytes[2000] ^= 1;
  write_file(shard, bytes);
  EXPECT_EQ(run_vkgpt({"data", "info", out("a")}).code, 0);
  const RunResult damaged = run_vkgpt({"data", "info", out("a"), "--verify"});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_NE(damaged.err.find("it is damaged"), std::string::npos) << damaged.err;
}

TEST_F(DataPrepare, RefusesWithOneLine) {
  const auto refuses = [&](const std::vector<std::string>& args, int code, const std::string& part) {
    const RunResult result = run_vkgpt(args);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  };
  refuses({"data", "prepare"}, 2, "no input");
  refuses({"data", "prepare", text_path().string()}, 2, "--out");
  refuses({"data", "prepare", out("none"), "--out", out("x")}, 1, "none");
  refuses({"data", "info", text_path().string()}, 1, "text, not tokens");
  refuses({"data", "info"}, 2, "expected");
  refuses({"train", "--memmap_dataset", out("none"), "--out_dir", out("x")}, 2, "--tokenizer");
  refuses({"train", "--memmap_dataset", out("none"), "--data_path", out("none")}, 2, "both");
  refuses({"train", "--data_path", directory_.path().string(), "--out_dir", out("x")}, 1,
          "without dataset.json");
}

class GpuTrainOnTokens : public DataPrepare {
 protected:
  RunResult train(const std::string& name, std::vector<std::string> more) const {
    std::vector<std::string> args = {
        "train", "--out_dir",      out(name), "--n_layer",         "1", "--n_head",        "2", "--n_embd",
        "32",    "--block_size",   "32",      "--batch_size",      "4", "--eval_iters",    "2", "--max_steps",
        "12",    "--warmup_steps", "2",       "--sample_interval", "6", "--sample_tokens", "8"};
    args.insert(args.end(), more.begin(), more.end());
    return run_vkgpt(args);
  }
  std::string weights(const std::string& name) const {
    return read_file(directory_ / name / "step-12" / "model.safetensors");
  }
};

TEST_F(GpuTrainOnTokens, PreparedDataInEveryOrder) {
  ASSERT_EQ(prepare("data").code, 0);
  std::vector<std::string> found;
  for (const std::string order : {"random", "shuffled", "sequential"}) {
    const RunResult whole = train(order, {"--data_path", out("data"), "--batch_order", order});
    ASSERT_EQ(whole.code, 0) << whole.err;
    const std::vector<std::string> half = {"--data_path", out("data"),       "--batch_order",
                                           order,         "--save_interval", "5"};
    const std::string name = order + "-cut";
    std::vector<std::string> args = {
        "train", "--out_dir",      out(name), "--n_layer",         "1", "--n_head",        "2", "--n_embd",
        "32",    "--block_size",   "32",      "--batch_size",      "4", "--eval_iters",    "2", "--max_steps",
        "12",    "--warmup_steps", "2",       "--sample_interval", "6", "--sample_tokens", "8"};
    args.insert(args.end(), half.begin(), half.end());
    args.insert(args.end(), {"--log_interval", "1"});
    run_and_signal(args, directory_ / name / "metrics.jsonl", "{\"step\":7,", SIGKILL);
    args.emplace_back("--resume");
    const RunResult resumed = run_vkgpt(args);
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_TRUE(weights(name) == weights(order)) << order;
    found.push_back(weights(order));
  }
  EXPECT_NE(found[0], found[1]);
  EXPECT_NE(found[1], found[2]);
  const RunResult eval = run_vkgpt({"eval", "--model", out("random"), "--data_path", out("data"), "--json"});
  ASSERT_EQ(eval.code, 0) << eval.err;
  const auto record = nlohmann::json::parse(eval.out);
  EXPECT_EQ(record["bytes"], record["tokens"]) << "a token is a byte here";

  // The same tokens as other programs' shards, and data of another vocabulary.
  const RunResult mapped = train("mapped", {"--memmap_dataset", out("data"), "--tokenizer", out("data")});
  ASSERT_EQ(mapped.code, 0) << mapped.err;
  EXPECT_TRUE(weights("mapped") == weights("random"));
  write_file(text_path(), read_file(text_path()) + "ABC");
  ASSERT_EQ(prepare("other").code, 0);
  const RunResult refused = train("random", {"--data_path", out("other"), "--resume"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("made with another tokenizer"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace vkgpt::cli

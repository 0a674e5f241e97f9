#include <string>

#include <gtest/gtest.h>

#include "vkgpt/core/error.hpp"
#include "vkgpt/core/file.hpp"
#include "vkgpt/text/chat/chat_format.hpp"

#include "support/paths.hpp"
#include "text/chat/evaluator.hpp"
#include "text/chat/request_values.hpp"

namespace vkgpt::text {
namespace {

std::string render(const std::string& source, const ChatJson& conversation, const ChatJson& named) {
  const jinja::Template parsed = jinja::parse_template(source, "the template");
  jinja::Evaluator evaluator(parsed, {}, 0);
  for (const auto& [name, token] : named.items())
    evaluator.define(name, jinja::request_value(token, evaluator.heap()));
  for (const auto& [name, value] : conversation.items()) {
    if (name == "variables") continue;
    evaluator.define(name, jinja::request_value(value, evaluator.heap()));
  }
  for (const auto& [name, value] : conversation["variables"].items()) {
    evaluator.define(name, jinja::request_value(value, evaluator.heap()));
  }
  evaluator.define("add_generation_prompt", true);
  return std::string(evaluator.run().bytes);
}

/// What Jinja 2 made of small templates that use what real ones do (tools/interop/chat_templates.py).
TEST(ChatTemplateGolden, WritesWhatJinjaWrites) {
  const ChatJson golden =
      parse_chat_json(read_file(test::source_dir() / "tests/golden/chat_templates.json"), "golden");
  int compared = 0;
  for (const ChatJson& one : golden["cases"]) {
    const auto source = one["template"].get<std::string>();
    SCOPED_TRACE(source);
    if (one.contains("fails")) {
      EXPECT_THROW(render(source, golden["conversation"], golden["named"]), Error);
      continue;
    }
    // Jinja has marks where the assistant speaks; here they are told apart from the text.
    std::string wanted;
    const auto text = one["text"].get<std::string>();
    for (std::size_t at = 0; at < text.size();) {
      const bool mark = text.compare(at, 3, "\ue000") == 0 || text.compare(at, 3, "\ue001") == 0;
      if (!mark) wanted += text[at];
      at += mark ? 3 : 1;
    }
    try {
      EXPECT_EQ(render(source, golden["conversation"], golden["named"]), wanted);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
    ++compared;
  }
  EXPECT_GT(compared, 60);
}

}  // namespace
}  // namespace vkgpt::text

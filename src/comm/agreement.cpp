#include "vkgpt/comm/agreement.hpp"

#include <algorithm>
#include <string_view>

#include "vkgpt/comm/collectives.hpp"
#include "vkgpt/core/check.hpp"
#include "vkgpt/core/error.hpp"
#include "vkgpt/core/format.hpp"
#include "vkgpt/core/utf8.hpp"

namespace vkgpt::comm {
namespace {

constexpr std::size_t kShown = 100;

/// The first line is the exit code; no text means that all went well.
std::string verdict_of(Communicator& ranks, const std::function<void()>& work) {
  try {
    work();
    return {};
  } catch (const Error& error) {
    const std::string prefix = ranks.rank() == 0 ? "" : rank_prefix(ranks.rank(), ranks.host());
    return vkgpt::format("{}\n{}{}", static_cast<int>(error.exit_code()), prefix, error.what());
  }
}

}  // namespace

std::string rank_prefix(int rank, const std::string& host) {
  return vkgpt::format("[rank {} {}] ", rank, host);
}

void together(Communicator& ranks, const std::string& what, const std::function<void()>& work) {
  const std::vector<std::string> verdicts =
      all_gather_text(ranks, verdict_of(ranks, work), what, Patience::kLong);
  for (const std::string& verdict : verdicts) {
    if (verdict.empty()) continue;
    const std::size_t line = verdict.find('\n');
    VKGPT_CHECK(line != std::string::npos, "{}", verdict);
    const auto code = static_cast<ExitCode>(std::stoi(verdict.substr(0, line)));
    ranks.close();
    // A launcher ends all ranks when one fails: only the one that has something to say does.
    if (ranks.rank() == 0) throw Error(verdict.substr(line + 1), code);
    throw Error(std::string(), ExitCode::kSuccess);
  }
}

void agree(Communicator& ranks, const std::vector<Agreement>& values) {
  std::string own;
  for (const Agreement& one : values) own.append(one.value).push_back('\0');
  const std::string first = all_gather_text(ranks, own, "agreement")[0];
  together(ranks, "agreement", [&] {
    std::string_view rest = first;
    for (const Agreement& one : values) {
      const std::string_view theirs = rest.substr(0, rest.find('\0'));
      if (one.value != theirs) {
        fail_usage("it has another {} than rank 0: {} instead of {}", one.name, printable(one.value, kShown),
                   printable(theirs, kShown));
      }
      rest.remove_prefix(std::min(rest.size(), theirs.size() + 1));
    }
  });
}

}  // namespace vkgpt::comm

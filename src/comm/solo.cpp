#include "vkgpt/comm/communicator.hpp"
#include "vkgpt/core/check.hpp"

namespace vkgpt::comm {
namespace {

class Solo : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  const std::string& host() const override { return host_; }
  Ticket post(std::vector<Message> messages, std::string what) override {
    VKGPT_CHECK(messages.empty(), "{}: {} messages with one rank", what, messages.size());
    return 0;
  }
  void wait(Ticket, Patience) override {}
  void close() override {}
  double processor_seconds() const override { return 0; }

 private:
  std::string host_ = "this machine";
};

}  // namespace

std::unique_ptr<Communicator> make_solo() {
  return std::make_unique<Solo>();
}

}  // namespace vkgpt::comm

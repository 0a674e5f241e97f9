#pragma once

#include <string_view>

#include "text/chat/heap.hpp"

namespace vkgpt::text::jinja {

/// What filters, tests and methods need of whoever runs a template.
class Runtime {
 public:
  explicit Runtime(const Limits& limits) : heap_(limits) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  virtual ~Runtime() = default;

  Heap& heap() { return heap_; }

  virtual Value call(const Value& function, const Arguments& arguments) = 0;
  /// By name; fails where there is none.
  virtual Value filter(std::string_view name, const Value& input, const Arguments& arguments) = 0;
  virtual bool test(std::string_view name, const Value& input, const Arguments& arguments) = 0;

 private:
  Heap heap_;
};

}  // namespace vkgpt::text::jinja

#include <cstdio>

int main() {
  std::puts("vkgpt");
  return 0;
}

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vkgpt {

/// Fractional parts of the cube roots of the first 64 primes.
extern const std::array<std::uint32_t, 64> kSha256Round;

/// Folds `count` blocks of 64 bytes into the state of SHA-256.
using Sha256Blocks = void (*)(std::uint32_t* state, const std::byte* data, std::size_t count);

/// The same everywhere.
void sha256_blocks_portable(std::uint32_t* state, const std::byte* data, std::size_t count);

/// By x86's SHA instructions (about seven times as fast), or null where this processor has none.
Sha256Blocks sha256_blocks_x86();

}  // namespace vkgpt

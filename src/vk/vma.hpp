#pragma once

// VulkanMemoryAllocator with the configuration that all of vkgpt shares: it loads its functions through the
// two entry points that Device hands over.

#include <volk.h>

#define VMA_STATIC_VULKAN_FUNCTIONS 0
#define VMA_DYNAMIC_VULKAN_FUNCTIONS 1

// The header is not written for our warning level.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#include <vk_mem_alloc.h>
#pragma GCC diagnostic pop

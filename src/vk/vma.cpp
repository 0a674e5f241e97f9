#define VMA_IMPLEMENTATION
#include "vk/vma.hpp"

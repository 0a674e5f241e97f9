#define VMA_IMPLEMENTATION
#include "vma.hpp"

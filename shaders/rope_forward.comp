#version 460
#extension GL_GOOGLE_include_directive : require

// Rotates every pair of the q and k heads by its position's angle.
#define DIRECTION 1
#include "rope.glsl"

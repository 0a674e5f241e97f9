#version 460
#extension GL_GOOGLE_include_directive : require

// Rotates the gradient of every pair of the q and k heads back by its position's angle.
#define DIRECTION -1
#include "rope.glsl"

#version 460
#extension GL_GOOGLE_include_directive : require

// Turns the gradient of every pair of the q and k heads back.
#define DIRECTION -1
#include "rope.glsl"

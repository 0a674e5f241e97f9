// gate(x), and {gate(x), its derivative}; the host sets GATE (ops/activation.hpp): 0 SiLU, 1 GELU in the tanh form.
#if GATE == 0
#include "silu.glsl"
float gate(float x) { return silu(x); }
vec2 gate_with_grad(float x) { return silu_with_grad(x); }
#else
#include "gelu.glsl"
float gate(float x) { return gelu(x); }
vec2 gate_with_grad(float x) { return vec2(gelu(x), gelu_grad(x)); }
#endif

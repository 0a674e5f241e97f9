// activate(x) and its derivative activate_grad(x); the host sets ACTIVATION (ops/activation.hpp): 0 GELU in the
// tanh form, 1 GELU in the erf form, 2 ReLU^2 (So et al., arXiv:2109.08668).
#if ACTIVATION == 0
#include "gelu.glsl"
float activate(float x) { return gelu(x); }
float activate_grad(float x) { return gelu_grad(x); }
#elif ACTIVATION == 1
#include "gelu_erf.glsl"
float activate(float x) { return gelu_erf(x); }
float activate_grad(float x) { return gelu_erf_grad(x); }
#else
float positive_part(float x) { return x < 0.0 ? 0.0 : x; }  // unlike max, it lets a NaN through
float activate(float x) { return positive_part(x) * positive_part(x); }
float activate_grad(float x) { return 2.0 * positive_part(x); }
#endif

// GELU in its exact form, gelu(x) = x Phi(x) with Phi(x) = 0.5 (1 + erf(x / sqrt(2))). GLSL has no erf. Here
// Phi(-z) = exp(-z^2/2) q(z) for z = |x|, where q(z) (z + 3.75) is a polynomial of degree 8 in
// s = (z - 3.75) / (z + 3.75), fitted on 0 <= z <= 14 for the least relative error of q: 1.5e-8 in exact
// arithmetic, 3e-7 in fp32; Phi is wrong by at most 1.6e-7. Beyond 13 Phi(-z) is 0 in fp32.

struct NormalCdf {
  float cdf;      // Phi(x)
  float density;  // its derivative
};

NormalCdf normal_cdf(float x) {
  const float z = min(abs(x), 13.0);
  const float r = 1.0 / (z + 3.75);
  const float s = (z - 3.75) * r;
  float q = 0.00044344997;
  q = q * s + 0.0005096292;
  q = q * s - 0.0041690175;
  q = q * s + 0.0012000735;
  q = q * s + 0.037492506;
  q = q * s - 0.15152083;
  q = q * s + 0.3529396;
  q = q * s - 0.5881883;
  q = q * s + 0.7502941;
  const float e = exp(-0.5 * z * z);
  const float tail = e * q * r;
  return NormalCdf(x < 0.0 ? tail : 1.0 - tail, e * 0.3989422804014327);
}

float gelu_erf(float x) { return x * normal_cdf(x).cdf; }

// d gelu_erf(x) / dx = Phi(x) + x Phi'(x); beyond |x| = 13 the density is 0 in fp32 and x may overflow it.
float gelu_erf_grad(float x) {
  const NormalCdf n = normal_cdf(x);
  return n.cdf + clamp(x, -13.0, 13.0) * n.density;
}

// SiLU, silu(x) = x sigmoid(x) (Elfwing et al., arXiv:1702.03118), with e = exp(-|x|), which neither overflows
// nor cancels.

float silu(float x) {
  const float e = exp(-abs(x));
  return x * (x < 0.0 ? e : 1.0) / (1.0 + e);
}

// {silu(x), its derivative sigmoid(x) (1 + x (1 - sigmoid(x)))}.
vec2 silu_with_grad(float x) {
  const float e = exp(-abs(x));
  const float r = 1.0 / (1.0 + e);
  const float sigmoid = (x < 0.0 ? e : 1.0) * r;
  const float rest = (x < 0.0 ? 1.0 : e) * r;  // 1 - sigmoid
  return vec2(x * sigmoid, sigmoid * (1.0 + x * rest));
}

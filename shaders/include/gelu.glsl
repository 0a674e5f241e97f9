// GELU in the tanh form of GPT-2, gelu(x) = 0.5 x (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3)
// (Hendrycks and Gimpel, arXiv:1606.08415). Since 0.5 (1 + tanh(u)) = sigmoid(2u), both functions use
// e = exp(-|2u|), which neither overflows nor cancels. Beyond |x| = 12 the sigmoid is 0 or 1 in fp32, so x is
// clamped where it would be cubed.

const float kGeluA = 1.5957691216057308;   // 2 sqrt(2/pi)
const float kGeluB = 0.07135481627260025;  // 2 sqrt(2/pi) 0.044715

float gelu(float x) {
  const float t = clamp(x, -12.0, 12.0);
  const float e = exp(-abs(t * (kGeluA + kGeluB * t * t)));
  return x * (t < 0.0 ? e : 1.0) / (1.0 + e);
}

// d gelu(x) / dx.
float gelu_grad(float x) {
  const float t = clamp(x, -12.0, 12.0);
  const float e = exp(-abs(t * (kGeluA + kGeluB * t * t)));
  const float r = 1.0 / (1.0 + e);
  const float slope = t * (kGeluA + 3.0 * kGeluB * t * t);  // x * d(2u)/dx
  return (t < 0.0 ? e : 1.0) * r + slope * e * r * r;
}

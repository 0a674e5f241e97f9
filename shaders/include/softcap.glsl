// Soft cap of logits, cap * tanh(x / cap) (Gemma 2, arXiv:2408.00118). tanh is written out: a driver's may overflow.

// tanh(x), to about 1e-7 relative; by its series near 0, where the other form cancels.
float accurate_tanh(float x) {
  const float a = abs(x);
  const float e = exp(-2.0 * a);
  const float s = x * x;
  const float series =
      a * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
  const float t = a < 0.25 ? series : (1.0 - e) / (1.0 + e);
  return x < 0.0 ? -t : t;
}

float softcap(float x, float cap) { return cap * accurate_tanh(x / cap); }

// d softcap(x) / dx = 1 - tanh(x / cap)^2, which does not cancel in this form.
float softcap_grad(float x, float cap) {
  const float e = exp(-2.0 * abs(x / cap));
  return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

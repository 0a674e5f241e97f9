#version 460

// Writes a step's results for the host: {mean loss, gradient norm, clip scale, 1 if the update was
// skipped, loss scale, rows that counted, positions / rows that counted, 0}; without NORM the second to fourth are 0, without LOSS_SCALE the fifth is 1.
// Both are the numbers of bindings. One invocation.
layout(local_size_x = 1) in;

layout(push_constant) uniform Push { float positions; };  // 0: the seventh result is 1

layout(set = 0, binding = 0, std430) readonly buffer Accumulator { uint accumulator[2]; };  // bits of the sum, count
layout(set = 0, binding = 1, std430) writeonly buffer Result { float result[8]; };
#ifdef NORM
layout(set = 0, binding = NORM, std430) readonly buffer Norm { uint norm[4]; };  // see global_norm_clip
#endif
#ifdef LOSS_SCALE
layout(set = 0, binding = LOSS_SCALE, std430) readonly buffer LossScale { uint loss_scale[]; };
#endif

void main() {
  result[0] = uintBitsToFloat(accumulator[0]) / float(max(accumulator[1], 1));
#ifdef NORM
  result[1] = uintBitsToFloat(norm[0]);
  result[2] = uintBitsToFloat(norm[1]);
  result[3] = float(norm[2]);
#else
  result[1] = 0.0;
  result[2] = 0.0;
  result[3] = 0.0;
#endif
#ifdef LOSS_SCALE
  result[4] = uintBitsToFloat(loss_scale[0]);
#else
  result[4] = 1.0;
#endif
  const float counted = float(max(accumulator[1], 1));
  result[5] = float(accumulator[1]);
  result[6] = positions > 0.0 ? positions / counted : 1.0;
  result[7] = 0.0;
}

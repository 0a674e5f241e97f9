// The members of a StepParams buffer block, in the order of ops/step_params.hpp:
//   layout(set = 0, binding = N, std430) readonly buffer Step { STEP_PARAMS_MEMBERS } step;
#define STEP_PARAMS_MEMBERS \
  uint step_index;          \
  uint micro_step;          \
  uint seed_lo;             \
  uint seed_hi;             \
  float learning_rate;      \
  float bias_correction1;   \
  float bias_correction2;   \
  uint position;            \
  uint token_count;         \
  uint dropout_step;

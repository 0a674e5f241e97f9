// What a norm multiplies by: its weight or, with ONE_PLUS (Gemma's norms), 1 + weight.
#ifdef ONE_PLUS
#define FACTOR(weight) (1.0 + (weight))
#else
#define FACTOR(weight) (weight)
#endif

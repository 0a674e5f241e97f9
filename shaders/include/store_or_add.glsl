// STORE_OR_ADD(place, sum): the last line of an op that sums into a tensor. The host sets ADDS, 0 where nothing needs what
// the tensor held (see ops::adds_to).

#if ADDS
#define STORE_OR_ADD(place, sum) place += sum
#else
#define STORE_OR_ADD(place, sum) place = sum
#endif

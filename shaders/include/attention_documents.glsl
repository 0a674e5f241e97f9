// Documents that share a sequence: attention stays inside each. The includer has defined T.
//   DOCUMENTS  defined where there are several: the binding of, for each token, its position in its document (kernels
//              that own queries) or the end of its document in the sequence (kernels that own keys)
#ifdef DOCUMENTS
layout(set = 0, binding = DOCUMENTS, std430) readonly buffer Documents { int documents[]; };  // (B, T)
// The first key that query t of sequence b may see.
uint begin_of(uint b, uint t) {
  uint query = min(t, T - 1);
  return query - min(uint(documents[b * T + query]), query);
}
// The end of the queries that may see key t of sequence b.
uint end_of(uint b, uint t) { return min(uint(documents[b * T + min(t, T - 1)]), T); }
#else
uint begin_of(uint b, uint t) { return 0; }
uint end_of(uint b, uint t) { return T; }
#endif

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

// Tiles that are whole: every owned row sees, or is seen by, every row of the tile, so that no element needs a mask. The
// others lie on the diagonal, at the edge of a window or of a document, or at the end of the sequence. whole_keys is for
// kernels whose group owns the `own` queries from `first` on, whole_queries for those that own keys.
#define IS_WHOLE(whole, at) ((at) >= (whole).x && (at) + TILE <= (whole).y)
uvec2 whole_keys(uint b, uint first, uint own) {
  uint from = begin_of(b, first + own - 1);
#if WINDOW
  from = max(from, first + own - min(first + own, window));
#endif
  return uvec2(from, first + 1);
}
uvec2 whole_queries(uint b, uint first, uint own) {
  uint to = end_of(b, first);
#if WINDOW
  to = min(to, first + window);
#endif
  return uvec2(first + own - 1, to);
}

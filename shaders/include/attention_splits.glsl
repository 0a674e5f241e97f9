// The cached positions of a row among workgroups. They lie in blocks of `keys`; the part of a block is its number
// modulo `parts`, and there are as many parts as a row can see blocks. The block of the first key that it sees also
// has the row's own token. Push constants: parts, keys.

uint first_block(uint first_key) { return first_key / keys; }

// That of the last position before `end`, or the first.
uint last_block(uint first_key, uint end) { return end > first_key ? (end - 1) / keys : first_block(first_key); }

// The block from the first one on that is `part`'s.
uint block_of(uint part, uint first_key) {
  const uint first = first_block(first_key);
  return first + (part + parts - first % parts) % parts;
}

// Loads a panel of one operand into registers and stores it to shared memory. matmul_khr.glsl includes this file once
// for A and once for B, and defines
//   PANEL_NAME(x)  the name x with the operand's prefix
//   SOURCE         the buffer's array
//   TILE, EXTENT   rows (of A) or columns (of B) in the panel, and in the whole operand
//   ROW_LENGTH     elements from row to row in memory
//   ORIGIN         first element in its buffer
//   BY_K           1: a row in memory is one k; 0: it is a row of A or a column of B
//   FIRST_THREAD   the invocation that takes the first job
//   PANEL_BLOCKS   where defined, the operand is in blocks, decoded and rounded on its way into registers
//   PANEL_FLOATS   where defined, it is f32, rounded likewise, and not BY_K
// A word is eight neighbours in memory. Where the panel is contiguous along K and memory is not, four words of
// successive k are transposed on their way.

#if BY_K && TRANSPOSES
#define TRANSPOSED 1
const uint PANEL_NAME(kJobs) = TILE * BK / 32;
#else
#define TRANSPOSED 0
const uint PANEL_NAME(kJobs) = TILE * BK / 8;
#endif
const uint PANEL_NAME(kRounds) = (PANEL_NAME(kJobs) + kThreads - 1) / kThreads;
#if BY_K && !TRANSPOSED
const uint PANEL_NAME(kRow) = TILE + kSkew;  // elements from row to row of the panel
const uint PANEL_NAME(kSize) = BK * PANEL_NAME(kRow) / kPanelElements;
#else
const uint PANEL_NAME(kRow) = BK + kSkew;
const uint PANEL_NAME(kSize) = TILE * PANEL_NAME(kRow) / kPanelElements;
#endif

// The word at `row` (of B: a column) and `k`: zeros beyond K, unspecified beyond EXTENT.
uvec4 PANEL_NAME(word)(uint row, uint k) {
#ifdef PANEL_BLOCKS
#if K_TAIL
  if (k >= K) return uvec4(0);
#endif
#if BY_K
  const uint at = k * ROW_LENGTH + min(row, EXTENT - 8);
#else
  const uint at = min(row, EXTENT - 1) * ROW_LENGTH + k;
#endif
  const vec4 low = block_four(at), high = block_four(at + 4);
  return uvec4(operand_pair(low.xy), operand_pair(low.zw), operand_pair(high.xy), operand_pair(high.zw));
#elif WIDE
#if K_TAIL
  if (k >= K) return uvec4(0);
#endif
#ifdef PANEL_FLOATS
  const uint four = (ORIGIN + min(row, EXTENT - 1) * ROW_LENGTH + k) / 4;
  const vec4 low = SOURCE[four], high = SOURCE[four + 1];
  return uvec4(operand_pair(low.xy), operand_pair(low.zw), operand_pair(high.xy), operand_pair(high.zw));
#elif BY_K
  return SOURCE[(ORIGIN + k * ROW_LENGTH + min(row, EXTENT - 8)) / 8];
#else
  return SOURCE[(ORIGIN + min(row, EXTENT - 1) * ROW_LENGTH + k) / 8];
#endif
#else
  uvec4 word = uvec4(0);
  UNROLL for (uint i = 0; i < 8; ++i) {
#if BY_K
    const uint at_row = min(row + i, EXTENT - 1), at_k = k;
    const uint at = ORIGIN + min(at_k, K - 1) * ROW_LENGTH + at_row;
#else
    const uint at_row = min(row, EXTENT - 1), at_k = k + i;
    const uint at = ORIGIN + at_row * ROW_LENGTH + min(at_k, K - 1);
#endif
#ifdef PANEL_FLOATS
    const uint bits = operand_pair(vec2(SOURCE[at], 0));
#else
    const uint bits = uint(SOURCE[at]);
#endif
    if (at_k < K) word[i / 2] |= bits << (i % 2 * 16);
  }
  return word;
#endif
}

// The row and the first k of the words of job `job`.
uvec2 PANEL_NAME(place)(uint job) {
#if TRANSPOSED
  return uvec2(job % (TILE / 8) * 8, job / (TILE / 8) * 4);
#elif BY_K
  return uvec2(job % (TILE / 8) * 8, job / (TILE / 8));
#else
  return uvec2(job / (BK / 8), job % (BK / 8) * 8);
#endif
}

#if TRANSPOSED
#define PANEL_WORDS 4
#else
#define PANEL_WORDS 1
#endif
uvec4 PANEL_NAME(words)[PANEL_NAME(kRounds) * PANEL_WORDS];

void PANEL_NAME(load)(uint first, uint k) {
  UNROLL for (uint round = 0; round < PANEL_NAME(kRounds); ++round) {
    const uint job = round * kThreads + (gl_LocalInvocationIndex + FIRST_THREAD) % kThreads;
    if (PANEL_NAME(kJobs) % kThreads == 0 || job < PANEL_NAME(kJobs)) {
      const uvec2 place = PANEL_NAME(place)(job);
      UNROLL for (uint i = 0; i < PANEL_WORDS; ++i) {
        PANEL_NAME(words)[round * PANEL_WORDS + i] = PANEL_NAME(word)(first + place.x, k + place.y + i);
      }
    }
  }
}

void PANEL_NAME(store)(uint base) {
  UNROLL for (uint round = 0; round < PANEL_NAME(kRounds); ++round) {
    const uint job = round * kThreads + (gl_LocalInvocationIndex + FIRST_THREAD) % kThreads;
    if (PANEL_NAME(kJobs) % kThreads == 0 || job < PANEL_NAME(kJobs)) {
      const uvec2 place = PANEL_NAME(place)(job);
#if TRANSPOSED
      UNROLL for (uint i = 0; i < 8; ++i) {
        const uint low = i % 2 == 0 ? 0 : 16;
        const uvec4 column =
            uvec4(PANEL_NAME(words)[4 * round][i / 2], PANEL_NAME(words)[4 * round + 1][i / 2],
                  PANEL_NAME(words)[4 * round + 2][i / 2], PANEL_NAME(words)[4 * round + 3][i / 2]) >>
            low;
        panels[base + ((place.x + i) * PANEL_NAME(kRow) + place.y) / kPanelElements] =
            (column.xz & 0xffffu) | column.yw << 16;
      }
#else
#if BY_K
      const uint at = base + (place.y * PANEL_NAME(kRow) + place.x) / kPanelElements;
#else
      const uint at = base + (place.x * PANEL_NAME(kRow) + place.y) / kPanelElements;
#endif
      PUT_WORD(at, PANEL_NAME(words)[round])
#endif
    }
  }
}

#undef TRANSPOSED
#undef PANEL_WORDS

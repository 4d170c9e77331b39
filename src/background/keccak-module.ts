/**
 * Keccak-f[1600] as a WebAssembly module: what a sponge of 136 bytes does with its input, block by block.
 *
 * Source: https://keccak.team/files/Keccak-reference-3.0.pdf (the permutation), and
 * https://keccak.team/files/Keccak-implementation-3.2.pdf §2.2 (lane complementing)
 */
import type { Bytes } from "../common/bytes.ts";
import {
  ADD_I32,
  AND,
  type Code,
  get,
  I32,
  I64,
  i32,
  i64,
  type Local,
  load,
  OR,
  ROTATE_LEFT,
  repeatUntil,
  sequence,
  set,
  store,
  wasmModule,
  XOR,
} from "../common/wasm.ts";

/** Bytes of a block. */
export const RATE = 136;
/** Where things stand in the memory: the state of 25 words, the round constants, the blocks. */
export const STATE_AT = 0;
export const STATE_BYTES = 200;
export const CONSTANTS_AT = 256;
export const INPUT_AT = 512;

const ROUNDS = 24;
const WORD_BYTES = 8;
const LANES = Array.from({ length: 25 }, (_, lane) => lane);
const FIVE: readonly number[] = [0, 1, 2, 3, 4];
const laneOf = (x: number, y: number): number => (x % 5) + 5 * (y % 5);

/** ρ and π: where each lane of the result comes from. */
const SOURCES = sources();
/**
 * Lanes whose complement is kept between rounds. With them χ needs one NOT for a row, where it has five: WebAssembly has
 * no instruction for it, and processors spend one on it.
 */
const COMPLEMENTED: ReadonlySet<number> = new Set([1, 2, 8, 12, 17, 20]);
const NOT: Code = [...i64(-1n), ...XOR];

// The function's local variables.
const END: Local = 0;
const INPUT: Local = 1;
const CONSTANT: Local = 2;
const EVEN: Local = 3;
const ODD: Local = EVEN + LANES.length;
const ROW: Local = ODD + LANES.length;
const EFFECT: Local = ROW + FIVE.length;
const WORDS = EFFECT + FIVE.length - EVEN;

/** Its function takes the address at which the blocks end; there must be one. The state is changed by each in turn. */
export function keccakModule(): Bytes {
  const flipped = (lane: number): Code => (COMPLEMENTED.has(lane) ? NOT : []);
  const eachLane = (code: (lane: number) => Code, lanes = LANES): Code => lanes.flatMap(code);
  return wasmModule({
    parameters: [I32],
    locals: [I32, I32, ...Array<typeof I64>(WORDS).fill(I64)],
    body: sequence(
      eachLane((lane) => sequence(i32(STATE_AT), load(lane * WORD_BYTES), flipped(lane), set(EVEN + lane))),
      sequence(i32(INPUT_AT), set(INPUT)),
      repeatUntil(
        INPUT,
        get(END),
        sequence(
          eachLane(
            (lane) => sequence(get(EVEN + lane), get(INPUT), load(lane * WORD_BYTES), XOR, set(EVEN + lane)),
            LANES.slice(0, RATE / WORD_BYTES),
          ),
          sequence(i32(CONSTANTS_AT), set(CONSTANT)),
          repeatUntil(CONSTANT, i32(CONSTANTS_AT + ROUNDS * WORD_BYTES), sequence(round(EVEN, ODD), round(ODD, EVEN))),
          advance(INPUT, RATE),
        ),
      ),
      eachLane((lane) => sequence(i32(STATE_AT), get(EVEN + lane), flipped(lane), store(lane * WORD_BYTES))),
    ),
  });
}

/** What stands at `CONSTANTS_AT`. */
export function roundConstants(): Bytes {
  const bytes = new Uint8Array(ROUNDS * WORD_BYTES);
  const view = new DataView(bytes.buffer);
  let register = 1;
  for (let round = 0; round < ROUNDS; round++) {
    let constant = 0n;
    for (let j = 0; j < 7; j++) {
      if (register & 1) constant |= 1n << BigInt(2 ** j - 1);
      register <<= 1;
      if (register & 0x100) register ^= 0x171;
    }
    view.setBigUint64(round * WORD_BYTES, constant, true);
  }
  return bytes;
}

/** One round, from the lanes at one place to those at another. */
function round(from: Local, to: Local): Code {
  const inColumn = (x: number) => (y: number) => get(from + laneOf(x, y));
  const column = (x: number): Code => [...inColumn(x)(0), ...[1, 2, 3, 4].flatMap((y) => [...inColumn(x)(y), ...XOR])];
  return sequence(
    FIVE.flatMap((x) => sequence(column(x), set(ROW + x))),
    FIVE.flatMap((x) => sequence(get(ROW + ((x + 4) % 5)), get(ROW + ((x + 1) % 5)), rotated(1), XOR, set(EFFECT + x))),
    FIVE.flatMap((y) => sequence(moveRow(from, y), ...FIVE.map((x) => chi(to, x, y)))),
    advance(CONSTANT, WORD_BYTES),
  );
}

/** θ's effect, ρ and π: into ROW what will be a row. */
function moveRow(from: Local, y: number): Code {
  return FIVE.flatMap((x) => {
    const { lane, bits } = sourceOf(laneOf(x, y));
    return sequence(get(from + lane), get(EFFECT + (lane % 5)), XOR, rotated(bits), set(ROW + x));
  });
}

/**
 * χ, and ι in its place: a ← a ⊕ (¬b ∧ c). Each of the three may be there as its complement, and the result may have to
 * be one; what of that does not cancel takes a NOT.
 */
function chi(to: Local, x: number, y: number): Code {
  const lane = laneOf(x, y);
  const [b, c] = [(x + 1) % 5, (x + 2) % 5];
  const isB = arrivesComplemented(laneOf(b, y));
  const isC = arrivesComplemented(laneOf(c, y));
  const wantsFlip = arrivesComplemented(lane) !== COMPLEMENTED.has(lane);
  // As it stands, or by De Morgan its complement b ∨ ¬c: whichever takes fewer.
  const asItStands = isB === isC ? !wantsFlip : isB;
  const operand = (column: number, flip: boolean): Code => sequence(get(ROW + column), flip ? NOT : []);
  return sequence(
    operand(x, wantsFlip === asItStands),
    operand(b, isB !== asItStands),
    operand(c, isC === asItStands),
    asItStands ? AND : OR,
    XOR,
    lane === 0 ? sequence(get(CONSTANT), load(0), XOR) : [],
    set(to + lane),
  );
}

/** Whether a lane is there as its complement after θ, ρ and π. */
function arrivesComplemented(lane: number): boolean {
  const { lane: from } = sourceOf(lane);
  const parity = (x: number): boolean => FIVE.filter((y) => COMPLEMENTED.has(laneOf(x, y))).length % 2 === 1;
  return COMPLEMENTED.has(from) !== (parity(from + 4) !== parity(from + 1));
}

interface Source {
  readonly lane: number;
  /** By which it is rotated on its way. */
  readonly bits: number;
}

function sourceOf(lane: number): Source {
  return SOURCES.get(lane) ?? { lane, bits: 0 };
}

/** ρ and π walk through all lanes but the first. */
function sources(): ReadonlyMap<number, Source> {
  const found = new Map<number, Source>();
  let [x, y] = [1, 0];
  for (let step = 1; step < LANES.length; step++) {
    const next = (2 * x + 3 * y) % 5;
    found.set(laneOf(y, next), { lane: laneOf(x, y), bits: ((step * (step + 1)) / 2) % 64 });
    [x, y] = [y, next];
  }
  return found;
}

function rotated(bits: number): Code {
  return bits === 0 ? [] : sequence(i64(BigInt(bits)), ROTATE_LEFT);
}

function advance(local: Local, bytes: number): Code {
  return sequence(get(local), i32(bytes), ADD_I32, set(local));
}

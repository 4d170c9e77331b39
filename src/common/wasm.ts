/**
 * As much of the WebAssembly binary format as a function needs that runs on a memory of its caller's: for inner loops on
 * words of 64 bits, which JavaScript does not have.
 *
 * Source: https://webassembly.github.io/spec/core/binary/
 */
import { type Bytes, utf8 } from "./bytes.ts";

/** A part of a module: instructions, or what stands around them. */
export type Code = readonly number[];
/** A local variable of a function by its number; the parameters are the first. */
export type Local = number;

export const I32 = 0x7f;
export const I64 = 0x7e;
export type ValueType = typeof I32 | typeof I64;

const NO_VALUE = 0x40;
const FUNCTION = 0x60;
const MAGIC_AND_VERSION: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** Instructions on the stack; what takes operands finds them there. */
export const get = (local: Local): Code => [0x20, ...unsigned(local)];
export const set = (local: Local): Code => [0x21, ...unsigned(local)];
export const i32 = (value: number): Code => [0x41, ...signed(BigInt(value))];
export const i64 = (value: bigint): Code => [0x42, ...signed(value)];
export const ADD_I32: Code = [0x6a];
export const AND: Code = [0x83];
export const OR: Code = [0x84];
export const XOR: Code = [0x85];
export const ROTATE_LEFT: Code = [0x89];
/** A word of 64 bits at the address on the stack plus `offset`, aligned or not. */
export const load = (offset: number): Code => [0x29, 0, ...unsigned(offset)];
export const store = (offset: number): Code => [0x37, 0, ...unsigned(offset)];

/** One after the other. */
export const sequence = (...parts: readonly Code[]): Code => parts.flat();

/** Does `body` once, and again as long as `local` is below `end` then, both without sign. */
export function repeatUntil(local: Local, end: Code, body: Code): Code {
  return [0x03, NO_VALUE, ...body, ...get(local), ...end, 0x49, 0x0d, 0, 0x0b];
}

export interface WasmFunction {
  readonly parameters: readonly ValueType[];
  /** The other local variables; they begin as 0. */
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

/** A module that imports `env.memory`, of one page at least, and exports the function, which returns nothing, as `run`. */
export function wasmModule({ parameters, locals, body }: WasmFunction): Bytes {
  const groups = locals.map((type) => [1, type]);
  const code = [...vector(groups), ...body, 0x0b];
  return new Uint8Array([
    ...MAGIC_AND_VERSION,
    ...section(1, [[FUNCTION, ...vector(parameters.map((type) => [type])), 0]]),
    ...section(2, [[...name("env"), ...name("memory"), 0x02, 0, 1]]),
    ...section(3, [[0]]),
    ...section(7, [[...name("run"), 0, 0]]),
    ...section(10, [[...unsigned(code.length), ...code]]),
  ]);
}

function section(id: number, entries: readonly Code[]): Code {
  const body = vector(entries);
  return [id, ...unsigned(body.length), ...body];
}

function vector(entries: readonly Code[]): Code {
  return [...unsigned(entries.length), ...entries.flat()];
}

function name(text: string): Code {
  const bytes = utf8(text);
  return [...unsigned(bytes.length), ...bytes];
}

/** LEB128: seven bits a byte, the lowest first. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

/** The same of a two's complement: the highest bit of the last seven is the sign. */
function signed(value: bigint): Code {
  const bytes: number[] = [];
  let rest = BigInt.asIntN(64, value);
  for (; rest < -0x40n || rest >= 0x40n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest & 0x7fn)];
}

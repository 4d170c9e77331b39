/**
 * FarmHash64 (the `na` variant), as Nim's `hash(string)` computes it: what nim-sds derives its filter positions and its
 * repair timings from.
 *
 * 64-bit words live as two 32-bit limbs in one register file, since numbers of that size would otherwise be boxed: an
 * identifier of 64 bytes is hashed for every message, and a bigint would cost twenty times as much.
 *
 * Source: https://github.com/google/farmhash
 */

/** Register `n` holds its low limb at `n` and its high limb at `n + 1`. */
const registers = new Uint32Array(48);

// Working registers. The constants follow, written once.
const A = 0;
const B = 2;
const C = 4;
const D = 6;
const E = 8;
const F = 10;
const G = 12;
const H = 14;
const X = 16;
const Y = 18;
const Z = 20;
const V0 = 22;
const V1 = 24;
const W0 = 26;
const W1 = 28;
const MUL = 30;
const T = 32;
const U = 34;
const K0 = 36;
const K1 = 38;
const K2 = 40;
const NINE = 42;

set(K0, 0xc3a5c85c, 0x97cb3127);
set(K1, 0xb492b66f, 0xbe98f273);
set(K2, 0x9ae16a3b, 0x2f90404f);
set(NINE, 0, 9);

export interface Hash64 {
  /** Unsigned upper and lower 32 bits. */
  readonly high: number;
  readonly low: number;
}

/** FarmHash64 of `bytes`. */
export function farmHash64(bytes: Uint8Array): Hash64 {
  const length = bytes.length;
  if (length <= 16) hashUpTo16(bytes, length);
  else if (length <= 32) hash17To32(bytes, length);
  else if (length <= 64) hash33To64(bytes, length);
  else hashLong(bytes, length);
  return { high: limb(A + 1), low: limb(A) };
}

function hashUpTo16(s: Uint8Array, length: number): void {
  if (length >= 8) {
    lengthMultiplier(length);
    fetch(A, s, 0);
    add(A, A, K2);
    fetch(B, s, length - 8);
    rotate(C, B, 37);
    multiply(C, C, MUL);
    add(C, C, A);
    rotate(D, A, 25);
    add(D, D, B);
    multiply(D, D, MUL);
    hash16(A, C, D, MUL);
  } else if (length >= 4) {
    lengthMultiplier(length);
    const first = fetch32(s, 0);
    set(A, first >>> 29, first << 3);
    addNumber(A, length);
    set(B, 0, fetch32(s, length - 4));
    hash16(A, A, B, MUL);
  } else if (length > 0) {
    set(A, 0, byte(s, 0) + byte(s, length >> 1) * 256);
    set(B, 0, length + byte(s, length - 1) * 4);
    multiply(A, A, K2);
    multiply(B, B, K0);
    xor(A, A, B);
    shiftMix(A, A);
    multiply(A, A, K2);
  } else {
    copy(A, K2);
  }
}

function hash17To32(s: Uint8Array, length: number): void {
  lengthMultiplier(length);
  fetch(A, s, 0);
  multiply(A, A, K1);
  fetch(B, s, 8);
  fetch(C, s, length - 8);
  multiply(C, C, MUL);
  fetch(D, s, length - 16);
  multiply(D, D, K2);
  mixFour(A, B, C, D, B, K2);
  hash16(A, X, Y, MUL);
}

function hash33To64(s: Uint8Array, length: number): void {
  lengthMultiplier(length);
  fetch(A, s, 0);
  multiply(A, A, K2);
  fetch(B, s, 8);
  fetch(C, s, length - 8);
  multiply(C, C, MUL);
  fetch(D, s, length - 16);
  multiply(D, D, K2);
  mixFour(A, B, C, D, B, K2);
  hash16(Z, X, Y, MUL);
  fetch(E, s, 16);
  multiply(E, E, MUL);
  fetch(F, s, 24);
  fetch(G, s, length - 32);
  add(G, G, X);
  multiply(G, G, MUL);
  fetch(H, s, length - 24);
  add(H, H, Z);
  multiply(H, H, MUL);
  mixFour(E, F, G, H, F, A);
  hash16(A, X, Y, MUL);
}

function hashLong(s: Uint8Array, length: number): void {
  const seed = 81;
  set(X, 0, seed);
  multiply(Y, X, K1);
  addNumber(Y, 113);
  multiply(Z, Y, K2);
  addNumber(Z, 113);
  shiftMix(Z, Z);
  multiply(Z, Z, K2);
  for (const register of [V0, V1, W0, W1]) set(register, 0, 0);
  multiply(X, X, K2);
  fetch(A, s, 0);
  add(X, X, A);
  const end = Math.floor((length - 1) / 64) * 64;
  for (let at = 0; at < end; at += 64) {
    longRound(s, at, K1);
    // The tail of a round differs from the last one in two additions only, so both share what follows them.
    xor(X, X, W1);
    fetch(T, s, at + 40);
    add(Y, Y, V0);
    add(Y, Y, T);
    longRoundEnd(s, at, K1);
  }
  set(MUL, limb(K1 + 1), limb(K1));
  addNumber(MUL, (limb(Z) & 0xff) << 1);
  const last = end + ((length - 1) & 63) - 63;
  addNumber(W0, (length - 1) & 63);
  add(V0, V0, W0);
  add(W0, W0, V0);
  longRound(s, last, MUL);
  multiply(T, W1, NINE);
  xor(X, X, T);
  multiply(T, V0, NINE);
  add(Y, Y, T);
  fetch(T, s, last + 40);
  add(Y, Y, T);
  longRoundEnd(s, last, MUL);
  hash16(A, V0, W0, MUL);
  shiftMix(Y, Y);
  multiply(Y, Y, K0);
  add(A, A, Y);
  add(A, A, Z);
  hash16(B, V1, W1, MUL);
  add(B, B, X);
  hash16(A, A, B, MUL);
}

function longRound(s: Uint8Array, at: number, multiplier: number): void {
  fetch(T, s, at + 8);
  add(X, X, Y);
  add(X, X, V0);
  add(X, X, T);
  rotate(X, X, 37);
  multiply(X, X, multiplier);
  fetch(T, s, at + 48);
  add(Y, Y, V1);
  add(Y, Y, T);
  rotate(Y, Y, 42);
  multiply(Y, Y, multiplier);
}

function longRoundEnd(s: Uint8Array, at: number, multiplier: number): void {
  add(Z, Z, W0);
  rotate(Z, Z, 33);
  multiply(Z, Z, multiplier);
  multiply(V0, V1, multiplier);
  add(V1, X, W0);
  weakHash32(V0, V1, s, at);
  add(W0, Z, W1);
  fetch(W1, s, at + 16);
  add(W1, W1, Y);
  weakHash32(W0, W1, s, at + 32);
  copy(T, Z);
  copy(Z, X);
  copy(X, T);
}

/** (first, second) ← 32 bytes of `s` mixed with the seeds that they hold. */
function weakHash32(first: number, second: number, s: Uint8Array, at: number): void {
  fetch(T, s, at);
  add(first, first, T);
  fetch(U, s, at + 24);
  add(second, second, first);
  add(second, second, U);
  rotate(second, second, 21);
  copy(C, first);
  fetch(T, s, at + 8);
  add(first, first, T);
  fetch(T, s, at + 16);
  add(first, first, T);
  rotate(T, first, 44);
  add(second, second, T);
  add(first, first, U);
  add(second, second, C);
}

/** X ← rot(a + b, 43) + rot(c, 30) + d;  Y ← a + rot(e + f, 18) + c. */
function mixFour(a: number, b: number, c: number, d: number, e: number, f: number): void {
  add(X, a, b);
  rotate(X, X, 43);
  rotate(T, c, 30);
  add(X, X, T);
  add(X, X, d);
  add(Y, e, f);
  rotate(Y, Y, 18);
  add(Y, Y, a);
  add(Y, Y, c);
}

/** `to` ← the Murmur-like mix of two words. */
function hash16(to: number, u: number, v: number, multiplier: number): void {
  copy(U, v);
  xor(T, u, v);
  multiply(T, T, multiplier);
  shiftMix(T, T);
  xor(U, U, T);
  multiply(U, U, multiplier);
  shiftMix(U, U);
  multiply(to, U, multiplier);
}

function lengthMultiplier(length: number): void {
  copy(MUL, K2);
  addNumber(MUL, length * 2);
}

function limb(index: number): number {
  return registers[index] ?? 0;
}

function byte(s: Uint8Array, at: number): number {
  return s[at] ?? 0;
}

function fetch32(s: Uint8Array, at: number): number {
  return byte(s, at) | (byte(s, at + 1) << 8) | (byte(s, at + 2) << 16) | (byte(s, at + 3) << 24);
}

function fetch(to: number, s: Uint8Array, at: number): void {
  registers[to] = fetch32(s, at);
  registers[to + 1] = fetch32(s, at + 4);
}

function set(to: number, high: number, low: number): void {
  registers[to] = low;
  registers[to + 1] = high;
}

function copy(to: number, from: number): void {
  set(to, limb(from + 1), limb(from));
}

function xor(to: number, a: number, b: number): void {
  set(to, limb(a + 1) ^ limb(b + 1), limb(a) ^ limb(b));
}

function add(to: number, a: number, b: number): void {
  const low = limb(a) + limb(b);
  set(to, limb(a + 1) + limb(b + 1) + (low > 0xffffffff ? 1 : 0), low);
}

function addNumber(to: number, small: number): void {
  const low = limb(to) + small;
  set(to, limb(to + 1) + (low > 0xffffffff ? 1 : 0), low);
}

/** Rotates right by 1–63 bits. */
function rotate(to: number, from: number, bits: number): void {
  let high = limb(from + 1);
  let low = limb(from);
  let rest = bits;
  if (rest >= 32) {
    [high, low] = [low, high];
    rest -= 32;
  }
  if (rest === 0) set(to, high, low);
  else set(to, (high >>> rest) | (low << (32 - rest)), (low >>> rest) | (high << (32 - rest)));
}

/** v xor (v >> 47). */
function shiftMix(to: number, from: number): void {
  set(to, limb(from + 1), limb(from) ^ (limb(from + 1) >>> 15));
}

/** The lower 64 bits of a product. */
function multiply(to: number, a: number, b: number): void {
  const [aLow, bLow] = [limb(a), limb(b)];
  const [a0, a1, b0, b1] = [aLow & 0xffff, aLow >>> 16, bLow & 0xffff, bLow >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = a0 * b1 + (middle & 0xffff);
  const high = a1 * b1 + (middle >>> 16) + (carry >>> 16);
  set(to, (high | 0) + Math.imul(aLow, limb(b + 1)) + Math.imul(limb(a + 1), bLow), Math.imul(aLow, bLow));
}

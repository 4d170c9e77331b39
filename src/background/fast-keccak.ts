/**
 * keccak-256 in WebAssembly: about twelve times as fast as the plain one, and everything that is sent or received is
 * hashed once.
 */
import { equalBytes, utf8 } from "../common/bytes.ts";
import { computeKeccak256With, type Keccak256, plainKeccak256 } from "../common/keccak.ts";
import { CONSTANTS_AT, INPUT_AT, keccakModule, RATE, roundConstants, STATE_AT, STATE_BYTES } from "./keccak-module.ts";

const DIGEST_BYTES = 32;
/** Longer than one block of the sponge, 136 bytes, and in two parts. */
const PROBE = [utf8("Is this keccak-256?"), new Uint8Array(200)];

/** Compiles it and has the core use it. Where WebAssembly is refused or wrong, the plain one stays. Never rejects. */
export async function useFastKeccak(load: () => Promise<Keccak256> = compileKeccak256): Promise<void> {
  const fast = await load().catch(() => undefined);
  if (fast !== undefined && equalBytes(fast(PROBE), plainKeccak256(PROBE))) computeKeccak256With(fast);
}

/** Rejects where WebAssembly is refused. */
export async function compileKeccak256(): Promise<Keccak256> {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { instance } = await WebAssembly.instantiate(keccakModule(), { env: { memory } });
  const { run } = instance.exports;
  if (typeof run !== "function") throw new Error("The module exports no function");
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(roundConstants(), CONSTANTS_AT);
  const room = RATE * Math.floor((bytes.length - INPUT_AT) / RATE);
  const absorb = (length: number): void => {
    run(INPUT_AT + length);
  };
  return (parts) => {
    bytes.fill(0, STATE_AT, STATE_AT + STATE_BYTES);
    let held = 0;
    for (const part of parts) {
      let rest = part;
      while (rest.length >= room - held) {
        bytes.set(rest.subarray(0, room - held), INPUT_AT + held);
        rest = rest.subarray(room - held);
        absorb(room);
        held = 0;
      }
      bytes.set(rest, INPUT_AT + held);
      held += rest.length;
    }
    // The padding of Keccak: a bit after the message, and the last bit of its last block.
    const end = held + RATE - (held % RATE);
    bytes.fill(0, INPUT_AT + held, INPUT_AT + end);
    bytes[INPUT_AT + held] = 1;
    bytes[INPUT_AT + end - 1] = (bytes[INPUT_AT + end - 1] ?? 0) | 0x80;
    absorb(end);
    return bytes.slice(STATE_AT, STATE_AT + DIGEST_BYTES);
  };
}

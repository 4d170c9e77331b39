import type { Bytes } from "../common/bytes.ts";
import { invalidParams } from "./errors.ts";

/**
 * A copy of what a page passes as a message, made before anything is awaited: the page may reuse its buffer at once.
 * `ArrayBuffer.isView` instead of `instanceof`, because bytes may come from another frame or world.
 */
export function copyBytes(message: unknown): Bytes {
  if (ArrayBuffer.isView(message)) {
    return new Uint8Array(message.buffer, message.byteOffset, message.byteLength).slice() as Bytes;
  }
  if (Object.prototype.toString.call(message) === "[object ArrayBuffer]") {
    return new Uint8Array(message as ArrayBuffer).slice();
  }
  throw invalidParams(
    "The message must be a Uint8Array or an ArrayBuffer: encode text with new TextEncoder().encode(text).",
  );
}

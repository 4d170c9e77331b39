import { toHex, utf8 } from "../common/bytes.ts";
import { keccak256 } from "../common/keccak.ts";

/**
 * The id of a message of ours: lower-case hexadecimal keccak-256 over sender id, decimal Unix nanoseconds and content,
 * as the reference channel mints it. LIP-109 asks for uniqueness, which is the nanoseconds' part: the same number must
 * not be used twice.
 */
export function messageIdOf(senderId: string, nanoseconds: bigint, content: Uint8Array): string {
  return toHex(keccak256(utf8(senderId + nanoseconds.toString()), content));
}

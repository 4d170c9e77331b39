/** One chat message on the wire: JSON in UTF-8. What arrives may be anything; it is parsed here, once. */

export interface ChatMessage {
  /** Made by the author; a message that is sent again after a failure keeps it, so that nobody sees it twice. */
  readonly id: string;
  readonly name: string;
  readonly text: string;
  /** Milliseconds since the Unix epoch, by the author's clock. */
  readonly at: number;
}

const VERSION = 1;
export const MAX_ID_CHARS = 64;
export const MAX_NAME_CHARS = 40;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeChatMessage(message: ChatMessage): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify({ v: VERSION, ...message }));
}

/** The message, or `undefined` where the bytes are none of ours. */
export function decodeChatMessage(bytes: Uint8Array): ChatMessage | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  if (!("v" in parsed && "id" in parsed && "name" in parsed && "text" in parsed && "at" in parsed)) return undefined;
  const { v, id, name, text, at } = parsed;
  if (v !== VERSION || typeof id !== "string" || typeof name !== "string" || typeof text !== "string") return undefined;
  if (typeof at !== "number" || !Number.isFinite(at)) return undefined;
  if (id === "" || id.length > MAX_ID_CHARS || name.length > MAX_NAME_CHARS) return undefined;
  return { id, name, text, at };
}

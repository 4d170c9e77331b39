/**
 * A file in the chat: a small header and the file's bytes in one message. What arrives may be anything; it is parsed
 * here, once.
 *
 *     kind(1) = 2   header length(2, big-endian)   header(JSON in UTF-8)   the bytes of the file
 *
 * Chat messages are JSON and begin with a brace, so the first byte tells the two apart.
 */
import { MAX_ID_CHARS, MAX_NAME_CHARS } from "./chat-message.ts";

export interface FileMessage {
  /** Made by the author, as for text: a file that is sent again keeps it. */
  readonly id: string;
  readonly name: string;
  /** Milliseconds since the Unix epoch, by the author's clock. */
  readonly at: number;
  readonly file: SharedFile;
}

export interface SharedFile {
  /** Without a path; at most `MAX_FILE_NAME_CHARS` characters. */
  readonly fileName: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const KIND = 2;
const PREFIX_BYTES = 3;
const VERSION = 1;
export const MAX_FILE_BYTES = 10 * 1024 * 1024;
export const MAX_FILE_NAME_CHARS = 120;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A name that is no path and no surprise: no separators, no characters that turn text around or cannot be seen. */
export function plainFileName(name: string): string {
  const plain = name
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, "")
    .replaceAll(/[/\\:]+/g, "_")
    .trim();
  const characters = Array.from(plain);
  if (characters.length <= MAX_FILE_NAME_CHARS) return plain === "" ? "file" : plain;
  // The end says what it is.
  const kept = MAX_FILE_NAME_CHARS - 1;
  return `${characters.slice(0, kept - 16).join("")}…${characters.slice(-16).join("")}`;
}

export function encodeFileMessage({ id, name, at, file }: FileMessage): Uint8Array<ArrayBuffer> {
  const header = encoder.encode(
    JSON.stringify({ v: VERSION, id, name, at, file: file.fileName, size: file.bytes.length }),
  );
  const message = new Uint8Array(PREFIX_BYTES + header.length + file.bytes.length);
  message[0] = KIND;
  new DataView(message.buffer).setUint16(1, header.length);
  message.set(header, PREFIX_BYTES);
  message.set(file.bytes, PREFIX_BYTES + header.length);
  return message;
}

/** The file, or `undefined` where the bytes are no file of ours. */
export function decodeFileMessage(message: Uint8Array): FileMessage | undefined {
  if (message.length < PREFIX_BYTES || message[0] !== KIND) return undefined;
  const length = new DataView(message.buffer, message.byteOffset).getUint16(1);
  const start = PREFIX_BYTES + length;
  if (start > message.length) return undefined;
  const bytes = message.slice(start);
  let header: unknown;
  try {
    header = JSON.parse(decoder.decode(message.subarray(PREFIX_BYTES, start)));
  } catch {
    return undefined;
  }
  if (typeof header !== "object" || header === null) return undefined;
  if (
    !("v" in header && "id" in header && "name" in header && "at" in header && "file" in header && "size" in header)
  ) {
    return undefined;
  }
  const { v, id, name, at, file, size } = header;
  if (v !== VERSION || typeof id !== "string" || typeof name !== "string" || typeof file !== "string") return undefined;
  if (typeof at !== "number" || !Number.isFinite(at)) return undefined;
  if (id === "" || id.length > MAX_ID_CHARS || name.length > MAX_NAME_CHARS) return undefined;
  if (size !== bytes.length || bytes.length > MAX_FILE_BYTES) return undefined;
  return { id, name, at, file: { fileName: plainFileName(file), bytes } };
}

import type { ReliableChannelProvider } from "../../src/provider/provider-api.ts";

/** Where the extension is there, it is there before any script of the page: this is for the slowest of computers. */
const TIMEOUT_MS = 1_000;

export interface DetectOptions {
  /** Milliseconds to wait for the extension. Default: 1,000. */
  readonly timeoutMs?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/**
 * The extension's provider; `undefined` where none has announced itself in time, where the wait was aborted, and outside
 * of a page, such as on a server that renders it. Never rejects.
 */
export async function detectReliableChannel({
  timeoutMs = TIMEOUT_MS,
  signal,
}: DetectOptions = {}): Promise<ReliableChannelProvider | undefined> {
  if (typeof window === "undefined") return undefined;
  if (window.reliableChannel !== undefined) return window.reliableChannel;
  if (signal?.aborted) return undefined;
  return new Promise((resolve) => {
    const finish = (provider: ReliableChannelProvider | undefined): void => {
      clearTimeout(timer);
      window.removeEventListener("reliablechannel:announceProvider", onAnnounce);
      signal?.removeEventListener("abort", onAbort);
      resolve(provider);
    };
    const onAnnounce = (event: WindowEventMap["reliablechannel:announceProvider"]): void =>
      finish(event.detail.provider);
    const onAbort = (): void => finish(undefined);
    const timer = setTimeout(() => finish(window.reliableChannel), timeoutMs);
    window.addEventListener("reliablechannel:announceProvider", onAnnounce);
    signal?.addEventListener("abort", onAbort);
    window.dispatchEvent(new Event("reliablechannel:requestProvider"));
  });
}

import type { ReliableChannelProvider } from "../../src/provider/provider-api.ts";

/** The extension's provider, or `undefined` where none has answered within `timeoutMs`. */
export function findProvider(timeoutMs: number): Promise<ReliableChannelProvider | undefined> {
  if (window.reliableChannel !== undefined) return Promise.resolve(window.reliableChannel);
  return new Promise((resolve) => {
    const finish = (provider: ReliableChannelProvider | undefined): void => {
      clearTimeout(timer);
      window.removeEventListener("reliablechannel:announceProvider", announced);
      resolve(provider);
    };
    const announced = (event: WindowEventMap["reliablechannel:announceProvider"]): void =>
      finish(event.detail.provider);
    const timer = setTimeout(() => finish(window.reliableChannel), timeoutMs);
    window.addEventListener("reliablechannel:announceProvider", announced);
    window.dispatchEvent(new Event("reliablechannel:requestProvider"));
  });
}

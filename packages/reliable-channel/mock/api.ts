/** The mock as tests of sites see it. */
import type { ErrorCode, ReliableChannelError, ReliableChannelProvider } from "../../../src/provider/provider-api.ts";

export interface MockNetworkOptions {
  /**
   * How many times as fast as outside time passes, for everybody on the network. Default: 100, so that a confirmation that
   * takes 3 s takes 30 ms. With 0 it stands still until `advance`.
   */
  readonly speed?: number;
}

/** A network in memory, and the browsers on it. */
export interface MockNetwork {
  /** Milliseconds since the Unix epoch, in the time of the network. */
  now(): number;
  /** Lets `ms` milliseconds pass, and everything happen that they bring. With 0, all that needs no time. */
  advance(ms: number): Promise<void>;
  /** Another person's browser, with the extension and one open page. */
  createProvider(options?: MockProviderOptions): MockProvider;
  /** Nobody reaches the network any more. What is sent meanwhile waits. */
  offline(): void;
  online(): void;
  /** The next `count` messages that are not ephemeral get lost: nobody receives them, and no store keeps them. Default: 1. */
  lose(count?: number): void;
  /** From now on every message that is not ephemeral is refused, for this reason; with `undefined`, none any more. */
  refuse(reason: string | undefined): void;
  /** Ends everything: no timer is left. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * What the person does when they are asked:
 *
 * - `allow`: unlock where it is locked, allow the site, and choose the key that everybody on the network has;
 * - `allow-new-key`: the same, with a new key, which nobody else has;
 * - `allow-without-key`: the same, without choosing a key;
 * - `reject`: close the prompt;
 * - `block`: block the site;
 * - `wait`: nothing, until `answer` is set to something else.
 */
export type MockAnswer = "allow" | "allow-new-key" | "allow-without-key" | "reject" | "block" | "wait";

export interface MockProviderOptions {
  /** Of the page. Default: `https://site.example`. */
  readonly origin?: string;
  /** Default: `allow`. */
  readonly answer?: MockAnswer;
  /** Whether the extension is locked at first. Default: it is not. */
  readonly locked?: boolean;
}

/** A page of the site, open in a tab. */
export interface MockPage {
  /** What the page would find as `window.reliableChannel`. */
  readonly provider: ReliableChannelProvider;
  /** The page is loaded anew. Its old provider is dead, the one that is returned took its place. */
  reload(): ReliableChannelProvider;
  /** The tab is closed. */
  close(): void;
}

/** Calls of a provider or of its channels that `fail` can make fail. */
export type MockCall =
  | "channelExists"
  | "closeChannel"
  | "connect"
  | "createReliableChannel"
  | "history"
  | "listChannels"
  | "permissions"
  | "quota"
  | "request"
  | "send";

export interface MockFailure {
  readonly message?: string;
  /** Default: what the extension says with this code. */
  readonly retryable?: boolean;
  readonly data?: NonNullable<ReliableChannelError["data"]>;
}

/** One person's browser, as its page, and what else can happen to it. */
export interface MockProvider extends MockPage {
  answer: MockAnswer;
  /** How often the person was asked. */
  readonly prompts: number;
  /** Another tab with a page of the same site. */
  openTab(): MockPage;
  /** This browser does not reach the network any more. */
  offline(): void;
  online(): void;
  /** The next such call of any page rejects with this code, and has no effect. */
  fail(call: MockCall, code: ErrorCode, failure?: MockFailure): void;
  /** The person locks the extension, or unlocks it. */
  lock(): Promise<void>;
  unlock(): Promise<void>;
  /** The person takes the site's permission away, or closes one of its channels. */
  revoke(): Promise<void>;
  closeChannel(channelId: string): Promise<void>;
  /** The browser stops the extension's background, as it does when it is idle. The next call starts it again. */
  restart(): void;
  /** The extension's background cannot be reached until `start`. */
  stop(): void;
  start(): void;
  /** The extension is updated or removed: pages have to be loaded anew, and find the new one. */
  update(): void;
}

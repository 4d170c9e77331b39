/** A page of a test that uses `window.reliableChannel` itself, and records what it is told. */
import type { Page } from "playwright-core";
import type {
  ChannelEventMap,
  ChannelStatus,
  CreateChannelParams,
  Encryption,
  ReliableChannel,
} from "../../src/provider/provider-api.ts";

/** The events of the contract that are logged and replayed. */
export type LoggedEventName = Extract<keyof ChannelEventMap, `reliable:${string}`>;

/** One event as the page saw it; bytes become their length, their text and their SHA-256 in hexadecimal. */
export interface SeenEvent {
  readonly type: LoggedEventName;
  readonly cursor: string;
  readonly replayed: boolean;
  readonly requestId?: string;
  readonly messageId?: string;
  readonly senderId?: string;
  readonly error?: string;
  readonly code?: number;
  readonly length?: number;
  readonly text?: string;
  readonly sha256?: string;
}

/** How a call ended, since an error's own fields do not cross to the test. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly name: string; readonly code: number; readonly message: string };

declare global {
  interface Window {
    /** What `ChannelPage` keeps in the page. */
    testChannel?: { readonly channel: ReliableChannel; readonly seen: SeenEvent[]; readonly changed: EventTarget };
    /** What a site has that encrypts itself; its page brings it along. */
    siteCipher?: Encryption;
  }
}

/** Milliseconds for one event to arrive: scenarios allow 50 s for a delivery. */
const EVENT_MS = 50_000;

export type PlainChannelParams = Pick<CreateChannelParams, "channelId" | "contentTopic" | "senderId"> & {
  readonly encryption: { readonly mode: "none" };
};
/** Of a channel with a key of the person's choice: what a page gets that says nothing about encryption. */
export type EncryptedChannelParams = Omit<PlainChannelParams, "encryption">;

/** Of a channel that the site's own functions encrypt: `window.siteCipher` of its page. */
export type SiteChannelParams = Omit<PlainChannelParams, "encryption"> & {
  readonly encryption: { readonly mode: "page" };
};

export class ChannelPage {
  readonly page: Page;
  readonly params: PlainChannelParams | EncryptedChannelParams | SiteChannelParams;

  constructor(page: Page, params: PlainChannelParams | EncryptedChannelParams | SiteChannelParams) {
    this.page = page;
    this.params = params;
  }

  /** Creates the channel, or attaches to it, and starts recording. Prompts where the origin has no grant yet. */
  attach(options: { readonly autoAck?: boolean } = {}): Promise<Outcome<null>> {
    return this.page.evaluate(
      async ({ params, autoAck }) => {
        const describe = async (bytes: Uint8Array<ArrayBuffer>) => ({
          length: bytes.length,
          text: bytes.length > 1024 ? "" : new TextDecoder().decode(bytes),
          sha256: Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (byte) =>
            byte.toString(16).padStart(2, "0"),
          ).join(""),
        });
        try {
          if (window.reliableChannel === undefined) throw new Error("There is no provider");
          const wanted = { ...params };
          if ("encryption" in wanted && wanted.encryption.mode === "page") {
            Object.assign(wanted, { encryption: { mode: "page", ...window.siteCipher } });
          }
          const channel = await window.reliableChannel.createReliableChannel(wanted as CreateChannelParams);
          channel.autoAck = autoAck;
          const seen: SeenEvent[] = [];
          const changed = new EventTarget();
          const record = (event: SeenEvent): void => {
            seen.push(event);
            changed.dispatchEvent(new Event("seen"));
          };
          window.testChannel = { channel, seen, changed };
          channel.on("reliable:message:received", async ({ message, ...event }) => {
            record({ type: "reliable:message:received", ...event, ...(await describe(message)) });
          });
          for (const type of [
            "reliable:message:sent",
            "reliable:message:delivered",
            "reliable:message:send-error",
            "reliable:message:delivery-error",
            "reliable:message:lost",
          ] as const) {
            channel.on(type, (event) => record({ type, ...event }));
          }
          return { ok: true as const, value: null };
        } catch (error) {
          const { name, message, code } = error as { name: string; message: string; code: number };
          return { ok: false as const, name, message, code };
        }
      },
      { params: this.params, autoAck: options.autoAck ?? true },
    );
  }

  /** Sends a text; resolves once the request is durable. */
  send(
    text: string,
    options: { readonly idempotencyKey?: string; readonly ephemeral?: boolean } = {},
  ): Promise<Outcome<string>> {
    return this.page.evaluate(
      async ({ text, options }) => {
        try {
          if (window.testChannel === undefined) throw new Error("The channel is not attached");
          return {
            ok: true as const,
            value: await window.testChannel.channel.send(new TextEncoder().encode(text), options),
          };
        } catch (error) {
          const { name, message, code } = error as { name: string; message: string; code: number };
          return { ok: false as const, name, message, code };
        }
      },
      { text, options },
    );
  }

  /** Waits until the channel of a locked extension hears the network. */
  hearsWhileLocked(): Promise<void> {
    return this.page.evaluate(
      (limit) =>
        new Promise<void>((resolve, reject) => {
          const channel = window.testChannel?.channel;
          if (channel === undefined) throw new Error("The channel is not attached");
          const timer = setTimeout(() => reject(new Error("It hears nothing")), limit);
          const look = ({ state, health }: ChannelStatus): void => {
            if (state !== "opening" || health === "NOT_SUBSCRIBED" || health === "UNHEALTHY") return;
            clearTimeout(timer);
            resolve();
          };
          channel.on("status", look);
          channel.status().then(look, reject);
        }),
      EVENT_MS,
    );
  }

  /** Waits for an event of this type whose fields equal those of `match`. */
  waitFor(type: LoggedEventName, match: Partial<SeenEvent> = {}): Promise<SeenEvent> {
    return this.page.evaluate(
      ({ wanted, limit }) =>
        new Promise<SeenEvent>((resolve, reject) => {
          const test = window.testChannel;
          if (test === undefined) throw new Error("The channel is not attached");
          const look = (): void => {
            const found = test.seen.find((event) => {
              const fields = new Map<string, unknown>(Object.entries(event));
              return Object.entries(wanted).every(([name, value]) => fields.get(name) === value);
            });
            if (found === undefined) return;
            clearTimeout(timer);
            test.changed.removeEventListener("seen", look);
            resolve(found);
          };
          const timer = setTimeout(() => {
            reject(new Error(`No event ${JSON.stringify(wanted)} among ${JSON.stringify(test.seen)}`));
          }, limit);
          test.changed.addEventListener("seen", look);
          look();
        }),
      { wanted: { ...match, type }, limit: EVENT_MS },
    );
  }

  /** Everything recorded since the last `attach`. */
  async seen(type?: LoggedEventName): Promise<readonly SeenEvent[]> {
    const all = await this.page.evaluate(() => window.testChannel?.seen ?? []);
    return type === undefined ? all : all.filter((event) => event.type === type);
  }
}

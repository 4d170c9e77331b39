/** What the popup shows of the channels at work: requests, large messages under way, and what could not be read. */
import type { MessagingDiagnostics } from "../channel/ports.ts";
import type { ChannelKey, ChannelManagerApi, ChannelNotice } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import { LIMITS } from "../limits.ts";
import type { UiRequest, UiTransfer, UiVaultSnapshot } from "../ui/background-api.ts";
import type { CipherPages } from "./cipher-pages.ts";

interface Transfer extends UiTransfer {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

/** Transfers are in memory only: the next segment that moves shows one again after a restart. */
export class Activity {
  readonly #manager: ChannelManagerApi;
  readonly #cipherPages: Pick<CipherPages, "unavailable">;
  readonly #clock: Clock;
  /** The one that moved last is the last. */
  readonly #transfers = new Map<string, Transfer>();

  constructor(manager: ChannelManagerApi, cipherPages: Pick<CipherPages, "unavailable">, clock: Clock) {
    this.#manager = manager;
    this.#cipherPages = cipherPages;
    this.#clock = clock;
    manager.listen((channel, notice) => this.#noticed(channel, notice));
  }

  snapshot(
    subscriptions: MessagingDiagnostics["subscriptions"],
  ): Pick<UiVaultSnapshot, "details" | "requests" | "transfers"> {
    return { details: this.#details(subscriptions), requests: this.requests(), transfers: this.#current() };
  }

  #details(subscriptions: MessagingDiagnostics["subscriptions"]): UiVaultSnapshot["details"] {
    const served = new Map(subscriptions.map(({ contentTopic, filterNodes }) => [contentTopic, filterNodes]));
    return this.#manager.summaries().map(({ origin, channelId, contentTopic, label, keyId, encryption, status }) => {
      const channel = { origin, channelId };
      const peers = status.state === "closed" ? undefined : served.get(contentTopic);
      const needsPage =
        encryption === "page" && status.state !== "closed" && this.#cipherPages.unavailable(channel) !== undefined;
      const { undecryptable = 0, otherLayout = 0 } = this.#manager.channel(channel)?.diagnostics() ?? {};
      return {
        channel,
        label,
        ...(keyId === undefined ? {} : { keyId }),
        ...(peers === undefined ? {} : { peers }),
        undecryptable,
        foreignLayout: otherLayout,
        ...(needsPage ? { needsPage } : {}),
      };
    });
  }

  /** Of open channels, the newest first. */
  requests(): readonly UiRequest[] {
    const most = LIMITS.provider.snapshotRequests;
    const newest = this.#manager.channels().flatMap((api) => {
      const channel = { origin: api.origin, channelId: api.getChannelId() };
      return api
        .requests()
        .slice(0, most)
        .map((request): UiRequest => ({ channel, ...request }));
    });
    return newest.sort((a, b) => b.createdAt - a.createdAt).slice(0, most);
  }

  #current(): readonly UiTransfer[] {
    const oldest = this.#clock.now() - LIMITS.segmentation.setIdleMs;
    for (const [name, { at }] of this.#transfers) if (at < oldest) this.#transfers.delete(name);
    return [...this.#transfers.values()].map(({ at: _, ...transfer }) => transfer);
  }

  #noticed({ origin, channelId }: ChannelKey, notice: ChannelNotice): void {
    const channel = { origin, channelId };
    if (notice.type === "progress") {
      const { direction, id, done, total } = notice;
      const name = nameOf(channel, direction, id);
      this.#transfers.delete(name);
      if (done >= total) return;
      this.#transfers.set(name, { channel, direction, id, done, total, at: this.#clock.now() });
      const [oldest] = this.#transfers.keys();
      if (this.#transfers.size > LIMITS.provider.snapshotTransfers && oldest !== undefined) {
        this.#transfers.delete(oldest);
      }
    } else if (notice.type === "event" && "requestId" in notice.event) {
      this.#transfers.delete(nameOf(channel, "out", notice.event.requestId));
    } else if (notice.type === "close") {
      for (const [name, transfer] of this.#transfers) {
        if (transfer.channel.origin === origin && transfer.channel.channelId === channelId) {
          this.#transfers.delete(name);
        }
      }
    }
  }
}

const nameOf = ({ origin, channelId }: ChannelKey, direction: UiTransfer["direction"], id: string): string =>
  JSON.stringify([origin, channelId, direction, id]);

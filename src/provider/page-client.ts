/** `window.reliableChannel`: the provider as pages see it. Runs in the page's own world, before any script of the page. */
import { dispatch, TinyEmitter } from "./emitter.ts";
import { invalidParams } from "./errors.ts";
import type { Attachment, BackgroundFrame, CipherOperation, LinkFrame, NetworkState } from "./frames.ts";
import { copyBytes } from "./page-bytes.ts";
import { PageChannel } from "./page-channel.ts";
import { functionsOf, isOperation, perform } from "./page-encryption.ts";
import type { PageHost } from "./page-link.ts";
import { PageLink } from "./page-link.ts";
import type {
  CallOptions,
  ChannelInfo,
  ConnectOptions,
  CreateChannelParams,
  Encryption,
  Grant,
  ProviderEventMap,
  ProviderInfo,
  ProviderStatus,
  Quota,
  ReliableChannel,
  ReliableChannelProvider,
  RequestId,
  SendOptions,
  Session,
} from "./provider-api.ts";

/** The version of the page contract, `major.minor`: a page that knows the same major number keeps working. */
export const API_VERSION = "1.0";

export interface PageClient {
  readonly provider: ReliableChannelProvider;
  /** Takes what the bridge posts. */
  receive(frame: BackgroundFrame | LinkFrame): void;
  /** To be called when the page was restored from the back/forward cache. */
  restored(): void;
  /** To be called whenever the person comes to the page. */
  focused(): void;
}

export function createPageClient(host: PageHost, info: ProviderInfo): PageClient {
  let link: PageLink | undefined;
  const provider = new PageProvider(host, info, (created) => {
    link = created;
  });
  return {
    provider: Object.freeze(provider),
    receive: (frame) => link?.receive(frame),
    restored: () => link?.restored(),
    focused: () => link?.focused(),
  };
}

class PageProvider extends TinyEmitter<ProviderEventMap> implements ReliableChannelProvider {
  readonly info: ProviderInfo;
  readonly apiVersion = API_VERSION;
  readonly #host: PageHost;
  readonly #link: PageLink;
  /** The handles of this page, by channel id: one each, open or closed. */
  readonly #channels: Record<string, PageChannel> = Object.create(null);
  /** What the page encrypts with, by channel id. A closed channel's stay: what it had accepted is still encrypted. */
  #functions: Record<string, Encryption> = Object.create(null);
  #session: Session | undefined;
  #network: NetworkState = { network: "Disconnected", locked: false };
  #lost = false;

  constructor(host: PageHost, info: ProviderInfo, expose: (link: PageLink) => void) {
    super((thrown) => host.report(thrown));
    this.#host = host;
    this.info = Object.freeze({ ...info });
    this.#link = new PageLink(host, {
      attached: () => this.#open().map((channel) => this.#attachment(channel)),
      pushed: (push) => {
        if (push.kind === "permissions") dispatch(this, "permissionsChanged", push.grants);
        else if (push.kind === "status") this.#statusChanged(push.status);
        else if (push.kind === "cipher") void this.#compute(push.channelId, push);
        else {
          const channel = this.#channels[push.channelId];
          if (channel) PageChannel.pushed(channel, push);
        }
      },
      up: (session, status) => {
        const [wasLost, had] = [this.#lost, this.#session];
        this.#lost = false;
        if (had) this.#session = session;
        this.#statusChanged(status, wasLost);
        if (wasLost && had) dispatch(this, "connect", session);
      },
      silent: () => dispatch(this, "status", this.#statusNow()),
      lost: (error, recoverable) => {
        this.#lost = true;
        for (const channel of recoverable ? [] : this.#open()) PageChannel.end(channel, "error");
        dispatch(this, "status", this.#statusNow());
        dispatch(this, "disconnect", { code: error.code, message: error.message, recoverable });
      },
    });
    expose(this.#link);
  }

  async connect(options: ConnectOptions = {}): Promise<Session> {
    const { onlyIfTrusted, scopes, contentTopics } = options;
    return this.#connected(await this.#link.call("connect", { onlyIfTrusted, scopes, contentTopics }, options));
  }

  async disconnect(options?: CallOptions): Promise<void> {
    await this.#link.call("disconnect", {}, options);
    this.#session = undefined;
    this.#functions = Object.create(null);
    for (const channel of this.#open()) PageChannel.end(channel, "page");
  }

  async permissions(options?: CallOptions): Promise<readonly Grant[]> {
    return this.#link.call("permissions", {}, options);
  }

  async createReliableChannel(params: CreateChannelParams, options?: CallOptions): Promise<ReliableChannel> {
    if (typeof params !== "object" || params === null) {
      throw invalidParams("createReliableChannel takes an object with channelId and contentTopic.");
    }
    const { channelId, contentTopic, senderId, encryption, profile, parityRate } = params;
    if (encryption === null) throw invalidParams("encryption must be an object with a mode, or left out.");
    const functions = encryption?.mode === "page" ? functionsOf(encryption) : undefined;
    // Only what can cross worlds: the functions of mode "page" stay here.
    const cipher =
      encryption === undefined
        ? undefined
        : { mode: encryption.mode, keyId: encryption.mode === "key" ? encryption.keyId : undefined };
    const wanted = { channelId, contentTopic, senderId, encryption: cipher, profile, parityRate };
    const opened = await this.#link.call("create", wanted, options);
    this.#connected(opened.session);
    const held = this.#channels[channelId];
    const channel = held && PageChannel.isOpen(held) ? held : new PageChannel(this.#host, this.#link, opened);
    this.#channels[channelId] = channel;
    this.#encryptWith(channel, functions);
    return channel;
  }

  async closeChannel(channel: ReliableChannel | string, options?: CallOptions): Promise<void> {
    const channelId = idOf(channel);
    await this.#link.call("close", { channelId }, options);
    const held = this.#channels[channelId];
    if (held) PageChannel.end(held, "page");
  }

  async send(
    channel: ReliableChannel | string,
    message: Uint8Array | ArrayBuffer,
    options: SendOptions = {},
  ): Promise<RequestId> {
    const { ephemeral, idempotencyKey } = options;
    const params = { channelId: idOf(channel), message: copyBytes(message), ephemeral, idempotencyKey };
    return (await this.#link.call("send", params, options)) as RequestId;
  }

  async channelExists(channelId: string, options?: CallOptions): Promise<boolean> {
    return this.#link.call("exists", { channelId }, options);
  }

  async listChannels(options?: CallOptions): Promise<readonly ChannelInfo[]> {
    return this.#link.call("list", {}, options);
  }

  async status(): Promise<ProviderStatus> {
    try {
      this.#network = await this.#link.call("status", {});
    } catch {
      // A background that cannot be reached is a status, not a failure to tell it.
    }
    return this.#statusNow();
  }

  async quota(): Promise<Quota> {
    return this.#link.call("quota", {});
  }

  /** Those that the page passed last count, and from now on they may be called. */
  #encryptWith(channel: PageChannel, functions: Encryption | undefined): void {
    delete this.#functions[channel.channelId];
    if (functions === undefined) return;
    this.#functions[channel.channelId] = functions;
    // Where it fails, the channel is closed already, or the next greeting says it again.
    this.#link.call("attach", this.#attachment(channel)).catch(() => {});
  }

  #attachment(channel: PageChannel): Attachment {
    const attachment = PageChannel.attachment(channel);
    return channel.channelId in this.#functions ? { ...attachment, cipher: true } : attachment;
  }

  async #compute(channelId: string, operation: CipherOperation): Promise<void> {
    const functions = this.#functions[channelId];
    if (functions && isOperation(operation)) this.#link.answer(await perform(functions, operation));
  }

  #connected(session: Session): Session {
    const isNew = this.#session === undefined;
    this.#session = session;
    if (isNew) dispatch(this, "connect", session);
    return session;
  }

  #open(): PageChannel[] {
    return Object.values(this.#channels).filter((channel) => PageChannel.isOpen(channel));
  }

  #statusChanged(status: NetworkState, force = false): void {
    const before = this.#network;
    this.#network = status;
    if (force || before.network !== status.network || before.locked !== status.locked) {
      dispatch(this, "status", this.#statusNow());
    }
  }

  #statusNow(): ProviderStatus {
    if (this.#link.gone) return { bridge: "dead", network: "Disconnected", locked: false };
    return { bridge: this.#link.welcomed ? "ready" : "reconnecting", ...this.#network };
  }
}

// A page gets the objects, not the means to change what they do for others on it.
for (const { prototype } of [TinyEmitter, PageProvider, PageChannel]) Object.freeze(prototype);

function idOf(channel: ReliableChannel | string): string {
  const channelId: unknown = typeof channel === "object" && channel !== null ? channel.channelId : channel;
  if (typeof channelId === "string") return channelId;
  throw invalidParams("The channel must be a ReliableChannel or the id of one.");
}

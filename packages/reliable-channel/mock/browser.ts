/** One person's browser: what outlives pages and lives of the background, and what can happen to them. */
import type { Clock } from "../../../src/common/clock.ts";
import type { SessionArea } from "../../../src/keys/vault.ts";
import type { CallError, Method } from "../../../src/provider/frames.ts";
import type { Bytes, ReliableChannelProvider } from "../../../src/provider/provider-api.ts";
import { ErrorCode } from "../../../src/provider/provider-api.ts";
import { closeRevokedChannels } from "../../../src/provider/revoked-channels.ts";
import { HeldPort } from "../../../src/provider/runtime-port.ts";
import type { MockAnswer, MockCall, MockFailure, MockPage, MockProvider, MockProviderOptions } from "./api.ts";
import type { Background } from "./background.ts";
import type { FakePort } from "./fake-ports.ts";
import type { FakeNetwork, FakeServiceNodes } from "./fake-service-nodes.ts";
import { Life } from "./life.ts";
import { MemoryStorage } from "./memory-storage.ts";
import { Page } from "./page.ts";
import { Person } from "./person.ts";

const SITE = "https://site.example";
const PASSWORD = "the password of a mock";

const METHODS: Readonly<Record<MockCall, Method>> = {
  channelExists: "exists",
  closeChannel: "close",
  connect: "connect",
  createReliableChannel: "create",
  history: "history",
  listChannels: "list",
  permissions: "permissions",
  quota: "quota",
  request: "request",
  send: "send",
};
/** Codes that the extension says may go away by themselves. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ErrorCode.Locked,
  ErrorCode.Disconnected,
  ErrorCode.Internal,
  ErrorCode.AlreadyPending,
  ErrorCode.LimitExceeded,
]);

export interface BrowserParts {
  readonly clock: Clock;
  readonly network: FakeNetwork;
  readonly sharedKey: Bytes;
  /** Whether the network can be reached by anybody. */
  readonly isOnline: () => boolean;
}

export class Browser implements MockProvider {
  readonly #parts: BrowserParts;
  readonly #origin: string;
  readonly #person: Person;
  readonly #disk = new MemoryStorage();
  readonly #session = new MemorySession();
  readonly #pages = new Set<Page>();
  readonly #failures: { readonly method: Method; readonly error: CallError }[] = [];
  #page: Page;
  #life: Life | undefined;
  /** Until then, ports wait. */
  readonly #ready: Promise<void>;
  #reachable = true;
  #online = true;

  constructor(parts: BrowserParts, { origin = SITE, answer = "allow", locked = false }: MockProviderOptions) {
    this.#parts = parts;
    this.#origin = origin;
    this.#person = new Person(answer, {
      sharedKey: parts.sharedKey,
      background: () => this.#running(),
      unlock: () => this.unlock(),
    });
    this.#page = this.#open();
    this.#ready = locked ? this.lock() : Promise.resolve();
  }

  get provider(): ReliableChannelProvider {
    return this.#page.provider;
  }

  get answer(): MockAnswer {
    return this.#person.answer;
  }

  set answer(answer: MockAnswer) {
    this.#person.answer = answer;
  }

  get prompts(): number {
    return this.#person.prompts;
  }

  reload(): ReliableChannelProvider {
    this.close();
    this.#page = this.#open();
    return this.provider;
  }

  close(): void {
    this.#close(this.#page);
  }

  openTab(): MockPage {
    let page = this.#open();
    const close = (): void => this.#close(page);
    const reload = (): ReliableChannelProvider => {
      close();
      page = this.#open();
      return page.provider;
    };
    return {
      get provider() {
        return page.provider;
      },
      reload,
      close,
    };
  }

  offline(): void {
    this.#online = false;
    this.connectionChanged();
  }

  online(): void {
    this.#online = true;
    this.connectionChanged();
  }

  /** The network may be reachable, or not any more. */
  connectionChanged(): void {
    if (this.#life) this.#connect(this.#life.nodes);
  }

  fail(call: MockCall, code: ErrorCode, failure: MockFailure = {}): void {
    const { message = `The mock was told to fail this call with code ${code}.`, data } = failure;
    const { retryable = RETRYABLE.has(code) } = failure;
    this.#failures.push({ method: METHODS[call], error: { code, message, retryable, ...(data && { data }) } });
  }

  async lock(): Promise<void> {
    await lock(await this.#running());
    this.restart();
    await this.#running();
  }

  async unlock(): Promise<void> {
    const { vault } = await this.#running();
    if (!vault.locked) return;
    await vault.unlock(PASSWORD);
    this.restart();
    await this.#running();
  }

  async revoke(): Promise<void> {
    const { manager, permissions } = await this.#running();
    await permissions.revoke(this.#origin);
    await closeRevokedChannels(manager, permissions);
  }

  async closeChannel(channelId: string): Promise<void> {
    const { manager } = await this.#running();
    const closed = await manager.closeChannel({ origin: this.#origin, channelId }, "user");
    if (!closed.ok) throw new Error(closed.error.message);
  }

  restart(): void {
    const life = this.#life;
    this.#life = undefined;
    life?.end();
  }

  stop(): void {
    this.#reachable = false;
    this.restart();
  }

  start(): void {
    this.#reachable = true;
  }

  update(): void {
    this.restart();
    for (const page of this.#pages) page.orphan();
  }

  /** The computer is switched off. */
  end(): void {
    for (const page of this.#pages) page.close();
    this.stop();
  }

  #open(): Page {
    const page = new Page({
      origin: this.#origin,
      clock: this.#parts.clock,
      connect: (port) => this.#accept(port),
      failureOf: (method) => {
        const index = this.#failures.findIndex((failure) => failure.method === method);
        return this.#failures.splice(index, index < 0 ? 0 : 1)[0]?.error;
      },
    });
    this.#pages.add(page);
    return page;
  }

  #close(page: Page): void {
    page.close();
    this.#pages.delete(page);
  }

  #accept(port: FakePort): void {
    if (!this.#reachable) {
      queueMicrotask(() => port.disconnect());
      return;
    }
    const held = new HeldPort(port);
    void this.#ready.then(() => this.#living().accept(held));
  }

  #running(): Promise<Background> {
    return this.#living().background;
  }

  #living(): Life {
    this.#life ??= this.#begin();
    return this.#life;
  }

  #begin(): Life {
    const life = new Life({ ...this.#parts, disk: this.#disk, session: this.#session, window: this.#person });
    this.#connect(life.nodes);
    return life;
  }

  #connect(nodes: FakeServiceNodes): void {
    if (this.#online && this.#parts.isOnline()) nodes.connect(...this.#parts.network.nodes);
    else nodes.disconnect(...this.#parts.network.nodes);
  }
}

async function lock({ vault }: Background): Promise<void> {
  if (!vault.hasPassword) {
    await vault.setPassword(PASSWORD);
    // When it locks is the test's to say.
    await vault.setAutoLock(null);
    await vault.settled();
  }
  await vault.lock();
}

/** `storage.session`. */
class MemorySession implements SessionArea {
  readonly #items = new Map<string, unknown>();

  async get(key: string): Promise<Record<string, unknown>> {
    return this.#items.has(key) ? { [key]: structuredClone(this.#items.get(key)) } : {};
  }

  async set(items: Record<string, unknown>): Promise<void> {
    for (const [key, value] of Object.entries(items)) this.#items.set(key, structuredClone(value));
  }

  async remove(key: string): Promise<void> {
    this.#items.delete(key);
  }
}

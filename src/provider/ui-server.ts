/**
 * Serves the popup and the prompt: a snapshot of everything they show after every change, and their commands, each of
 * which is answered. Only pages of this extension get through.
 */
import type { ConnectionStatus, MessagingDiagnostics } from "../channel/ports.ts";
import type { ChannelManagerApi, ChannelSummary } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import type { Result } from "../common/result.ts";
import { err, ok, reasonOf } from "../common/result.ts";
import type { Vault } from "../keys/vault.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import type { PeerTestFailure, TestedPeer } from "../messaging/peer-test.ts";
import type {
  UiAnswer,
  UiNetwork,
  UiPeerTest,
  UiQuestions,
  UiSnapshot,
  UiVaultSnapshot,
} from "../ui/background-api.ts";
import { UI_PORT } from "../ui/background-api.ts";
import { Activity } from "./activity.ts";
import { type Badge, badgeOf } from "./badge.ts";
import type { CipherPages } from "./cipher-pages.ts";
import { diagnosticsText } from "./diagnostics-text.ts";
import type { Permissions } from "./permissions.ts";
import { isOwnPage } from "./principal.ts";
import { type Carried, channelRefusal, refused } from "./refusals.ts";
import { closeRevokedChannels } from "./revoked-channels.ts";
import type { HeldPort } from "./runtime-port.ts";
import type { SeenFailures } from "./seen-failures.ts";
import { type ParsedCommand, type PlainCommand, parseCommand } from "./ui-command-schema.ts";
import type { UiKeys } from "./ui-keys.ts";

/** The network as the popup sees and sets it. */
export interface NetworkControl {
  status(): ConnectionStatus;
  peers(): UiNetwork["peers"];
  config(): NetworkConfig;
  /** Resolves once the setting is stored; an error in words if it makes no sense. */
  setConfig(config: NetworkConfig): Promise<Result<void>>;
  /** Whether a service node of that network answers at the address. Resolves within `LIMITS.messaging.peerTestMs`. */
  test(address: string, config: NetworkConfig): Promise<Result<TestedPeer, PeerTestFailure>>;
  /** `undefined` while there is no node. */
  diagnostics(): MessagingDiagnostics | undefined;
  /** Called after anything of it may have changed. */
  listen(listener: () => void): () => void;
}

export interface UiServerParts {
  readonly manager: ChannelManagerApi;
  readonly permissions: Permissions;
  readonly network: NetworkControl;
  readonly keys: UiKeys;
  readonly vault: Pick<Vault, "touch">;
  readonly seenFailures: SeenFailures;
  readonly cipherPages: CipherPages;
  /** The epoch budget; `undefined` where nothing is limited. */
  readonly budget?: () => UiVaultSnapshot["budget"] | undefined;
  /** Called with what the extension's button shows, now and after it may have changed. */
  readonly setBadge?: (badge: Badge) => void;
  readonly clock: Clock;
  /** The extension's version, and `navigator.userAgent`. */
  readonly version: string;
  readonly browser: string;
  /** `runtime.id`. */
  readonly extensionId: string;
  /** `runtime.getURL("")`. */
  readonly extensionUrl: string;
}

export class UiServer {
  readonly #parts: UiServerParts;
  readonly #activity: Activity;
  readonly #ports = new Set<HeldPort>();
  /** Each until it was answered. */
  readonly #underWay = new Set<Promise<void>>();
  #stopping = false;
  #cancelSnapshot: (() => void) | undefined;
  #cancelReset: (() => void) | undefined;
  /** Tests of addresses under way. */
  #tests = 0;

  constructor(parts: UiServerParts) {
    this.#parts = parts;
    this.#activity = new Activity(parts.manager, parts.cipherPages, parts.clock);
    const changed = (): void => this.#changed();
    parts.manager.listen(changed);
    parts.permissions.listen(changed);
    parts.network.listen(changed);
    parts.keys.listen(changed);
    parts.cipherPages.listen({ ready: changed, away: changed });
    this.#showBadge();
  }

  /** Serves the port if it is the popup's or the prompt's; one that only calls itself so is closed. */
  accept(port: HeldPort): boolean {
    if (port.name !== UI_PORT) return false;
    const { extensionId, extensionUrl } = this.#parts;
    if (!isOwnPage(port.sender, extensionId, extensionUrl)) {
      port.close();
      return true;
    }
    this.#ports.add(port);
    this.#post([port]);
    port.serve(
      (frame) => this.#onFrame(port, frame),
      () => this.#ports.delete(port),
    );
    return true;
  }

  /**
   * Answers what was asked, such as the unlocking that ends this engine, and closes its ports. What comes from now on is
   * not looked at: the pages notice, and ask the next engine.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelSnapshot?.();
    this.#cancelReset?.();
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.clock.after(LIMITS.background.answersMs, resolve);
      void Promise.all(this.#underWay).then(() => {
        cancel();
        resolve();
      });
    });
    for (const port of this.#ports) port.close();
  }

  #onFrame(port: HeldPort, frame: unknown): void {
    const parsed = this.#stopping ? undefined : parseCommand(frame);
    if (!parsed) return;
    const answered = this.#answer(port, parsed).finally(() => this.#underWay.delete(answered));
    this.#underWay.add(answered);
  }

  async #answer(port: HeldPort, parsed: ParsedCommand): Promise<void> {
    const { id } = parsed;
    const done = await this.#run(parsed);
    const came = done.ok ? (done.value === undefined ? {} : { value: done.value }) : { error: done.error };
    const answer: UiAnswer = { type: "answer", id, ...came };
    // What the command changed is seen before its answer.
    this.#post([port]);
    port.post(answer);
    this.#changed();
  }

  async #run(parsed: ParsedCommand): Promise<Carried<unknown>> {
    const { keys, vault } = this.#parts;
    try {
      if (parsed.kind === "plain") {
        // As `UiKeys` does for its own. What the popup says of itself, while it stands open, is no use by a person.
        if (parsed.command.type !== "seeFailures") await vault.touch();
        return await this.#perform(parsed.command);
      }
      if (parsed.kind === "key") return await keys.run(parsed.command);
      return refused("internal", "The command makes no sense.");
    } catch (thrown) {
      return refused("internal", reasonOf(thrown));
    }
  }

  async #perform(command: PlainCommand): Promise<Carried<unknown>> {
    const { manager, permissions, network } = this.#parts;
    switch (command.type) {
      case "answerPrompt": {
        const answered = await permissions.answer(command.id, command.decision, command.key);
        // A site that was allowed less may be blocked when it asks for more.
        if (command.decision === "block") await closeRevokedChannels(manager, permissions);
        return answered;
      }
      case "revokeSite":
        // The grant first: from then on nothing of the site gets through, whatever happens to its channels.
        await permissions.revoke(command.origin);
        await closeRevokedChannels(manager, permissions);
        return ok(undefined);
      case "revokeAllSites":
        for (const { origin, state } of permissions.sites()) if (state === "granted") await permissions.revoke(origin);
        await closeRevokedChannels(manager, permissions);
        return ok(undefined);
      case "unblockSite":
        await permissions.unblock(command.origin);
        return ok(undefined);
      case "closeChannel": {
        const closed = await manager.closeChannel(command.channel, "user");
        // Closed already: what the person wanted.
        return closed.ok || closed.error.kind === "unknown-channel" ? ok(undefined) : err(channelRefusal(closed.error));
      }
      case "setNetwork": {
        const set = await network.setConfig(command.config);
        return set.ok ? set : refused("bad-network", set.error);
      }
      case "seeFailures":
        await this.#parts.seenFailures.see(this.#activity.requests());
        return ok(undefined);
      case "testPeer":
        return this.#test(command.address, command.config);
      case "readDiagnostics":
        return ok({ text: this.#diagnostics() } satisfies UiQuestions["readDiagnostics"]["value"]);
    }
  }

  async #test(address: string, config: NetworkConfig): Promise<Carried<UiPeerTest>> {
    if (this.#tests >= LIMITS.messaging.peerTests) {
      return refused("tests-busy", `${LIMITS.messaging.peerTests} addresses are being tested: wait for one.`);
    }
    this.#tests++;
    try {
      const tested = await this.#parts.network.test(address, config);
      return ok(tested.ok ? tested.value : { failed: true, ...tested.error });
    } finally {
      this.#tests--;
    }
  }

  #diagnostics(): string {
    const { manager, network, clock, browser } = this.#parts;
    const snapshot = this.#snapshot();
    return diagnosticsText({ now: clock.now(), browser, snapshot, manager, messaging: network.diagnostics() });
  }

  #snapshot(): UiSnapshot {
    const { manager, permissions, network, version, keys, budget } = this.#parts;
    const channels = manager.summaries();
    const activity = this.#activity.snapshot(network.diagnostics()?.subscriptions ?? []);
    const isOpen = ({ status }: ChannelSummary): boolean => status.state !== "closed";
    return {
      type: "snapshot",
      version,
      network: { status: network.status(), peers: network.peers(), config: network.config() },
      channels,
      sites: permissions.sites().map((site) => ({
        ...site,
        channels: channels.filter((channel) => channel.origin === site.origin && isOpen(channel)).length,
        pending: manager.pendingRequests(site.origin),
      })),
      prompts: permissions.prompts(),
      ...keys.snapshot(),
      ...activity,
      unseenFailures: this.#parts.seenFailures.unseen(activity.requests),
      budget: budget?.() ?? null,
    };
  }

  #post(ports: Iterable<HeldPort>): void {
    const snapshot = this.#snapshot();
    for (const port of ports) port.post(snapshot);
    // A new epoch changes what is left without anything else happening.
    this.#cancelReset?.();
    this.#cancelReset = undefined;
    const { clock } = this.#parts;
    if (snapshot.budget === null || this.#stopping) return;
    // A clock that was far ahead and was set back can put the end of the epoch beyond what a timer can wait for.
    const longestMs = LIMITS.rateLimit.epochMaxSeconds * 1000;
    const leftMs = Math.min(longestMs, Math.max(0, snapshot.budget.resetsAt - clock.now()));
    this.#cancelReset = clock.after(leftMs, () => this.#changed());
  }

  #changed(): void {
    // What the button shows is the next engine's to say.
    if (this.#stopping || (this.#ports.size === 0 && !this.#parts.setBadge)) return;
    this.#cancelSnapshot ??= this.#parts.clock.after(LIMITS.provider.snapshotMs, () => {
      this.#cancelSnapshot = undefined;
      this.#showBadge();
      if (this.#ports.size > 0) this.#post(this.#ports);
    });
  }

  #showBadge(): void {
    const { permissions, seenFailures, setBadge } = this.#parts;
    const unseenFailures = seenFailures.unseen(this.#activity.requests());
    setBadge?.(badgeOf({ prompts: permissions.prompts(), unseenFailures }));
  }
}

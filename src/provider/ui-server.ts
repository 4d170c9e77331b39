/**
 * Serves the popup and the prompt: a snapshot of everything they show after every change, and their commands, each of
 * which is answered. Only pages of this extension get through.
 */
import * as v from "valibot";
import type { ConnectionStatus } from "../channel/ports.ts";
import type { ChannelManagerApi } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import type { Result } from "../common/result.ts";
import { err, ok, reasonOf } from "../common/result.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import type { UiAnswer, UiCommand, UiNetwork, UiSnapshot } from "../ui/background-api.ts";
import { UI_PORT } from "../ui/background-api.ts";
import type { Permissions } from "./permissions.ts";
import { isOwnPage } from "./principal.ts";
import { closeRevokedChannels } from "./revoked-channels.ts";
import type { HeldPort } from "./runtime-port.ts";

/** The network as the popup sees and sets it. */
export interface NetworkControl {
  status(): ConnectionStatus;
  peers(): UiNetwork["peers"];
  config(): NetworkConfig;
  /** Resolves once the setting is stored; an error in words if it makes no sense. */
  setConfig(config: NetworkConfig): Promise<Result<void>>;
  /** Called after anything of it may have changed. */
  listen(listener: () => void): () => void;
}

export interface UiServerParts {
  readonly manager: ChannelManagerApi;
  readonly permissions: Permissions;
  readonly network: NetworkControl;
  readonly clock: Clock;
  /** The extension's version. */
  readonly version: string;
  /** `runtime.id`. */
  readonly extensionId: string;
  /** `runtime.getURL("")`. */
  readonly extensionUrl: string;
}

const channelKey = v.object({ origin: v.string(), channelId: v.string() });
const config = v.object({
  name: v.string(),
  clusterId: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  shards: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  bootstrap: v.array(v.string()),
});
const commandFrame = v.object({
  type: v.literal("command"),
  id: v.number(),
  command: v.variant("type", [
    v.object({
      type: v.literal("answerPrompt"),
      id: v.string(),
      decision: v.picklist(["always", "once", "reject", "block"]),
    }),
    v.object({ type: v.literal("revokeSite"), origin: v.string() }),
    v.object({ type: v.literal("unblockSite"), origin: v.string() }),
    v.object({ type: v.literal("closeChannel"), channel: channelKey }),
    v.object({ type: v.literal("setNetwork"), config }),
  ]),
});
const anyCommand = v.object({ type: v.literal("command"), id: v.number() });

export class UiServer {
  readonly #parts: UiServerParts;
  readonly #ports = new Set<HeldPort>();
  #cancelSnapshot: (() => void) | undefined;

  constructor(parts: UiServerParts) {
    this.#parts = parts;
    const changed = (): void => this.#changed();
    parts.manager.listen(changed);
    parts.permissions.listen(changed);
    parts.network.listen(changed);
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
    port.post(this.#snapshot());
    port.serve(
      (frame) => void this.#onFrame(port, frame),
      () => this.#ports.delete(port),
    );
    return true;
  }

  async #onFrame(port: HeldPort, frame: unknown): Promise<void> {
    const head = v.safeParse(anyCommand, frame);
    if (!head.success) return;
    const parsed = v.safeParse(commandFrame, frame);
    const done = parsed.success ? await this.#run(parsed.output.command) : err("The command makes no sense.");
    const answer: UiAnswer = { type: "answer", id: head.output.id, ...(done.ok ? {} : { error: done.error }) };
    // What the command changed is seen before its answer.
    port.post(this.#snapshot());
    port.post(answer);
  }

  async #run(command: UiCommand): Promise<Result<void>> {
    const { manager, permissions, network } = this.#parts;
    try {
      switch (command.type) {
        case "answerPrompt": {
          const answered = await permissions.answer(command.id, command.decision);
          // A site that was allowed less may be blocked when it asks for more.
          if (command.decision === "block") await closeRevokedChannels(manager, permissions);
          return answered;
        }
        case "revokeSite":
          // The grant first: from then on nothing of the site gets through, whatever happens to its channels.
          await permissions.revoke(command.origin);
          await closeRevokedChannels(manager, permissions);
          return ok(undefined);
        case "unblockSite":
          await permissions.unblock(command.origin);
          return ok(undefined);
        case "closeChannel": {
          const closed = await manager.closeChannel(command.channel, "user");
          // Closed already: what the person wanted.
          return closed.ok || closed.error.kind === "unknown-channel" ? ok(undefined) : err(closed.error.message);
        }
        case "setNetwork":
          return await network.setConfig(command.config);
      }
    } catch (thrown) {
      return err(reasonOf(thrown));
    }
  }

  #snapshot(): UiSnapshot {
    const { manager, permissions, network, version } = this.#parts;
    const channels = manager.channels().map((channel) => channel.summary());
    return {
      type: "snapshot",
      version,
      network: { status: network.status(), peers: network.peers(), config: network.config() },
      channels,
      sites: permissions
        .sites()
        .map((site) => ({ ...site, channels: channels.filter(({ origin }) => origin === site.origin).length })),
      prompts: permissions.prompts(),
    };
  }

  #changed(): void {
    if (this.#ports.size === 0) return;
    this.#cancelSnapshot ??= this.#parts.clock.after(LIMITS.provider.snapshotMs, () => {
      this.#cancelSnapshot = undefined;
      const snapshot = this.#snapshot();
      for (const port of this.#ports) port.post(snapshot);
    });
  }
}

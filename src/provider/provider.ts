/** The provider side of the background, put together: one door for the ports of pages and of the popup. */

import type { Storage } from "../channel/ports.ts";
import type { ChannelManagerApi } from "../channel/types.ts";
import type { Clock } from "../common/clock.ts";
import type { Journal } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { CallResults } from "./call-results.ts";
import type { PromptWindow } from "./permissions.ts";
import { Permissions } from "./permissions.ts";
import type { Quota } from "./provider-api.ts";
import type { HeldPort } from "./runtime-port.ts";
import { createProviderServer } from "./server.ts";
import type { NetworkControl } from "./ui-server.ts";
import { UiServer } from "./ui-server.ts";

export interface ProviderParts {
  readonly manager: ChannelManagerApi;
  /** The ones that the manager writes through: call results are committed with the work. */
  readonly journal: Journal;
  readonly transactor: Transactor;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly network: NetworkControl;
  readonly promptWindow: PromptWindow;
  /** Identifies the running browser session; see `browser-session.ts`. */
  readonly browserSession: string;
  /** The extension's version. */
  readonly version: string;
  /** `runtime.id`. */
  readonly extensionId: string;
  /** `runtime.getURL("")`. */
  readonly extensionUrl: string;
  readonly epoch?: (origin: string) => Quota["epoch"];
  newId(): string;
}

export interface Provider {
  readonly permissions: Permissions;
  /** Serves a port of a page, the popup or the prompt. Every other port is closed. */
  accept(port: HeldPort): void;
}

/** Loads what is stored and resumes what an earlier life of the background left open. */
export async function createProvider(parts: ProviderParts): Promise<Provider> {
  const results = new CallResults(parts);
  const permissions = await Permissions.load({ ...parts, results, window: parts.promptWindow });
  const server = await createProviderServer({ ...parts, permissions, results });
  const ui = new UiServer({ ...parts, permissions });
  await permissions.resume();
  return {
    permissions,
    accept(port) {
      if (!server.accept(port) && !ui.accept(port)) port.close();
    },
  };
}

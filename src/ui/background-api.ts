/**
 * What extension pages (popup, prompt) and the background say to each other, over a port named `UI_PORT`.
 * The background posts `UiSnapshot` on connect and after changes; a page posts `UiCommandFrame` and gets one `UiAnswer`.
 */
import type { ConnectionStatus } from "../channel/ports.ts";
import type { ChannelKey, ChannelSummary, EncryptionMode, Profile } from "../channel/types.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";

export const UI_PORT = "ui";

export interface UiSite {
  readonly origin: string;
  readonly state: "granted" | "blocked";
  /** Milliseconds since the Unix epoch. */
  readonly since: number;
  /** `null` does not expire; `session` ends with the browser session. */
  readonly lasts: "always" | "session";
  readonly channels: number;
}

/** A connect prompt that waits for the person. */
export interface UiPrompt {
  readonly id: string;
  readonly origin: string;
  readonly requestedAt: number;
  /** The channel that the page asked for, where the call was `createReliableChannel`. */
  readonly channel?: {
    readonly channelId: string;
    readonly contentTopic: string;
    readonly encryption: EncryptionMode;
    readonly profile: Profile;
  };
}

export interface UiNetwork {
  readonly status: ConnectionStatus;
  readonly peers: { readonly lightpush: number; readonly filter: number; readonly store: number };
  readonly config: NetworkConfig;
}

export interface UiSnapshot {
  readonly type: "snapshot";
  readonly version: string;
  readonly network: UiNetwork;
  readonly channels: readonly ChannelSummary[];
  readonly sites: readonly UiSite[];
  readonly prompts: readonly UiPrompt[];
}

export type PromptDecision = "always" | "once" | "reject" | "block";

export type UiCommand =
  | { readonly type: "answerPrompt"; readonly id: string; readonly decision: PromptDecision }
  | { readonly type: "revokeSite"; readonly origin: string }
  | { readonly type: "unblockSite"; readonly origin: string }
  | { readonly type: "closeChannel"; readonly channel: ChannelKey }
  | { readonly type: "setNetwork"; readonly config: NetworkConfig };

export interface UiCommandFrame {
  readonly type: "command";
  readonly id: number;
  readonly command: UiCommand;
}

export interface UiAnswer {
  readonly type: "answer";
  readonly id: number;
  readonly error?: string;
}

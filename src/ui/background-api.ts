/**
 * What extension pages (popup, prompt) and the background say to each other, over a port named `UI_PORT`.
 * The background posts `UiSnapshot` on connect and after changes; a page posts `UiCommandFrame` and gets one `UiAnswer`.
 */
import type { ConnectionStatus } from "../channel/ports.ts";
import type {
  ChannelErrorKind,
  ChannelKey,
  ChannelSummary,
  EncryptionMode,
  Profile,
  RequestFailureKind,
  RequestInfo,
  RequestState,
} from "../channel/types.ts";
import type { BackupError } from "../keys/backup.ts";
import type { InvitationError } from "../keys/invitation.ts";
import type { KeyTextError } from "../keys/key-formats.ts";
import type { KeyError } from "../keys/key-store.ts";
import type { VaultError } from "../keys/vault.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import type { PeerTestFailure, TestedPeer } from "../messaging/peer-test.ts";

export const UI_PORT = "ui";

export interface UiSite {
  readonly origin: string;
  readonly state: "granted" | "blocked";
  /** Milliseconds since the Unix epoch. */
  readonly since: number;
  /** `null` does not expire; `session` ends with the browser session. */
  readonly lasts: "always" | "session";
  /** Its open channels, and its messages that are still being sent. */
  readonly channels: number;
  readonly pending: number;
}

/** What a site may be allowed to do, by the names of the page contract. */
export type UiScope = "channel:create" | "channel:send" | "channel:receive";

/** A connect prompt that waits for the person. */
export interface UiPrompt {
  readonly id: string;
  readonly origin: string;
  readonly requestedAt: number;
  /**
   * What the site may do once it is allowed, with what it may do already: through all of its channels, or with
   * `contentTopics` through those on one of these topics.
   */
  readonly scopes: readonly UiScope[];
  readonly contentTopics?: readonly string[];
  /** The channel that the page asked for, where the call was `createReliableChannel`. */
  readonly channel?: {
    readonly channelId: string;
    readonly contentTopic: string;
    readonly encryption: EncryptionMode;
    readonly profile: Profile;
  };
  /** The channel is encrypted with a key that the person chooses; `suggested` is the one that it had before, or has from an invitation. */
  readonly keyChoice?: { readonly suggested?: string };
}

export interface UiNetwork {
  readonly status: ConnectionStatus;
  readonly peers: { readonly lightpush: number; readonly filter: number; readonly store: number };
  readonly config: NetworkConfig;
}

export interface UiPlainSnapshot {
  readonly type: "snapshot";
  readonly version: string;
  readonly network: UiNetwork;
  readonly channels: readonly ChannelSummary[];
  readonly sites: readonly UiSite[];
  readonly prompts: readonly UiPrompt[];
}

export type PromptDecision = "always" | "once" | "reject" | "block";

export type UiPlainCommand =
  | {
      readonly type: "answerPrompt";
      readonly id: string;
      readonly decision: PromptDecision;
      /** Where the prompt has a `keyChoice` and the decision allows. */
      readonly key?: UiKeyChoice;
    }
  | { readonly type: "revokeSite"; readonly origin: string }
  | { readonly type: "revokeAllSites" }
  | { readonly type: "unblockSite"; readonly origin: string }
  | { readonly type: "closeChannel"; readonly channel: ChannelKey }
  | { readonly type: "setNetwork"; readonly config: NetworkConfig }
  /** The person looks at the failed requests: the badge is done with those. */
  | { readonly type: "seeFailures" };

/** What a bootstrap address turned out to be. */
export type UiPeerTest = TestedPeer | ({ readonly failed: true } & PeerTestFailure);

/** Commands that ask something, and what each is answered with. */
export interface UiQuestions {
  /** Whether a service node of that network answers at the address. */
  testPeer: {
    readonly params: { readonly address: string; readonly config: NetworkConfig };
    readonly value: UiPeerTest;
  };
  /** Versions, health, counters and recent errors as text, without keys, content, sites or names. */
  readDiagnostics: { readonly params: Record<never, never>; readonly value: { readonly text: string } };
}
export type UiQuestion = {
  [K in keyof UiQuestions]: { readonly type: K } & UiQuestions[K]["params"];
}[keyof UiQuestions];

export interface UiCommandFrame {
  readonly type: "command";
  readonly id: number;
  readonly command: UiCommand;
}

/** What a command came to grief over: the failures of the layers below by their own names, and those of the commands. */
export type UiRefusalKind =
  | `key-${KeyError["kind"]}`
  | `text-${KeyTextError["kind"]}`
  | `vault-${VaultError["kind"]}`
  | `backup-${BackupError["kind"]}`
  | `invitation-${InvitationError["kind"]}`
  | `channel-${ChannelErrorKind}`
  | "no-site"
  | "label-missing"
  | "label-too-long"
  | "not-encrypted"
  | "no-key-to-share"
  | "qr-too-long"
  | "other-channel"
  | "other-key"
  | "not-sent-again"
  | "prompt-gone"
  | "prompt-busy"
  | "tests-busy"
  | "bad-network"
  /** Nothing that a person can do something about. */
  | "internal";

/** Why a command was refused. People read the words of its kind in their language, developers the message. */
export interface UiRefusal {
  readonly kind: UiRefusalKind;
  readonly message: string;
  /** With `text-wrong-length`: how many bytes there are. */
  readonly bytes?: number;
}

export interface UiAnswer {
  readonly type: "answer";
  readonly id: number;
  readonly error?: UiRefusal;
  /** What the command is answered with, where `UiKeyCommands` says that there is something. */
  readonly value?: unknown;
}

// ── keys, vault, invitations, activity ────────────────────────────────────────────────────────

/** What protects keys and content at rest. */
export interface UiVault {
  /** `open`: no password. `damaged`: what is stored cannot be read. */
  readonly state: "open" | "unlocked" | "locked" | "damaged";
  /** Minutes without use after which it locks; `null`: when the browser ends. */
  readonly autoLockMinutes: number | null;
  /** The person has seen the first screen: a password was set or declined. */
  readonly welcomed: boolean;
}

/** What two people compare to see that they hold the same key. */
export interface UiFingerprint {
  readonly words: readonly string[];
  readonly hex: string;
}

/** Never the key itself. */
export interface UiKey {
  readonly id: string;
  readonly name: string;
  /** Left out where the key cannot be opened: what is stored of it was changed or damaged. */
  readonly fingerprint?: UiFingerprint;
  readonly createdAt: number;
  /** Sites that may use it: the first that did, and those that the person allowed since. */
  readonly origins: readonly string[];
  /** Channels that write with it. */
  readonly channels: readonly ChannelKey[];
  /** Channels that have another key now, and read with this one what still comes under it. */
  readonly earlierIn: readonly ChannelKey[];
}

/** What a channel has beyond its summary. */
export interface UiChannelDetails {
  readonly channel: ChannelKey;
  /** What the person calls it; the channel id until then. */
  readonly label: string;
  readonly keyId?: string;
  /** Filter nodes that serve its topic; left out where nothing is received for it, as while it is closed. */
  readonly peers?: number;
  /** Times that a message came which no key of the channel opens, and which speaks another layout. */
  readonly undecryptable: number;
  readonly foreignLayout: number;
  /** Its site encrypts, and has no page open that could. */
  readonly needsPage?: true;
}

/** One request, newest first in the snapshot. */
export interface UiRequest {
  readonly channel: ChannelKey;
  readonly requestId: string;
  readonly state: RequestState;
  readonly bytes: number;
  readonly segments: RequestInfo["segments"];
  readonly createdAt: number;
  /** It is not kept, so it cannot be sent again. */
  readonly ephemeral?: true;
  /** Why it failed, where it did, in words and by its kind. */
  readonly error?: string;
  readonly failure?: RequestFailureKind;
}

/** A large message under way. */
export interface UiTransfer {
  readonly channel: ChannelKey;
  readonly direction: "out" | "in";
  readonly id: string;
  readonly done: number;
  readonly total: number;
}

export type KeyTextFormat = "hex" | "base64" | "base64url" | "jwk";

/** How the person answers a prompt for an encrypted channel. */
export type UiKeyChoice =
  | { readonly kind: "make"; readonly name: string }
  | { readonly kind: "pick"; readonly keyId: string; readonly allowNewSite?: boolean }
  | { readonly kind: "import"; readonly text: string; readonly name: string };

/** Commands and what each is answered with; a failed one is answered with `error`. */
export interface UiKeyCommands {
  /** Declines (`null`) or sets the first password. */
  welcome: { readonly params: { readonly password: string | null }; readonly value: undefined };
  setPassword: {
    readonly params: { readonly current?: string; readonly password: string | null };
    readonly value: undefined;
  };
  unlock: { readonly params: { readonly password: string }; readonly value: undefined };
  lock: { readonly params: Record<never, never>; readonly value: undefined };
  setAutoLock: { readonly params: { readonly minutes: number | null }; readonly value: undefined };
  makeKey: { readonly params: { readonly name: string }; readonly value: { readonly keyId: string } };
  /** Looks at pasted text without keeping it: what it is, and whether that key is already here. */
  inspectKeyText: {
    readonly params: { readonly text: string };
    readonly value:
      | {
          readonly kind: "key";
          readonly format: KeyTextFormat;
          readonly fingerprint: UiFingerprint;
          /** The name of the key that is already here, if it is. */
          readonly known?: string;
        }
      | {
          readonly kind: "invitation";
          readonly channelId: string;
          readonly contentTopic: string;
          readonly name?: string;
          readonly fingerprint: UiFingerprint;
        }
      | { readonly kind: "backup" };
  };
  importKey: {
    readonly params: { readonly text: string; readonly name: string };
    readonly value: { readonly keyId: string };
  };
  renameKey: { readonly params: { readonly keyId: string; readonly name: string }; readonly value: undefined };
  exportKey: {
    readonly params: { readonly keyId: string; readonly format: KeyTextFormat };
    readonly value: { readonly text: string };
  };
  deleteKey: { readonly params: { readonly keyId: string }; readonly value: undefined };
  /** Refused while a channel of the site has the key. */
  takeKeyFromSite: { readonly params: { readonly keyId: string; readonly origin: string }; readonly value: undefined };
  /** One that is there and closed is opened again, where it is the one described. */
  createChannel: {
    readonly params: {
      readonly origin: string;
      readonly channelId: string;
      readonly contentTopic: string;
      /** Left out: not encrypted. */
      readonly key?: UiKeyChoice;
    };
    readonly value: undefined;
  };
  /** As it was made, with everything it had. */
  openChannel: { readonly params: { readonly channel: ChannelKey }; readonly value: undefined };
  renameChannel: {
    readonly params: { readonly channel: ChannelKey; readonly label: string };
    readonly value: undefined;
  };
  /** New messages use this key; the earlier ones go on being readable. */
  changeChannelKey: {
    readonly params: { readonly channel: ChannelKey; readonly key: UiKeyChoice };
    readonly value: undefined;
  };
  deleteChannel: { readonly params: { readonly channel: ChannelKey }; readonly value: undefined };
  /** The text code and its QR code as a square of dark (true) and light modules. */
  createInvitation: {
    readonly params: { readonly channel: ChannelKey };
    readonly value: { readonly text: string; readonly qr: readonly (readonly boolean[])[] };
  };
  /** Makes the channel ready for the site, before the site asks. */
  acceptInvitation: {
    readonly params: {
      readonly text: string;
      readonly origin: string;
      /** The person was warned that the key is another site's, and agreed. */
      readonly allowNewSite?: boolean;
    };
    readonly value: undefined;
  };
  retryRequest: {
    readonly params: { readonly channel: ChannelKey; readonly requestId: string };
    readonly value: undefined;
  };
  /** Of everything, or of one channel and its keys. */
  exportBackup: {
    readonly params: { readonly passphrase: string; readonly channel?: ChannelKey };
    /** `missing`: names of keys that cannot be opened, and so are not in it. */
    readonly value: { readonly text: string; readonly missing: readonly string[] };
  };
  importBackup: {
    readonly params: { readonly text: string; readonly passphrase: string };
    /** Keys and channels that were not here before, and channels that could not be restored. */
    readonly value: { readonly keys: number; readonly channels: number; readonly failed: number };
  };
}
export type UiKeyCommand = {
  [K in keyof UiKeyCommands]: { readonly type: K } & UiKeyCommands[K]["params"];
}[keyof UiKeyCommands];
export type UiKeyCommandValue<K extends keyof UiKeyCommands> = UiKeyCommands[K]["value"];

/** What a snapshot carries beyond channels, sites, prompts and network. */
export interface UiVaultSnapshot {
  readonly vault: UiVault;
  readonly keys: readonly UiKey[];
  readonly details: readonly UiChannelDetails[];
  /** The newest 200. */
  readonly requests: readonly UiRequest[];
  readonly transfers: readonly UiTransfer[];
  /** Failed requests that the person has not looked at. */
  readonly unseenFailures: number;
  /** The epoch budget; `null` where nothing is limited. */
  readonly budget: { readonly limit: number; readonly remaining: number; readonly resetsAt: number } | null;
}

/** Everything that the views show. */
export interface UiSnapshot extends UiPlainSnapshot, UiVaultSnapshot {}

/** Everything that the views ask for. */
export type UiCommand = UiPlainCommand | UiQuestion | UiKeyCommand;

/** What a command is answered with. */
export type UiCommandValue<C extends UiCommand> = C extends UiKeyCommand
  ? UiKeyCommandValue<C["type"]>
  : C extends UiQuestion
    ? UiQuestions[C["type"]]["value"]
    : undefined;

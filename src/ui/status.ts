/** What states are called and which tone they have. A tone is a colour and a shape together, never a colour alone. */
import type { ChannelStatus } from "../channel/types.ts";
import type { UiNetwork } from "./background-api.ts";
import type { MessageKey } from "./translate.ts";

export type Tone = "good" | "warn" | "bad" | "idle" | "busy";

export interface StatusWords {
  readonly label: MessageKey;
  readonly tone: Tone;
}

export interface NetworkWords extends StatusWords {
  readonly detail: MessageKey;
}

/**
 * A disconnected node keeps dialling, so it is reconnecting unless there is nothing to dial or no link to dial over.
 * `online` is the browser's own view; a working connection counts for more, as loopback networks need no uplink.
 */
export function networkWords(network: UiNetwork | undefined, online: boolean): NetworkWords {
  if (network === undefined) return { label: "networkUnknown", detail: "networkUnknownDetail", tone: "busy" };
  switch (network.status) {
    case "Connected":
      return { label: "networkConnected", detail: "networkConnectedDetail", tone: "good" };
    case "PartiallyConnected":
      return { label: "networkPartly", detail: "networkPartlyDetail", tone: "warn" };
    case "Disconnected":
      if (network.config.bootstrap.length === 0) {
        return { label: "networkOffline", detail: "networkNoBootstrapDetail", tone: "bad" };
      }
      return online
        ? { label: "networkReconnecting", detail: "networkReconnectingDetail", tone: "busy" }
        : { label: "networkOffline", detail: "networkOfflineDetail", tone: "bad" };
  }
}

/** What the header says: that nothing is read or sent before the person unlocks counts for more than the network. */
export function headerWords(network: StatusWords, locked: boolean): StatusWords {
  return locked ? { label: "lockedTitle", tone: "idle" } : network;
}

export function channelWords(status: ChannelStatus): StatusWords {
  if (status.state === "closed") return { label: "stateClosed", tone: "idle" };
  if (status.state === "opening") return { label: "stateOpening", tone: "busy" };
  switch (status.health) {
    case "SUFFICIENTLY_HEALTHY":
      return { label: "healthGood", tone: "good" };
    case "MINIMALLY_HEALTHY":
      return { label: "healthMinimal", tone: "warn" };
    case "UNHEALTHY":
      return { label: "healthBad", tone: "bad" };
    case "NOT_SUBSCRIBED":
      return { label: "healthNotSubscribed", tone: "idle" };
  }
}

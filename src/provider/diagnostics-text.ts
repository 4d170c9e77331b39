/**
 * What a person copies for somebody who helps: versions, health, counters and recent errors. No keys and no content, and
 * nothing that says where and with whom they talk: no sites, no names of channels, no sender ids. Content topics are in it,
 * since whoever relays messages sees them.
 */
import type { MessagingDiagnostics } from "../channel/ports.ts";
import type { ChannelManagerApi } from "../channel/types.ts";
import { LIMITS } from "../limits.ts";
import type { NetworkConfig } from "../messaging/network-config.ts";
import type { UiSnapshot } from "../ui/background-api.ts";

export interface Diagnosed {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** `navigator.userAgent`. */
  readonly browser: string;
  readonly snapshot: Pick<
    UiSnapshot,
    "version" | "vault" | "network" | "requests" | "budget" | "prompts" | "sites" | "keys" | "unseenFailures"
  >;
  readonly manager: Pick<ChannelManagerApi, "summaries" | "channel">;
  /** `undefined` while nothing runs. */
  readonly messaging: MessagingDiagnostics | undefined;
}

export function diagnosticsText({ now, browser, snapshot, manager, messaging }: Diagnosed): string {
  const { version, vault, network, requests, budget, prompts, sites, keys, unseenFailures } = snapshot;
  const failed = requests.filter(({ error }) => error !== undefined);
  const report = {
    at: time(now),
    version,
    browser,
    vault: vault.state,
    network: { ...networkOf(network.config), status: network.status, peers: network.peers },
    budget: budget && { ...budget, resetsAt: time(budget.resetsAt) },
    counts: { sites: sites.length, prompts: prompts.length, keys: keys.length, unseenFailures },
    channels: manager.summaries().map((summary) => {
      const { contentTopic, profile, encryption, placement, status, members, unacknowledged } = summary;
      const unread = manager.channel(summary)?.diagnostics();
      return { contentTopic, profile, encryption, placement, ...status, members, unacknowledged, unread };
    }),
    requests: countByState(requests),
    failedRequests: failed
      .slice(0, LIMITS.provider.diagnosedFailures)
      .map(({ createdAt, state, bytes, failure, error }) => {
        // What encrypts may be the site's own: its words may quote what they are about.
        const words = failure === "encryption" ? undefined : error;
        return { createdAt: time(createdAt), state, bytes, failure, error: words };
      }),
    messaging: messaging && {
      ...messaging,
      lastErrors: messaging.lastErrors.map(({ at, what }) => `${time(at)} ${what}`),
    },
  };
  return JSON.stringify(report, undefined, 2);
}

function countByState(requests: Diagnosed["snapshot"]["requests"]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { state } of requests) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** Addresses of bootstrap peers may be the person's own. */
function networkOf({ name, clusterId, shards, bootstrap, rateLimit }: NetworkConfig) {
  return { name, clusterId, shards, bootstrapPeers: bootstrap.length, rateLimit };
}

const time = (at: number): string => new Date(at).toISOString();

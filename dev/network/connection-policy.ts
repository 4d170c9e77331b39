import type { Connection, Libp2p } from "@libp2p/interface";
import { lengthPrefixed } from "../../src/messaging/length-prefix.ts";
import { FrameStream } from "./frames.ts";
import type { Metadata } from "./metadata.ts";
import { CODEC } from "./protocols.ts";

/** Peers from one address that a node keeps; the oldest have to go. */
const PEERS_PER_ADDRESS = 5;

export interface ConnectionPolicy {
  readonly metadata: Metadata;
  /** Whether the limit on peers from one address holds. Other service nodes do not count. */
  readonly limitAddresses: boolean;
  readonly isServiceNode: (peer: string) => boolean;
}

/** Judges every incoming connection, as a real node does. */
export function applyConnectionPolicy(libp2p: Libp2p, policy: ConnectionPolicy): void {
  libp2p.addEventListener("connection:open", ({ detail: connection }) => {
    if (connection.direction !== "inbound") return;
    if (hasOtherConnection(libp2p, connection)) return drop(connection);
    if (policy.limitAddresses) dropOldest(libp2p, policy);
    askMetadata(connection, policy.metadata).then(
      (response) => {
        if (!policy.metadata.fits(response)) drop(connection);
      },
      // A peer that does not speak the protocol is no peer of this network.
      () => drop(connection),
    );
  });
}

async function askMetadata(connection: Connection, metadata: Metadata): Promise<Uint8Array> {
  const stream = await connection.newStream(CODEC.metadata);
  await stream.sink([lengthPrefixed(metadata.own())]);
  const reader = new FrameStream(stream.source);
  const response = await reader.next();
  if (response === undefined) throw new Error("no metadata");
  await reader.drain();
  return response;
}

/** One connection a peer: a second one is dropped, the first one stays. */
function hasOtherConnection(libp2p: Libp2p, connection: Connection): boolean {
  return libp2p
    .getConnections(connection.remotePeer)
    .some((other) => other.id !== connection.id && other.status === "open");
}

function dropOldest(libp2p: Libp2p, { isServiceNode }: ConnectionPolicy): void {
  const byAddress = Map.groupBy(
    libp2p.getConnections().filter(({ status, remotePeer }) => status === "open" && !isServiceNode(`${remotePeer}`)),
    ({ remoteAddr }) => remoteAddr.nodeAddress().address,
  );
  for (const connections of byAddress.values()) {
    const oldestFirst = connections.toSorted((a, b) => a.timeline.open - b.timeline.open);
    for (const connection of oldestFirst.slice(0, -PEERS_PER_ADDRESS)) drop(connection);
  }
}

function drop(connection: Connection): void {
  connection.close().catch((reason: unknown) => {
    connection.abort(reason instanceof Error ? reason : new Error(String(reason)));
  });
}

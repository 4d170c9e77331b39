/**
 * Where service nodes are found that nobody typed in: DNS lists (EIP-1459, 25/WAKU2-DNS-DISCOVERY) and the answers of
 * other nodes (34/WAKU2-PEER-EXCHANGE). Both give Ethereum node records, which are signed by the nodes that they name.
 */
import { DnsNodeDiscovery } from "@waku/discovery";
import { type ENR, EnrDecoder } from "@waku/enr";
import type { DnsClient } from "@waku/interfaces";
import { proto_peer_exchange } from "@waku/proto";
import { LIMITS } from "../limits.ts";

export const DNS_LIST = "enrtree://";

/** What is read of an Ethereum node record. */
type NodeRecord = Partial<Pick<ENR, "peerInfo" | "shardInfo">>;

/** The WebSocket addresses that a record of this cluster names, with the peer id; none for another cluster's. */
function dialable(record: NodeRecord, clusterId: number): readonly string[] {
  const { peerInfo, shardInfo } = record;
  if (!peerInfo || (shardInfo && shardInfo.clusterId !== clusterId)) return [];
  return peerInfo.multiaddrs
    .filter((address) => address.protoNames().some((name) => name === "ws" || name === "wss"))
    .map((address) => address.toString());
}

/** Addresses of the nodes on DNS lists, in a random walk. Throws where there is no way to ask. */
export async function* listedAddresses(
  lists: readonly string[],
  clusterId: number,
  dns?: DnsClient,
): AsyncGenerator<string> {
  const discovery = await DnsNodeDiscovery.dnsOverHttp(dns);
  for await (const record of discovery.getNextPeer([...lists])) yield* dialable(record, clusterId);
}

export function encodeExchangeRequest(): Uint8Array {
  return proto_peer_exchange.PeerExchangeRPC.encode({ query: { numPeers: BigInt(LIMITS.messaging.exchangedPeers) } });
}

/** The records in an answer. Throws where it is none. */
export function decodeExchangeAnswer(bytes: Uint8Array): readonly Uint8Array[] {
  const { response } = proto_peer_exchange.PeerExchangeRPC.decode(bytes);
  if (!response) throw new Error("no response in it");
  return response.peerInfos.flatMap(({ enr }) => (enr ? [enr] : [])).slice(0, LIMITS.messaging.exchangedPeers);
}

/** The addresses in such records. One that is malformed or wrongly signed is left out. */
export async function exchangedAddresses(
  records: readonly Uint8Array[],
  clusterId: number,
): Promise<readonly string[]> {
  const decoded = await Promise.all(
    records.map(async (record) => {
      try {
        return dialable(await EnrDecoder.fromRLP(record), clusterId);
      } catch {
        return [];
      }
    }),
  );
  return decoded.flat();
}

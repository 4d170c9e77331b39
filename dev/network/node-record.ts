import type { PrivateKey } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { EnrCreator } from "@waku/enr";
import { concat, utf8 } from "../../src/common/bytes.ts";
import type { Sharding } from "./autosharding.ts";

/** The `waku2` field of 31/WAKU2-ENR: relay, store, filter and lightpush. */
const ALL_SERVICES = Uint8Array.of(0b1111);
const SEQUENCE = Uint8Array.of(1);

/** What a node says of itself to be found: an Ethereum node record (EIP-778) with the fields of 31/WAKU2-ENR. */
export async function nodeRecord(privateKey: PrivateKey, address: string, sharding: Sharding): Promise<Uint8Array> {
  const record = EnrCreator.fromPublicKey(privateKey.publicKey.raw);
  record.multiaddrs = [multiaddr(address.split("/p2p/")[0])];
  record.set("waku2", ALL_SERVICES);
  record.set("rs", relayShards(sharding));
  const fields = [...record.entries()]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, value]) => [utf8(key), value]);
  const signature = await record.sign(rlpList([SEQUENCE, ...fields]), privateKey.raw);
  return rlpList([signature, SEQUENCE, ...fields]);
}

/** 51/WAKU2-RELAY-SHARDING: the cluster, a count, and the shards, each of two bytes, big-endian. */
function relayShards({ clusterId, shards }: Sharding): Uint8Array {
  const field = new DataView(new ArrayBuffer(3 + 2 * shards));
  field.setUint16(0, clusterId);
  field.setUint8(2, shards);
  for (let shard = 0; shard < shards; shard++) field.setUint16(3 + 2 * shard, shard);
  return new Uint8Array(field.buffer);
}

/** Recursive-length prefix: a list of byte strings of less than 256 bytes each, of less than 64 KiB in all. */
function rlpList(items: readonly Uint8Array[]): Uint8Array {
  const encoded = concat(...items.map((item) => (isSmall(item) ? item : concat(prefix(0x80, item.length), item))));
  return concat(prefix(0xc0, encoded.length), encoded);
}

function isSmall(item: Uint8Array): boolean {
  return item.length === 1 && (item[0] ?? 0) < 0x80;
}

function prefix(base: number, length: number): Uint8Array {
  if (length < 56) return Uint8Array.of(base + length);
  if (length < 256) return Uint8Array.of(base + 56, length);
  return Uint8Array.of(base + 57, length >> 8, length & 0xff);
}
